"""The assistant over the API: own conversations only, bad input explained, floods refused."""

import uuid

import pytest
from rest_framework.test import APIClient

from chatbot import services
from chatbot.models import ChatMessage, Conversation
from patients.models import Patient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday", "practice")]

URL = "/api/v1/chat/"


@pytest.fixture
def api(ana: Patient) -> APIClient:
    client = APIClient()
    client.force_login(ana.account)
    return client


def test_a_conversation_goes_on_and_tells_what_was_done(api: APIClient) -> None:
    first = api.post(URL, {"text": "hello"}, format="json").json()
    second = api.post(
        URL, {"text": "I want to talk to a person", "conversation": first["conversation"]}, format="json"
    ).json()
    assert first["conversation"] == second["conversation"]
    assert second["status"] == "waiting"
    assert second["reply"]["handoff"] is True
    assert second["reply"]["effects"] == [
        {"action": "handoff.requested", "object": "conversation", "id": first["conversation"]}
    ]
    page = api.get(f"{URL}{first['conversation']}/messages/", {"limit": 3}).json()
    assert page["count"] == 4
    assert [line["author"] for line in page["results"]] == ["patient", "assistant", "patient"]


def test_without_a_conversation_the_open_one_goes_on(api: APIClient) -> None:
    keys = {api.post(URL, {"text": "hello"}, format="json").json()["conversation"] for _ in range(2)}
    assert len(keys) == 1


def test_another_patients_conversation_looks_missing(api: APIClient, ben: Patient) -> None:
    talk = services.begin(channel="web", patient=ben, account=ben.account)
    services.say(talk, "hello")
    for key in (talk.pk, uuid.uuid4()):
        assert api.get(f"{URL}{key}/messages/").status_code == 404
        response = api.post(URL, {"text": "hello", "conversation": str(key)}, format="json")
        assert response.status_code == 404
        assert response.json()["code"] == "not_found"
    assert talk.messages.count() == 2


def test_nobody_talks_without_signing_in() -> None:
    assert APIClient().post(URL, {"text": "hello"}, format="json").status_code in (401, 403)
    assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"text": "x" * 2_001}, {"text": "hello", "conversation": "a"}, {"text": [1]}]
)
def test_bad_input_is_explained_and_stores_nothing(api: APIClient, body: dict[str, object]) -> None:
    response = api.post(URL, body, format="json")
    assert response.status_code == 400
    assert response.json()["errors"]
    assert not ChatMessage.objects.exists()


def test_the_twenty_first_message_in_ten_minutes_is_too_many(api: APIClient) -> None:
    codes = [api.post(URL, {"text": "hello"}, format="json").status_code for _ in range(21)]
    assert codes == [200] * 20 + [429]
