"""Text messages: whose phone it is, how answers look, what a bare number answers."""

from datetime import date
from typing import Any

import pytest

from chatbot import delivery, prompt, sayings, services, sms
from chatbot.backends.memory import ScriptedBackend
from chatbot.commands import Command
from chatbot.models import ChatMessage, Conversation
from chatbot.tools import Effect, Reply, ToolContext, quick_replies
from eyecare import clock
from messaging import services as messaging
from messaging.models import InboundText, Message
from patients.models import Patient
from tests import factories
from tests.chatbot import tea

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday", "tea_tools")]

PHONE = "+12125550177"


@pytest.fixture
def ana(practice: object) -> Patient:
    return factories.PatientFactory(first_name="Ana", phone=PHONE, date_of_birth=date(1980, 5, 17))


@pytest.fixture
def leo(ana: Patient) -> Patient:
    """A child who shares Ana's phone."""
    return factories.PatientFactory(
        first_name="Leo", phone=PHONE, date_of_birth=date(2017, 9, 30), account=None, guarantor=ana
    )


def text(body: str, *commands: str, model: ScriptedBackend, phone: str = PHONE) -> None:
    """Text the practice; what the model makes of it is given as names of commands."""
    if commands:
        model.answers.append(prompt.answer(Command(name) for name in commands))
    count = InboundText.objects.count()
    came = InboundText.objects.create(
        provider_id=f"SM{count}", sender=phone, recipient="+12125550100", body=body
    )
    sms.receive(came.pk)
    InboundText.objects.filter(pk=came.pk).update(processed_at=clock.now())


def last_reply(phone: str = PHONE) -> str:
    said = ChatMessage.objects.filter(conversation__phone=phone, author="assistant").last()
    assert said is not None
    body = delivery.as_text(said)
    assert Message.objects.filter(reason=f"chat:{said.pk}", to=phone, body=body).count() == 1
    return body


def test_a_text_is_answered_by_text_with_numbered_choices(ana: Patient, model: ScriptedBackend) -> None:
    text("a table please", "book_table", model=model)
    assert last_reply() == "Which room?\n1) Garden\n2) Library"
    text("2", model=model)
    assert last_reply() == "When?\n1) Library at 9:00\n2) Library at 10:00"
    text("1", model=model)
    text("Y", model=model)
    assert [row[:2] for row in tea.served] == [("Ana", tea.Table("Library", 9))]


def test_a_shared_phone_is_asked_who_and_then_for_the_date_of_birth(
    ana: Patient, leo: Patient, model: ScriptedBackend
) -> None:
    text("a table please", "book_table", model=model)
    assert last_reply() == "Who is this about?\n1) Ana\n2) Leo"
    text("Leo", model=model)
    assert last_reply() == "To keep the record private: what is Leo's date of birth (month, day, year)?"
    text("may 17 1980", model=model)
    assert last_reply().startswith("That does not match what we have.")
    text("9/30/2017", model=model)
    assert last_reply().startswith("Which room?")
    text("1", model=model)
    text("1", model=model)
    assert last_reply().startswith("For Leo: Lay Garden at 9:00?")


def test_naming_another_person_of_the_phone_goes_over_to_them_and_asks_anew(
    ana: Patient, leo: Patient, model: ScriptedBackend
) -> None:
    text("the bill", "tea_bill", model=model)
    text("Ana", model=model)
    text("5/17/80", model=model)
    assert last_reply().startswith("Ana owes $4.20.")
    text("and the bill of leo", "tea_bill", model=model)
    assert last_reply().startswith("To keep the record private: what is Leo's date of birth")


def test_a_person_of_the_phone_who_is_named_at_once_is_not_asked_for_again(
    ana: Patient, leo: Patient, model: ScriptedBackend
) -> None:
    text("a table for leo please", "book_table", model=model)
    assert last_reply().startswith("To keep the record private: what is Leo's date of birth")


def test_what_is_private_asks_for_the_date_of_birth_once(ana: Patient, model: ScriptedBackend) -> None:
    text("the bill", "tea_bill", model=model)
    assert "date of birth" in last_reply()
    assert "$" not in last_reply()
    text("05/17/1980", model=model)
    assert last_reply().startswith("Ana owes $4.20.")
    text("the bill again", "tea_bill", model=model)
    assert last_reply().startswith("Ana owes $4.20.")


def test_after_five_wrong_dates_of_birth_a_person_takes_over(ana: Patient, model: ScriptedBackend) -> None:
    text("the bill", "tea_bill", model=model)
    for year in range(1990, 1996):
        text(f"1/1/{year}", *(["unclear"] if year == 1995 else []), model=model)
        assert "$" not in last_reply()
    talk = Conversation.objects.get()
    assert (talk.identity_tries, talk.status) == (5, Conversation.Status.WAITING)
    text("the bill", "tea_bill", model=model)
    assert "$" not in last_reply()


def test_an_unknown_number_may_ask_and_learns_how_to_be_known(
    practice: object, model: ScriptedBackend
) -> None:
    text("when do you serve", "ask_tea", model=model)
    assert last_reply() == "Tea is served from nine."
    text("the bill", "tea_bill", model=model)
    assert last_reply() == (
        "I do not know this phone number. Please call us at (212) 555-0100 so that we can add it."
    )


def test_texts_that_came_in_a_burst_get_one_answer(ana: Patient, model: ScriptedBackend) -> None:
    model.answers.append(prompt.answer([Command("ask_tea")]))
    burst = [
        InboundText.objects.create(
            provider_id=f"B{number}", sender=PHONE, recipient="+12125550100", body=body
        )
        for number, body in enumerate(["i would like to know", "when you serve tea"])
    ]
    for one in burst:
        sms.receive(one.pk)
    assert Message.objects.filter(kind="reply").count() == 1
    assert model.history[-1].messages[0]["content"].endswith("i would like to know when you serve tea")


def test_a_text_that_is_delivered_twice_is_answered_once(ana: Patient, model: ScriptedBackend) -> None:
    text("hello", model=model)
    sms.receive(InboundText.objects.get().pk)
    assert Message.objects.filter(kind="reply").count() == 1


@pytest.fixture
def reminder(ana: Patient) -> Message:
    @quick_replies("tea_reminder")
    def answer(patient: Patient, message: Message, digit: int, context: ToolContext) -> Reply:
        if digit == 3:
            return Reply.say("Let us find another time.", start=("book_table", {"room": "Library"}))
        return Reply.done(f"{patient.first_name}: {digit}", effect=Effect("tea.answered", "tea", str(digit)))

    sent = messaging.queue(kind="tea_reminder", reason="tea:1", patient=ana, body="Tea at nine.")
    assert sent is not None
    Message.objects.filter(pk=sent.pk).update(state=Message.State.SENT, claimed_at=clock.now())
    return sent


def test_a_bare_number_answers_the_message_that_was_sent_last(
    reminder: Message, model: ScriptedBackend
) -> None:
    text("1", model=model)
    assert last_reply().startswith("Ana: 1")
    text("yes thanks", model=model)
    assert model.history == []


def test_a_receipt_that_came_after_the_reminder_does_not_take_its_answer(
    reminder: Message, ana: Patient, model: ScriptedBackend
) -> None:
    receipt = messaging.queue(kind="tea_receipt", reason="tea:paid", patient=ana, body="Paid, thank you.")
    assert receipt is not None
    Message.objects.filter(pk=receipt.pk).update(state=Message.State.SENT, claimed_at=clock.now())
    text("1", model=model)
    assert last_reply().startswith("Ana: 1")


def test_an_answer_to_a_message_can_open_a_task(reminder: Message, model: ScriptedBackend) -> None:
    text("3", model=model)
    assert last_reply() == "Let us find another time.\nWhen?\n1) Library at 9:00\n2) Library at 10:00"


def test_a_number_under_a_later_list_belongs_to_the_list(reminder: Message, model: ScriptedBackend) -> None:
    with clock.frozen_at(clock.now() + services.RATE_WINDOW):
        text("a table please", "book_table", model=model)
        text("2", model=model)
        assert last_reply().startswith("When?")


def test_a_conversation_begins_anew_after_a_day(ana: Patient, model: ScriptedBackend) -> None:
    text("hello", model=model)
    with clock.frozen_at(clock.now() + services.TEXT_CONVERSATION_RESTS * 2):
        text("hello", model=model)
    statuses = Conversation.objects.order_by("created_at").values_list("status", flat=True)
    assert list(statuses) == ["closed", "assistant"]


def test_a_long_answer_is_cut_at_a_sentence_and_red_flag_advice_is_not(practice: object) -> None:
    long = ChatMessage(channel="sms", text="One short sentence. " + "And a very long one " * 30 + ".")
    assert delivery.as_text(long) == "One short sentence."
    long.urgent = True
    assert delivery.as_text(long) == long.text.strip()


def test_the_question_at_the_end_of_a_long_text_is_never_cut_off(practice: object) -> None:
    talk = services.text_conversation("+12125550199")
    text = "\n".join(["It is open. " * 40, "Which day suits you?"])
    said = ChatMessage(conversation=talk, channel="sms", author="assistant", text=text)
    assert len(delivery.as_text(said)) <= delivery.TEXT_LIMIT
    assert delivery.as_text(said).endswith("It is open.\nWhich day suits you?")


def test_a_text_that_comes_in_is_answered_through_the_outbox(
    ana: Patient, model: ScriptedBackend, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        came = messaging.receive(
            provider_id="SM-in", sender=PHONE, recipient="+12125550100", body="I want to talk to a person"
        )
    came.refresh_from_db()
    assert came.processed_at is not None
    assert Message.objects.get(kind="reply").body == sayings.PERSON_COMES
