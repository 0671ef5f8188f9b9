"""The chat page: a message is stored, its answer streams, nobody sees another's."""

import json
import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.urls import reverse

from chatbot import handoff, services
from chatbot.models import ChatMessage, Conversation
from patients.models import Account, Patient
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday", "practice")]

HTMX = {"HX-Request": "true"}


def events(account: Account | None, message_id: int, cookies: Any = None) -> list[tuple[str, str]]:
    """Return what the stream of one message says, as (event, value) pairs."""

    async def read() -> str:
        client = AsyncClient()
        if account:
            await client.aforce_login(account)
        if cookies:
            client.cookies = cookies
        response = await client.get(reverse("chatbot:stream", args=[message_id]))
        if response.status_code != 200:
            return f'event: {response.status_code}\ndata: ""\n\n'
        assert response["Content-Type"] == "text/event-stream"
        return b"".join([piece async for piece in response.streaming_content]).decode()

    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", async_to_sync(read)())
    return [(name, json.loads(value)) for name, value in found]


def test_a_message_is_shown_at_once_and_its_answer_streams_in_pieces(client: Client, ana: Patient) -> None:
    client.force_login(ana.account)
    response = client.post(reverse("chatbot:say"), {"text": "hello <b>there</b>"}, headers=HTMX)
    message = ChatMessage.objects.get()
    assert f'data-stream="/chat/stream/{message.pk}/"' in response.content.decode()
    assert "<b>" not in response.content.decode()
    told = events(ana.account, message.pk)
    reply = ChatMessage.objects.get(author="assistant")
    assert [told[0][0], told[-1][0]] == ["typing", "done"]
    assert "".join(value for name, value in told if name == "piece") == reply.text
    assert reply.text.split("!")[0] in told[-1][1]


def test_a_stream_that_is_opened_twice_says_the_same_and_answers_once(client: Client, ana: Patient) -> None:
    client.force_login(ana.account)
    client.post(reverse("chatbot:say"), {"text": "hello"}, headers=HTMX)
    message = ChatMessage.objects.get()
    first, again = events(ana.account, message.pk), events(ana.account, message.pk)
    assert [value for name, value in first if name == "piece"] == [
        value for name, value in again if name == "piece"
    ]
    assert ChatMessage.objects.filter(author="assistant").count() == 1


def test_without_javascript_the_page_comes_back_with_the_answer(client: Client, ana: Patient) -> None:
    client.force_login(ana.account)
    response = client.post(reverse("chatbot:say"), {"text": "hello"}, follow=True)
    assert response.redirect_chain == [("/chat/", 303)]
    assert "Hello Ana!" in response.content.decode()


def test_the_stream_is_silent_while_a_person_has_the_conversation(
    client: Client, ana: Patient, dana: Account
) -> None:
    client.force_login(ana.account)
    client.post(reverse("chatbot:say"), {"text": "hello"}, follow=True)
    handoff.take(conversation=Conversation.objects.get(), account=dana)
    client.post(reverse("chatbot:say"), {"text": "are you there?"}, headers=HTMX)
    message = ChatMessage.objects.filter(author="patient").latest("pk")
    assert [name for name, _ in events(ana.account, message.pk)] == ["typing", "silent"]


def test_what_staff_write_is_news_once(client: Client, ana: Patient, dana: Account) -> None:
    client.force_login(ana.account)
    client.post(reverse("chatbot:say"), {"text": "hello"}, follow=True)
    last = ChatMessage.objects.latest("pk")
    assert client.get(reverse("chatbot:news"), {"after": last.pk}).status_code == 204
    said = handoff.reply(conversation=Conversation.objects.get(), account=dana, text="Dana here.")
    assert "Dana here." in client.get(reverse("chatbot:news"), {"after": last.pk}).content.decode()
    assert client.get(reverse("chatbot:news"), {"after": said.pk}).status_code == 204
    assert client.get(reverse("chatbot:news"), {"after": "x' OR 1"}).status_code == 204


def test_another_patients_message_cannot_be_streamed(ana: Patient, ben: Patient) -> None:
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    message = services.receive(talk, "hello")
    assert [name for name, _ in events(ben.account, message.pk)] == ["404"]
    assert [name for name, _ in events(None, message.pk)] == ["404"]
    message.refresh_from_db()
    assert message.answered_at is None


def test_a_visitor_keeps_their_conversation_and_sees_no_one_elses(client: Client) -> None:
    client.post(reverse("chatbot:say"), {"text": "hello"}, follow=True)
    client.post(reverse("chatbot:say"), {"text": "hello again"}, follow=True)
    assert Conversation.objects.count() == 1
    other = Client()
    assert "hello again" not in other.get(reverse("chatbot:chat")).content.decode()
    other.post(reverse("chatbot:say"), {"text": "hello"}, follow=True)
    assert Conversation.objects.count() == 2


@pytest.mark.parametrize(("text", "status"), [("", 400), ("x" * 2_001, 400), ("x" * 20_000, 400)])
def test_an_unusable_message_is_refused_in_words(
    client: Client, ana: Patient, text: str, status: int
) -> None:
    client.force_login(ana.account)
    response = client.post(reverse("chatbot:say"), {"text": text}, headers=HTMX)
    assert response.status_code == status
    assert response["Content-Type"].startswith("text/plain")
    assert not ChatMessage.objects.exists()


def test_the_twenty_first_message_in_ten_minutes_is_refused(client: Client, ana: Patient) -> None:
    client.force_login(ana.account)
    codes = [
        client.post(reverse("chatbot:say"), {"text": "hello"}, headers=HTMX).status_code for _ in range(21)
    ]
    assert codes == [200] * 20 + [429]


def test_a_form_without_its_token_is_refused(ana: Patient) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana.account)
    assert client.post(reverse("chatbot:say"), {"text": "hello"}).status_code == 403


def test_the_page_needs_few_queries_however_long_the_conversation(
    client: Client, ana: Patient, django_assert_max_num_queries: Any
) -> None:
    client.force_login(ana.account)
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    ChatMessage.objects.bulk_create(
        ChatMessage(conversation=talk, author="assistant", channel="web", text=f"line {number}")
        for number in range(150)
    )
    with django_assert_max_num_queries(12):
        page = client.get(reverse("chatbot:chat")).content.decode()
    assert "line 149" in page
    assert "line 10<" not in page


def test_a_document_is_shown_to_those_who_may_read_it(client: Client, ana: Patient) -> None:
    open_to_all = factories.DocumentFactory(slug="parking")
    factories.DocumentFactory(slug="members", audience="patients")
    factories.DocumentFactory(slug="desk", audience="staff")
    pages = ["parking", "members", "desk"]

    def statuses() -> list[int]:
        return [client.get(reverse("chatbot:document", args=[slug])).status_code for slug in pages]

    assert statuses() == [200, 404, 404]
    client.force_login(ana.account)
    assert statuses() == [200, 200, 404]
    open_to_all.is_published = False
    open_to_all.save()
    assert statuses() == [404, 200, 404]
