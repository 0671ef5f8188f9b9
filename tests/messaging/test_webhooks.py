"""Twilio's webhooks, signed as Twilio signs them."""

from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from django.urls import reverse
from twilio.request_validator import RequestValidator

from messaging import services
from messaging.models import InboundText, Message

SITE, TOKEN = "https://portal.example", "the practice's token"
TEXT = {"MessageSid": "SM1", "From": "+12125552001", "To": "+12125550100", "Body": "hello", "NumMedia": "0"}


@pytest.fixture(autouse=True)
def _site(settings):
    settings.SITE_URL, settings.TWILIO_AUTH_TOKEN = SITE, TOKEN
    settings.MESSAGING_RECEIVER = "messaging.services.is_opted_out"


def signature(path: str, form: dict[str, str], token: str = TOKEN, site: str = SITE) -> str:
    return RequestValidator(token).compute_signature(site + path, QueryDict(urlencode(form)))


def post(client, path: str, form: dict[str, str], signed: str | None = None):
    signed = signature(path, form) if signed is None else signed
    return client.post(path, form, headers={"X-Twilio-Signature": signed})


def test_a_signed_text_is_kept_and_answered_with_nothing(client, practice):
    response = post(client, "/webhooks/twilio/", TEXT)
    assert (response.status_code, response["Content-Type"]) == (200, "text/xml")
    assert response.content.endswith(b"<Response/>")
    text = InboundText.objects.get()
    assert (text.provider_id, str(text.sender), text.body) == ("SM1", "+12125552001", "hello")


def test_the_same_text_delivered_again_stays_one(client, practice):
    for _ in range(3):
        assert post(client, "/webhooks/twilio/", TEXT).status_code == 200
    assert InboundText.objects.count() == 1


@pytest.mark.parametrize(
    "signed",
    [
        "",
        "not base64",
        signature("/webhooks/twilio/", TEXT, token="another token"),
        signature("/webhooks/twilio/", {**TEXT, "Body": "changed"}),
        signature("/webhooks/twilio/", {**TEXT, "Extra": "1"}),
        signature("/webhooks/twilio/", TEXT, site="http://portal.example"),
        signature("/webhooks/twilio/", TEXT, site="https://evil.example"),
        signature("/webhooks/twilio/", TEXT, site="https://portal.example:8443"),
        signature("/webhooks/twilio/?a=1", TEXT),
    ],
)
def test_a_text_with_a_bad_signature_is_turned_away_and_not_kept(client, practice, signed):
    assert post(client, "/webhooks/twilio/", TEXT, signed).status_code == 403
    assert not InboundText.objects.exists()


def test_behind_a_proxy_the_address_that_twilio_was_given_counts(client, practice):
    response = client.post(
        "/webhooks/twilio/",
        TEXT,
        headers={"X-Twilio-Signature": signature("/webhooks/twilio/", TEXT), "Host": "127.0.0.1"},
    )
    assert response.status_code == 200


def test_the_standard_port_in_the_signed_address_makes_no_difference(client, practice):
    signed = signature("/webhooks/twilio/", TEXT, site="https://portal.example:443")
    assert post(client, "/webhooks/twilio/", TEXT, signed).status_code == 200


def test_without_a_token_nothing_is_genuine(client, practice, settings):
    settings.TWILIO_AUTH_TOKEN = ""
    assert (
        post(client, "/webhooks/twilio/", TEXT, signature("/webhooks/twilio/", TEXT, token="")).status_code
        == 403
    )


@pytest.mark.parametrize("missing", ["MessageSid", "From"])
def test_a_signed_text_without_its_essentials_is_a_clear_error(client, practice, missing):
    form = {name: value for name, value in TEXT.items() if name != missing}
    response = post(client, "/webhooks/twilio/", form)
    assert (response.status_code, response.content) == (400, b"MessageSid and From are needed.")
    assert not InboundText.objects.exists()


def test_only_a_post_is_heard(client, practice):
    assert client.get("/webhooks/twilio/").status_code == 405


def test_a_status_report_moves_the_message_on(client, order_ready):
    services.send(order_ready.pk)
    path = f"{reverse('messaging:twilio_status')}?reference={order_ready.pk}.1"
    assert post(client, path, {"MessageSid": "SM9", "MessageStatus": "delivered"}).status_code == 204
    order_ready.refresh_from_db()
    assert (order_ready.state, order_ready.provider_id) == (Message.State.DELIVERED, "SM9")


def test_a_forged_status_report_changes_nothing(client, order_ready):
    path = f"/webhooks/twilio/status/?reference={order_ready.pk}.0"
    assert post(client, path, {"MessageSid": "SM9", "MessageStatus": "delivered"}, "x").status_code == 403
    order_ready.refresh_from_db()
    assert order_ready.state == Message.State.QUEUED


def test_a_failure_report_carries_its_reason(client, order_ready):
    services.send(order_ready.pk)
    path = f"/webhooks/twilio/status/?reference={order_ready.pk}.1"
    post(client, path, {"MessageSid": "SM9", "MessageStatus": "undelivered", "ErrorCode": "30005"})
    order_ready.refresh_from_db()
    assert (order_ready.state, order_ready.explanation) == (Message.State.FAILED, "nobody has this number")


def test_a_status_that_twilio_adds_one_day_is_no_error(client, order_ready):
    path = f"/webhooks/twilio/status/?reference={order_ready.pk}.1"
    assert post(client, path, {"MessageSid": "SM9", "MessageStatus": "teleported"}).status_code == 204
