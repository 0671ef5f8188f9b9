"""Assistants: found by their address, with tasks, documents and a model of their own."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from chatbot import assistants, engines, knowledge, services
from chatbot.assistants import NoSuchModel
from chatbot.backends.memory import ScriptedBackend
from chatbot.models import Assistant, ChatMessage, Conversation, Document
from chatbot.prompt import Turn
from eyecare.errors import NotFound
from patients.models import Account, Patient
from practice.models import AuditEvent
from tests import factories
from tests.chatbot import tea

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday", "practice")]


@pytest.fixture
def frames() -> Assistant:
    """Talks about frames, and may do nothing but answer questions."""
    return Assistant.objects.create(
        slug="frames", name="Frames", greeting="Welcome to our frames!", tools=["ask_practice"]
    )


@pytest.fixture
def talk(ana: Patient, frames: Assistant) -> Conversation:
    return services.begin(channel="web", patient=ana, account=ana.account, assistant=frames)


def test_the_practice_begins_with_one_assistant_for_everything() -> None:
    usual = assistants.default()
    assert (usual.slug, usual.is_default, usual.tools, usual.model_name) == ("assistant", True, [], "")
    assert assistants.get("") == usual


def test_a_practice_without_any_assistant_is_answered_all_the_same(ana: Patient) -> None:
    Assistant.objects.all().delete()
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    reply = services.say(talk, "hello")
    assert reply is not None
    assert services.web_conversation(account=ana.account, patient=ana, key=None) == talk


@pytest.mark.parametrize(
    "columns",
    [
        {"slug": "two", "is_default": True},
        {"slug": "news"},
        {"slug": "assistant"},
    ],
)
def test_the_database_refuses_a_second_default_and_an_address_that_is_taken(columns: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Assistant.objects.create(name="Two", **columns)


def test_the_default_assistant_cannot_be_switched_off() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Assistant.objects.update(is_active=False)


def test_one_that_is_switched_off_is_not_there(frames: Assistant) -> None:
    Assistant.objects.filter(pk=frames.pk).update(is_active=False)
    with pytest.raises(NotFound):
        assistants.get("frames")


def test_it_greets_in_its_own_words_and_offers_its_own_tasks(talk: Conversation) -> None:
    reply = services.say(talk, "hello")
    assert reply
    assert reply.text.startswith("Welcome to our frames!")
    assert [choice["key"] for choice in reply.choices] == ["ask_practice"]


@pytest.mark.usefixtures("tea_tools")
def test_it_does_not_do_what_it_may_not(talk: Conversation, model: ScriptedBackend) -> None:
    model.answers.append('{"commands":[{"name":"book_table","arguments":{}}]}')
    reply = services.say(talk, "I would like the garden in the morning if that works")
    assert reply
    assert reply.commands != [{"name": "book_table", "arguments": {}}]
    assert (reply.effects, tea.served) == ([], [])
    [asked] = model.history
    assert asked.grammar
    assert "book_table" not in asked.grammar
    assert "ask_practice" in asked.grammar
    assert "book_table" not in json.dumps(asked.schema)


@pytest.mark.usefixtures("tea_tools")
def test_a_task_that_was_opened_before_it_was_taken_away_is_dropped(
    talk: Conversation, frames: Assistant
) -> None:
    Assistant.objects.filter(pk=frames.pk).update(tools=[])
    services.say(talk, "Book a table")
    talk.refresh_from_db()
    assert [task["tool"] for task in talk.state["tasks"]] == ["book_table"]
    Assistant.objects.filter(pk=frames.pk).update(tools=["ask_practice"])
    services.say(Conversation.objects.get(pk=talk.pk), "Garden")
    talk.refresh_from_db()
    assert talk.state["tasks"] == []


@pytest.mark.usefixtures("tea_tools")
def test_a_task_of_others_that_one_of_its_own_leads_to_is_not_done(
    talk: Conversation, frames: Assistant
) -> None:
    Assistant.objects.filter(pk=frames.pk).update(tools=["tea_bill"])
    services.say(talk, "See the bill")
    reply = services.say(talk, "yes")
    assert reply
    assert reply.text.startswith("I cannot do that here.")
    assert reply.effects == []


def test_it_quotes_its_own_documents_only(frames: Assistant, talk: Conversation) -> None:
    parking = factories.DocumentFactory(title="Parking", body="You can park behind the house, it is free.")
    prices = factories.DocumentFactory(title="Frames", body="Frames cost between 90 and 400 dollars.")
    for document in (parking, prices):
        knowledge._write_passages(document)
    frames.documents.add(prices)
    usual = services.say(
        services.begin(channel="web", patient=talk.patient, account=talk.account), "where can I park free?"
    )
    ours = services.say(talk, "where can I park free?")
    assert usual
    assert ours
    assert [source["title"] for source in usual.sources] == ["Parking"]
    assert ours.sources == []


def test_documents_that_it_may_quote_are_still_read_with_the_rights_of_who_asks(frames: Assistant) -> None:
    secret = factories.DocumentFactory(
        title="Alarm", body="The alarm code is written here.", audience=Document.Audience.STAFF
    )
    knowledge._write_passages(secret)
    frames.documents.add(secret)
    within = assistants.documents(frames)
    assert within == {secret.pk}
    assert knowledge.search("alarm code", audience="everyone", within=within) == []
    assert [
        hit.passage.document for hit in knowledge.search("alarm code", audience="staff", within=within)
    ] == [secret]


@pytest.mark.usefixtures("vectors")
def test_meaning_too_is_looked_for_among_its_own_documents_only(frames: Assistant) -> None:
    others = [factories.DocumentFactory(body=f"We open at nine o'clock, {number}.") for number in range(3)]
    ours = factories.DocumentFactory(title="Ours", body="We open at ten o'clock.")
    for document in [*others, ours]:
        knowledge.index(document)
    hits = knowledge.search("open at nine o'clock", audience="everyone", within={ours.pk})
    assert [hit.passage.document for hit in hits] == [ours]
    assert hits[0].similarity
    Document.objects.filter(pk=ours.pk).delete()
    assert knowledge.search("open at nine", audience="everyone", within={ours.pk}) == []


def test_its_model_and_its_conversation_are_named_to_the_host(
    talk: Conversation, frames: Assistant, model: ScriptedBackend, dana: Account
) -> None:
    assistants.serve(frames, model_name="eyecare-command@2", prompt_style="full", actor=dana)
    services.say(talk, "tell me something about the frames that you have here")
    [asked] = model.history
    assert (asked.model, asked.user) == ("eyecare-command@2", str(talk.pk))
    assert asked.messages[0]["role"] == "system"


def test_the_usual_assistant_leaves_the_model_to_the_settings(ana: Patient, model: ScriptedBackend) -> None:
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    services.say(talk, "tell me something about the frames that you have here")
    [asked] = model.history
    assert (asked.model, len(asked.messages)) == ("", 1)


def test_a_promotion_holds_from_the_next_message_on_and_is_taken_back_the_same_way(
    talk: Conversation, frames: Assistant, model: ScriptedBackend, dana: Account
) -> None:
    for name in ("ours@1", "ours@2", "ours@1"):
        assistants.serve(frames, model_name=name, actor=dana)
        services.say(Conversation.objects.get(pk=talk.pk), "tell me something about all your frames please")
    assert [asked.model for asked in model.history] == ["ours@1", "ours@2", "ours@1"]


def test_a_promotion_is_on_the_record_with_who_made_it(frames: Assistant, dana: Account) -> None:
    assistants.serve(frames, model_name="ours@1", prompt_style="hinted", actor=dana)
    event = AuditEvent.objects.filter(table="chatbot_assistant", action="update").latest("pk")
    assert (event.row, event.actor) == (str(frames.pk), str(dana.pk))


@pytest.mark.parametrize(
    ("name", "style"), [("no blanks here", ""), ("../../etc", ""), ("x" * 121, ""), ("fine", "loud")]
)
def test_a_model_that_can_be_none_is_refused(frames: Assistant, dana: Account, name: str, style: str) -> None:
    with pytest.raises(NoSuchModel):
        assistants.serve(frames, model_name=name, prompt_style=style, actor=dana)
    frames.refresh_from_db()
    assert (frames.model_name, frames.prompt_style) == ("", "")


def test_a_candidate_is_heard_without_being_promoted(frames: Assistant, model: ScriptedBackend) -> None:
    candidate = assistants.as_if(frames, model_name="ours@9", prompt_style="hinted")
    engines.understand(Turn("tell me about all your frames"), (), assistant=candidate)
    assert model.history[0].model == "ours@9"
    assert "\nnear: none\n" in model.history[0].messages[0]["content"]
    frames.refresh_from_db()
    assert frames.model_name == ""


# The doors


def test_each_assistant_has_a_page_and_a_conversation_of_its_own(
    client: Client, ana: Patient, frames: Assistant
) -> None:
    client.force_login(ana.account)
    assert "Welcome to our frames!" in client.get("/chat/frames/").content.decode()
    assert client.post("/chat/frames/messages/", {"text": "hello"}).headers["Location"] == "/chat/frames/"
    client.post("/chat/messages/", {"text": "hello"})
    assert [talk.assistant for talk in Conversation.objects.order_by("created_at", "assistant")] in (
        [frames, None],
        [None, frames],
    )
    assert 'action="/chat/frames/messages/"' in client.get("/chat/frames/").content.decode()
    assert 'action="/chat/messages/"' in client.get("/chat/").content.decode()


def test_the_usual_assistants_address_leads_to_the_usual_conversation(client: Client, ana: Patient) -> None:
    client.force_login(ana.account)
    client.post("/chat/assistant/messages/", {"text": "hello"})
    client.post("/chat/messages/", {"text": "hello again"})
    assert Conversation.objects.get().assistant is None


def test_a_visitor_keeps_a_conversation_with_each(client: Client, frames: Assistant) -> None:
    for page in ("/chat/", "/chat/frames/", "/chat/", "/chat/frames/"):
        client.post(f"{page}messages/", {"text": "hello"})
    assert Conversation.objects.count() == 2
    assert ChatMessage.objects.filter(author="patient").count() == 4


@pytest.mark.parametrize("slug", ["nobody", "FRAMES", "frames-", "x" * 3000, "0", "-", "__proto__"])
def test_an_address_that_is_none_is_not_there(client: Client, frames: Assistant, slug: str) -> None:
    for page, method in (("", "get"), ("messages/", "post"), ("news/", "get"), ("stream/1/", "get")):
        assert getattr(client, method)(f"/chat/{slug}/{page}").status_code == 404
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("slug", ["..%2f..", "%00", "frames%0a", "frames'--", "<script>"])
def test_an_address_that_is_no_address_is_not_there(client: Client, frames: Assistant, slug: str) -> None:
    assert client.get(f"/chat/{slug}/").status_code == 404


def test_a_stream_of_another_assistants_message_is_not_there(
    client: Client, talk: Conversation, ana: Patient
) -> None:
    message = services.receive(talk, "hello")
    client.force_login(ana.account)
    assert client.get(f"/chat/stream/{message.pk}/").status_code == 404
    assert client.get(f"/chat/frames/stream/{message.pk}/").status_code == 200


def test_other_programs_name_the_assistant(ana: Patient, frames: Assistant) -> None:
    api = APIClient()
    api.force_login(ana.account)
    told = api.post("/api/v1/chat/", {"text": "hello", "assistant": "frames"}, format="json").json()
    assert told["reply"]["text"].startswith("Welcome to our frames!")
    usual = api.post("/api/v1/chat/", {"text": "hello"}, format="json").json()
    assert usual["conversation"] != told["conversation"]
    assert api.post("/api/v1/chat/", {"text": "hi", "assistant": "nobody"}, format="json").status_code == 404
    assert api.post("/api/v1/chat/", {"text": "hi", "assistant": "no/body"}, format="json").status_code == 400


def test_a_program_that_converses_names_it_in_a_line_or_for_all_lines(
    frames: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def converse(line: dict[str, Any], **options: Any) -> dict[str, Any]:
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(line)))
        out = io.StringIO()
        call_command("converse", stdout=out, rollback=True, **options)
        return json.loads(out.getvalue())

    assert converse({"text": "hello", "assistant": "frames"})["reply"].startswith("Welcome to our frames!")
    assert converse({"text": "hello"}, assistant="frames")["reply"].startswith("Welcome to our frames!")
    assert converse({"text": "hello", "assistant": "nobody"}) == {"error": "There is no such page."}
    with pytest.raises(CommandError, match="letters, digits"):
        converse({"text": "hello"}, model="no such name")


def test_a_candidate_is_scored_without_being_promoted(
    tmp_path: Any, frames: Assistant, model: ScriptedBackend, settings: Settings
) -> None:
    cases = tmp_path / "cases.jsonl"
    cases.write_text(
        json.dumps(
            {
                "conversation": "a",
                "text": "tell me about your frames",
                "context": {},
                "expect": {"commands": []},
            }
        )
    )
    call_command(
        "evaluate_assistant", cases=[cases], assistant="frames", model="ours@3", stdout=io.StringIO()
    )
    assert [asked.model for asked in model.history] == ["ours@3"]
    assert not Assistant.objects.exclude(model_name="").exists()


def test_a_message_costs_no_query_more_however_many_assistants_there_are(
    ana: Patient, django_assert_max_num_queries: Any, talk: Conversation
) -> None:
    for number in range(12):
        Assistant.objects.create(slug=f"other-{number}", name=f"Other {number}")
    services.receive(talk, "hello")
    with django_assert_max_num_queries(24):
        services.answer(talk)
