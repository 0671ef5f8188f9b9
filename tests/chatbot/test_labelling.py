"""Staff and the example bank: corrected from a conversation, tried, taken in from a file, given out."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from chatbot import services
from chatbot.labelling import in_words
from chatbot.models import Assistant, ChatMessage, Conversation, Example
from patients.models import Account, Patient
from practice.models import AuditEvent
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday", "practice")]

ADD = reverse("admin:chatbot_example_add")
LIST = reverse("admin:chatbot_example_changelist")
TAKE_IN = reverse("admin:chatbot_example_take_in")


@pytest.fixture
def desk(dana: Account) -> Client:
    client = Client()
    client.force_login(dana)
    return client


@pytest.fixture
def said(ana: Patient) -> ChatMessage:
    """What Ana wrote, which was understood by keywords."""
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    services.say(talk, "Ana Silva here (212-555-0188), what do I owe for the drops you sold me")
    return talk.messages.get(author="patient")


def filled(text: str, *commands: tuple[str, dict[str, str]], **more: str) -> dict[str, str]:
    """Return the form as a browser posts it."""
    posted = {"text": text, "language": "en", "is_active": "on", **more}
    for place, (name, arguments) in enumerate(commands, start=1):
        posted[f"commands-{place}-name"] = name
        posted |= {f"commands-{place}-{argument}": words for argument, words in arguments.items()}
    return posted


def member(*permissions: str) -> Client:
    account = factories.AccountFactory(is_staff=True)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(account)
    return client


# Writing


def test_an_example_is_written_with_its_details_as_words_of_it(desk: Client, dana: Account) -> None:
    book = ("book_appointment", {"slot": "Next Friday"})
    response = desk.post(ADD, filled(" next friday,\nwhat do I owe? ", book, ("balance", {})))
    assert response.status_code == 302
    row = Example.objects.get()
    assert (row.text, row.source, row.created_by) == ("next friday, what do I owe?", "practice", dana)
    assert row.commands == [
        {"name": "book_appointment", "arguments": {"slot": "next friday"}},
        {"name": "balance", "arguments": {}},
    ]


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        (
            filled("friday", ("book_appointment", {"slot": "thursday"})),
            "“thursday” does not stand in the message",
        ),
        (filled("friday", ("balance", {"slot": "friday"})), "“balance” takes no “slot”"),
        (filled("friday", ("fly", {})), "The assistant knows no “fly”"),
        (filled("friday"), "choose at least one thing"),
        (filled("", ("balance", {})), "This field is required"),
        (filled("x" * 401, ("balance", {})), "at most 400 characters"),
        (filled("friday", ("balance", {}), task="fly"), "is not one of the available choices"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field_and_nothing_is_lost(
    desk: Client, posted: dict[str, str], sentence: str
) -> None:
    response = desk.post(ADD, posted)
    assert response.status_code == 200
    shown = response.content.decode()
    assert sentence in shown
    assert posted["text"] in shown
    assert not Example.objects.exists()


def test_the_same_message_twice_is_refused(desk: Client) -> None:
    desk.post(ADD, filled("what do I owe", ("balance", {})))
    response = desk.post(ADD, filled("what do I owe", ("balance", {})))
    assert "stands in the bank already" in response.content.decode()
    assert Example.objects.count() == 1


def test_an_example_is_changed_and_a_shipped_one_becomes_the_practices_own(desk: Client) -> None:
    row = Example.objects.create(
        text="what do I owe", commands=[{"name": "unclear", "arguments": {}}], source="shipped"
    )
    page = reverse("admin:chatbot_example_change", args=[row.pk])
    assert "what do I owe" in desk.get(page).content.decode()
    desk.post(page, filled("what do I owe", ("balance", {})))
    row.refresh_from_db()
    assert (row.commands[0]["name"], row.source) == ("balance", "practice")


def test_the_assistant_is_asked_what_it_understands_and_nothing_is_saved(desk: Client) -> None:
    response = desk.post(ADD, filled("cancel my exam on friday", _understand="1"))
    shown = response.content.decode()
    assert "The assistant understands: " in shown
    assert 'value="friday"' in shown or "friday" in shown
    assert "Please correct" not in shown
    assert not Example.objects.exists()
    form = response.context["adminform"].form
    assert form.data["commands-1-name"] == "cancel_appointment"


@pytest.mark.parametrize("text", ["", "   ", "\x00", "<b>" * 500])
def test_nonsense_can_be_tried_too(desk: Client, text: str) -> None:
    response = desk.post(ADD, filled(text, _understand="1"))
    assert response.status_code == 200
    assert not Example.objects.exists()


# Correcting a conversation


def test_a_patients_message_leads_to_its_correction(desk: Client, said: ChatMessage) -> None:
    page = reverse("admin:chatbot_conversation_change", args=[said.conversation_id])
    shown = desk.get(page).content.decode()
    assert f"{ADD}?message={said.pk}" in shown
    assert "understood as: " in shown


def test_a_correction_begins_with_the_message_without_who_wrote_it(desk: Client, said: ChatMessage) -> None:
    form = desk.get(ADD, {"message": said.pk}).context["adminform"].form
    assert form.initial["text"] == "Alex Morgan here (555-0100), what do I owe for the drops you sold me"
    assert form.initial["commands"] == services.reply_to(said).commands
    assert (form.initial["task"], form.initial["asked"], form.initial["last"]) == ("", "", "")
    assert AuditEvent.objects.filter(action="read", row=str(said.conversation_id)).exists()


def test_a_detail_that_told_who_wrote_is_replaced_too(desk: Client, ana: Patient) -> None:
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    said = services.receive(talk, "call 212-555-0188, move ana's exam")
    services.answer(talk)
    understood = [
        {"name": "reschedule_appointment", "arguments": {"appointment": "ana's exam", "slot": "gone"}}
    ]
    ChatMessage.objects.filter(answers=said).update(commands=understood)
    form = desk.get(ADD, {"message": said.pk}).context["adminform"].form
    assert form.initial["text"] == "call 555-0100, move alex's exam"
    assert form.initial["commands"][0]["arguments"] == {"appointment": "alex's exam", "slot": ""}


def test_a_correction_knows_what_was_open_when_the_message_came(desk: Client, ana: Patient) -> None:
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    services.say(talk, "I want to book an appointment")
    services.say(talk, "whenever is good for you")
    open_task = services.reply_to(talk.messages.filter(author="patient").last()).context["task"]
    assert open_task == "book_appointment"
    form = (
        desk.get(ADD, {"message": talk.messages.filter(author="patient").last().pk}).context["adminform"].form
    )
    assert form.initial["task"] == "book_appointment"


def test_a_correction_becomes_an_example_that_knows_where_it_came_from(
    desk: Client, said: ChatMessage, dana: Account
) -> None:
    posted = filled("what do I owe for the drops", ("balance", {}))
    response = desk.post(f"{ADD}?message={said.pk}", posted)
    page = reverse("admin:chatbot_conversation_change", args=[said.conversation_id])
    assert response.headers["Location"] == page
    row = Example.objects.get()
    assert (row.message, row.source, row.created_by) == (said, "conversation", dana)
    assert AuditEvent.objects.filter(table="chatbot_example", action="insert", actor=str(dana.pk)).exists()
    assert "It was corrected." in desk.get(page).content.decode()
    again = desk.get(ADD, {"message": said.pk})
    assert again.headers["Location"] == reverse("admin:chatbot_example_change", args=[row.pk])


def test_a_correction_with_an_error_stays_about_its_message(desk: Client, said: ChatMessage) -> None:
    response = desk.post(f"{ADD}?message={said.pk}", filled("friday", ("fly", {})))
    assert response.status_code == 200
    assert "A patient wrote:" in response.content.decode()
    assert not Example.objects.exists()


@pytest.mark.parametrize("key", ["0", "-1", "x", "", "9" * 30, "1 OR 1=1", "999999"])
def test_a_message_that_is_none_is_not_there(desk: Client, said: ChatMessage, key: str) -> None:
    assert desk.get(ADD, {"message": key}).status_code == 404
    assert desk.post(f"{ADD}?message={key}", filled("x", ("balance", {}))).status_code == 404


def test_the_assistants_own_lines_cannot_be_corrected(desk: Client, said: ChatMessage) -> None:
    assert desk.get(ADD, {"message": services.reply_to(said).pk}).status_code == 404


def test_only_who_may_read_conversations_and_write_examples_corrects(said: ChatMessage) -> None:
    page = reverse("admin:chatbot_conversation_change", args=[said.conversation_id])
    reader = member("view_conversation", "change_conversation")
    assert "Understood wrongly?" not in reader.get(page).content.decode()
    assert reader.get(ADD, {"message": said.pk}).status_code == 403
    assert reader.post(f"{ADD}?message={said.pk}", filled("x", ("balance", {}))).status_code == 403
    writer = member("add_example", "view_example")
    assert writer.get(ADD, {"message": said.pk}).status_code == 403
    both = member("add_example", "view_example", "view_conversation", "change_conversation")
    assert "Understood wrongly?" in both.get(page).content.decode()
    assert both.get(ADD, {"message": said.pk}).status_code == 200
    assert not Example.objects.exists()


# Many at once


def upload(text: str | bytes) -> dict[str, Any]:
    content = text if isinstance(text, bytes) else text.encode()
    return {"file": SimpleUploadedFile("examples.jsonl", content)}


LINES = "\n".join(
    [
        json.dumps({"text": "what do I owe", "commands": [{"name": "balance"}]}),
        json.dumps({"text": "<i>friday</i>", "commands": [{"name": "fly"}]}),
        json.dumps({"text": "my bill", "commands": [{"name": "balance"}]}),
    ]
)


def test_a_file_is_shown_with_what_is_refused_before_anything_is_written(desk: Client) -> None:
    response = desk.post(TAKE_IN, upload(LINES))
    shown = response.content.decode()
    assert (response.context["good_count"], response.context["refused_count"]) == (2, 1)
    assert "Line 2: The assistant knows no “fly”." in shown
    assert not Example.objects.exists()
    desk.post(
        TAKE_IN, {"text": response.context["form"].cleaned_data["text"], "_take_in": "1", "for_scoring": "on"}
    )
    assert sorted(Example.objects.values_list("text", "for_scoring")) == [
        ("my bill", True),
        ("what do I owe", True),
    ]


def test_the_page_sends_on_what_was_uploaded(desk: Client) -> None:
    frames = Assistant.objects.create(slug="frames", name="Frames")
    response = desk.post(TAKE_IN, {**upload(LINES), "assistant": frames.pk})
    shown = response.content.decode()
    assert "{&quot;text&quot;: &quot;what do I owe&quot;" in shown
    assert f'<input type="hidden" name="assistant" value="{frames.pk}">' in shown


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The submitted file is empty."),
        (b"  \n ", "at least one example"),
        ("ñ".encode("latin-1"), "UTF-8"),
        (b"{}" * 600_000, "too long"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(desk: Client, content: bytes, sentence: str) -> None:
    response = desk.post(TAKE_IN, upload(content))
    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert not Example.objects.exists()


def test_nothing_is_taken_in_without_the_right(said: ChatMessage) -> None:
    assert member("view_example").post(TAKE_IN, {"text": LINES, "_take_in": "1"}).status_code in (302, 403)
    assert not Example.objects.exists()


def test_what_is_given_out_is_taken_in_again_the_same(desk: Client) -> None:
    desk.post(ADD, filled("friday, what do I owe", ("book_appointment", {"slot": "friday"}), ("balance", {})))
    before = Example.objects.values_list("text", "commands").get()
    for name in ("as_lines", "as_table"):
        response = desk.get(reverse(f"admin:chatbot_example_{name}"))
        assert "attachment" in response["Content-Disposition"]
        desk.post(TAKE_IN, {"text": response.content.decode(), "_take_in": "1"})
        assert Example.objects.values_list("text", "commands").get() == before


def test_examples_are_left_out_and_used_again_from_the_list(desk: Client) -> None:
    row = Example.objects.create(text="my bill", commands=[{"name": "balance", "arguments": {}}])
    for name, is_active in (("leave_out", False), ("use_again", True)):
        desk.post(LIST, {"action": name, "_selected_action": [row.pk]})
        row.refresh_from_db()
        assert row.is_active is is_active


def test_the_list_is_paged_searched_and_narrowed(desk: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(60):
        name = "balance" if number % 2 else "order_status"
        Example.objects.create(text=f"message {number}", commands=[{"name": name, "arguments": {}}])
    with django_assert_max_num_queries(16):
        shown = desk.get(LIST)
    assert len(shown.context["cl"].result_list) == 50
    assert desk.get(LIST, {"asks": "balance"}).context["cl"].result_count == 30
    assert desk.get(LIST, {"q": "message 33"}).context["cl"].result_count == 1
    assert desk.get(LIST, {"asks": "<script>"}).context["cl"].result_count == 0


def test_commands_are_told_in_words() -> None:
    commands = [{"name": "balance", "arguments": {}}, {"name": "gone", "arguments": {"visit_type": "exam"}}]
    assert in_words(commands).endswith("; gone (visit type: exam)")


# Assistants


def test_a_manager_gives_an_assistant_its_tasks_documents_and_model(desk: Client, dana: Account) -> None:
    document = factories.DocumentFactory()
    posted = {
        "name": "Frames",
        "slug": "frames",
        "is_active": "on",
        "greeting": "Hi!",
        "tools": ["ask_practice"],
        "documents": [str(document.pk)],
        "model_name": "",
        "prompt_style": "",
    }
    desk.post(reverse("admin:chatbot_assistant_add"), posted)
    frames = Assistant.objects.get(slug="frames")
    assert (frames.tools, list(frames.documents.all())) == (["ask_practice"], [document])
    page = reverse("admin:chatbot_assistant_change", args=[frames.pk])
    desk.post(page, {**posted, "model_name": "ours@2", "prompt_style": "hinted"})
    frames.refresh_from_db()
    assert (frames.model_name, frames.prompt_style) == ("ours@2", "hinted")


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"slug": "news"}, "The chat has a page of that name"),
        ({"slug": "assistant"}, "already exists"),
        ({"is_default": "on"}, "Another assistant is the default already."),
        ({"model_name": "a b"}, "letters, digits"),
        ({"tools": ["fly"]}, "not one of the available choices"),
        ({"documents": ["nonsense"]}, "is not a valid"),
    ],
)
def test_an_assistant_that_cannot_be_is_refused_in_words(
    desk: Client, columns: dict[str, Any], sentence: str
) -> None:
    posted = {"name": "Frames", "slug": "frames", "is_active": "on", **columns}
    response = desk.post(reverse("admin:chatbot_assistant_add"), posted)
    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert Assistant.objects.count() == 1


def test_the_list_of_assistants_needs_few_queries(desk: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(8):
        frames = Assistant.objects.create(slug=f"frames-{number}", name="Frames", tools=["ask_practice"])
        frames.documents.add(factories.DocumentFactory())
    with django_assert_max_num_queries(14):
        assert desk.get(reverse("admin:chatbot_assistant_changelist")).status_code == 200


def test_a_long_conversation_is_shown_by_few_queries(
    desk: Client, ana: Patient, django_assert_max_num_queries: Any
) -> None:
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    for number in range(20):
        ChatMessage.objects.create(conversation=talk, author="patient", channel="web", text=f"line {number}")
    page = reverse("admin:chatbot_conversation_change", args=[Conversation.objects.get().pk])
    with django_assert_max_num_queries(30):
        assert desk.get(page).status_code == 200
