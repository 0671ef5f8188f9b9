"""The desk's side of a conversation: read it, answer in it, give it back."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from chatbot import services
from chatbot.desk import RedFlagForm, SignsField
from chatbot.models import ChatMessage, Conversation, Document, RedFlag
from messaging.models import Message
from patients.models import Account, Patient
from practice.models import AuditEvent
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday", "practice")]


@pytest.fixture
def desk(dana: Account) -> Client:
    client = Client()
    client.force_login(dana)
    return client


@pytest.fixture
def talk(ana: Patient) -> Conversation:
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    services.say(talk, "can I talk to a person? <script>alert(1)</script>")
    return talk


def page(talk: Conversation) -> str:
    return reverse("admin:chatbot_conversation_change", args=[talk.pk])


def press(desk: Client, talk: Conversation, button: str) -> None:
    """Press a button above the conversation and say yes in its dialog."""
    address = reverse(f"admin:chatbot_conversation_{button}", args=[talk.pk])
    desk.post(address, {"_form_submitted": "1"})


def test_looking_at_a_button_takes_nothing_over(desk: Client, talk: Conversation) -> None:
    desk.get(reverse("admin:chatbot_conversation_take", args=[talk.pk]))
    talk.refresh_from_db()
    assert talk.taken_by is None


def test_the_list_names_a_stranger_by_phone_and_shows_what_was_said_last(desk: Client) -> None:
    stranger = services.text_conversation("+12125550199")
    ChatMessage.objects.create(conversation=stranger, author="patient", channel="sms", text="Are you open?")
    shown = desk.get(reverse("admin:chatbot_conversation_changelist")).content.decode()
    assert "+12125550199" in shown
    assert "Are you open?" in shown


def test_the_thread_is_shown_as_text(desk: Client, talk: Conversation) -> None:
    shown = desk.get(page(talk)).content.decode()
    assert "can I talk to a person?" in shown
    assert "<script>alert" not in shown


def test_what_the_desk_types_is_said_to_the_patient_and_silences_the_assistant(
    desk: Client, talk: Conversation, dana: Account
) -> None:
    desk.post(page(talk), {"reply": "Dana here, how can I help?"})
    said = talk.messages.latest("pk")
    assert (said.author, said.account, said.text) == ("staff", dana, "Dana here, how can I help?")
    talk.refresh_from_db()
    assert (talk.status, talk.taken_by) == ("staff", dana)
    assert services.say(talk, "hello") is None


def test_an_answer_to_a_text_leaves_as_a_text(desk: Client, ana: Patient) -> None:
    talk = services.text_conversation(str(ana.phone))
    desk.post(page(talk), {"reply": "Please call us."})
    assert Message.objects.get().body == "Please call us."


def test_saving_without_words_says_nothing(desk: Client, talk: Conversation) -> None:
    before = talk.messages.count()
    desk.post(page(talk), {"reply": "  "})
    assert talk.messages.count() == before


def test_a_conversation_is_taken_and_given_back(desk: Client, talk: Conversation, dana: Account) -> None:
    press(desk, talk, "take")
    talk.refresh_from_db()
    assert talk.taken_by == dana
    press(desk, talk, "end")
    talk.refresh_from_db()
    assert (talk.status, talk.taken_by) == ("assistant", None)


def test_a_conversation_that_another_has_is_not_taken(desk: Client, talk: Conversation) -> None:
    eve = factories.AccountFactory(email="eve@example.com", is_staff=True, is_superuser=True)
    other = Client()
    other.force_login(eve)
    desk.post(page(talk), {"reply": "Dana here."})
    shown = other.post(page(talk), {"reply": "Eve here."}, follow=True).content.decode()
    assert "Somebody else has taken this conversation." in shown
    assert "Eve here.</textarea>" in shown
    assert list(ChatMessage.objects.filter(author="staff").values_list("text", flat=True)) == ["Dana here."]


def test_no_conversation_can_be_deleted_or_added(desk: Client, talk: Conversation) -> None:
    assert desk.get(reverse("admin:chatbot_conversation_delete", args=[talk.pk])).status_code == 403
    assert desk.get(reverse("admin:chatbot_conversation_add")).status_code == 403


def test_a_changed_document_waits_for_its_vectors(desk: Client) -> None:
    desk.post(
        reverse("admin:chatbot_document_add"),
        {"title": "Parking", "slug": "parking", "body": "Behind the house.", "audience": "everyone",
         "is_published": "on"},
    )  # fmt: skip
    assert list(Document.objects.stale().values_list("slug", flat=True)) == ["parking"]


@pytest.mark.parametrize("model", ["conversation", "handoff", "redflag", "document"])
def test_lists_need_few_queries_however_long_they_are(
    desk: Client, model: str, django_assert_max_num_queries: Any
) -> None:
    for patient in factories.PatientFactory.create_batch(8):
        talk = services.begin(channel="web", patient=patient, account=patient.account)
        services.say(talk, "can I talk to a person?")
        factories.DocumentFactory()
    with django_assert_max_num_queries(16):
        assert desk.get(reverse(f"admin:chatbot_{model}_changelist")).status_code == 200


def test_reading_a_conversation_leaves_a_line_in_the_record(
    desk: Client, talk: Conversation, dana: Account
) -> None:
    desk.get(page(talk))
    read = AuditEvent.objects.filter(action="read", row=str(talk.pk))
    assert [event.actor for event in read] == [str(dana.pk)]


def test_every_shipped_red_flag_survives_its_form_unchanged() -> None:
    for flag in RedFlag.objects.all():
        shown = RedFlagForm(instance=flag)
        fields = {name: shown[name].value() or "" for name in shown.fields}
        form = RedFlagForm({**fields, "is_active": "on"}, instance=flag)
        assert form.is_valid(), form.errors
        assert (form.cleaned_data["patterns"], form.cleaned_data["exclusions"]) == (
            flag.patterns,
            flag.exclusions,
        )
        assert not {"patterns", "exclusions"} & set(form.changed_data)


def test_a_sign_is_written_with_commas_and_a_plus() -> None:
    written = SignsField().clean("hit, punched + eye,eyes\n\nblack eye")
    assert written == [["hit|punched", "eye|eyes"], ["black eye"]]


@pytest.mark.parametrize("text", ["hit +", "+ eye", ", + eye"])
def test_a_plus_with_no_words_beside_it_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="no words beside"):
        SignsField().clean(text)
