"""Twilio's client with the wire cut at its HTTP client."""

import json

import pytest
from requests.exceptions import ConnectTimeout, ReadTimeout
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response

from messaging.backends.base import DeliveryFailed, FateUnknown, Text
from messaging.backends.twilio import TwilioBackend

HELLO = Text(to="+12125552001", body="Hello.", reference="abc.1")


@pytest.fixture
def wire(settings, monkeypatch):
    """Answer Twilio's calls with what is put in here, and keep what was posted."""
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC1", "token"
    settings.TWILIO_FROM_NUMBER, settings.SITE_URL = "+12125550100", "https://portal.example"
    answers, posted = [], []

    def request(self, method, uri, params=None, data=None, **kwargs):
        posted.append((method, uri, data))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return Response(status, body if isinstance(body, str) else json.dumps(body))

    monkeypatch.setattr(TwilioHttpClient, "request", request)
    return answers, posted


def test_a_text_is_posted_with_the_address_for_its_status(wire):
    answers, posted = wire
    answers.append((201, {"sid": "SM1"}))
    assert TwilioBackend().send(HELLO) == "SM1"
    assert posted == [
        (
            "POST",
            "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json",
            {
                "To": "+12125552001",
                "From": "+12125550100",
                "Body": "Hello.",
                "StatusCallback": "https://portal.example/webhooks/twilio/status/?reference=abc.1",
            },
        )
    ]


@pytest.mark.parametrize(
    ("status", "code", "permanent", "opted_out"),
    [
        (400, 21610, True, True),
        (400, 21211, True, False),
        (400, 21614, True, False),
        (400, 21635, True, False),
        (400, 30006, True, False),
        (400, 30003, False, False),
        (429, 20429, False, False),
        (429, 0, False, False),
        (400, 99999, True, False),
    ],
)
def test_error_codes_become_our_meaning(wire, status, code, permanent, opted_out):
    wire[0].append((status, {"code": code, "message": "no", "status": status}))
    with pytest.raises(DeliveryFailed) as failure:
        TwilioBackend().send(HELLO)
    assert (failure.value.permanent, failure.value.opted_out) == (permanent, opted_out)
    assert len(wire[1]) == 1


def test_a_provider_that_was_never_reached_may_be_tried_again(wire):
    wire[0].append(ConnectTimeout())
    with pytest.raises(DeliveryFailed) as failure:
        TwilioBackend().send(HELLO)
    assert not failure.value.permanent


@pytest.mark.parametrize("answer", [ReadTimeout(), (502, {}), (503, "<html>"), (201, "<html>")])
def test_no_answer_means_that_the_fate_is_unknown(wire, answer):
    wire[0].append(answer)
    with pytest.raises(FateUnknown):
        TwilioBackend().send(HELLO)
