"""Stripe's webhook: a body that Stripe signed now is kept once; anything else leaves no trace."""

import json
from datetime import timedelta

import pytest
import stripe

from billing import services as billing
from billing.models import LedgerEntry
from eyecare import clock
from payments import services as payments
from payments.models import PaymentEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]
ADDRESS = "/webhooks/stripe/"
SECRET = "whsec_of_the_tests"
EVENT = {"id": "evt_1", "object": "event", "type": "customer.created", "data": {"object": {"id": "cus_1"}}}


@pytest.fixture(autouse=True)
def _secret(settings):
    settings.STRIPE_WEBHOOK_SECRET = SECRET


def _sign(body: str, *, secret: str = SECRET, at: int = 0) -> str:
    moment = int(clock.now().timestamp()) + at
    return stripe.WebhookSignature.generate_signature_header(body, secret, moment)


def _send(client, body: str, signature: str):
    return client.post(
        ADDRESS, body, content_type="application/json", headers={"Stripe-Signature": signature}
    )


def test_an_event_is_kept_word_for_word(client):
    body = json.dumps(EVENT)
    assert _send(client, body, _sign(body)).status_code == 200
    kept = PaymentEvent.objects.get()
    assert (kept.provider_id, kept.kind, kept.payload) == ("evt_1", "customer.created", EVENT)


def test_a_payment_told_a_hundred_times_is_posted_once(client, ana, django_capture_on_commit_callbacks):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    checkout = payments.open_checkout(payer=ana, opened_by=ana.account)
    session = {
        "id": checkout.provider_id,
        "client_reference_id": str(checkout.pk),
        "payment_status": "paid",
        "payment_intent": "pi_1",
        "amount_total": 12_500,
        "currency": "usd",
    }
    body = json.dumps(EVENT | {"type": "checkout.session.completed", "data": {"object": session}})
    with django_capture_on_commit_callbacks(execute=True):
        answers = {_send(client, body, _sign(body)).status_code for _ in range(100)}
    assert answers == {200}
    assert PaymentEvent.objects.get().outcome == "posted"
    assert LedgerEntry.objects.filter(kind=LedgerEntry.Kind.PAYMENT).count() == 1


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_a_signature_of_these_minutes_is_good(client, seconds):
    body = json.dumps(EVENT)
    assert _send(client, body, _sign(body, at=seconds)).status_code == 200


@pytest.mark.parametrize("seconds", [-86_400, -301, 301, 3_600])
def test_a_stale_or_future_signature_is_refused(client, seconds):
    body = json.dumps(EVENT)
    assert _send(client, body, _sign(body, at=seconds)).status_code == 400
    assert not PaymentEvent.objects.exists()


def test_a_second_time_in_the_header_freshens_nothing(client):
    body = json.dumps(EVENT)
    stale = _sign(body, at=-3_600)
    assert _send(client, body, f"{stale},t={int(clock.now().timestamp())}").status_code == 400
    assert not PaymentEvent.objects.exists()


def test_a_new_secret_beside_the_old_one_is_good(client):
    body = json.dumps(EVENT)
    old = _sign(body, secret="whsec_before").split("v1=")[1]
    assert _send(client, body, f"{_sign(body)},v1={old}").status_code == 200


@pytest.mark.parametrize(
    "signature",
    ["", "t=1", "v1=abc", "t=x,v1=abc", "nonsense", "t=,v1=", "t=1,v1=" + "0" * 64, "=,=,=", "t=1e3,v1=é"],
)
def test_a_signature_that_is_none_is_refused(client, signature):
    assert _send(client, json.dumps(EVENT), signature).status_code == 400
    assert not PaymentEvent.objects.exists()


def test_a_body_that_was_changed_is_refused(client):
    signature = _sign(json.dumps(EVENT))
    for changed in (json.dumps(EVENT | {"id": "evt_2"}), json.dumps(EVENT, indent=1), ""):
        assert _send(client, changed, signature).status_code == 400
    assert not PaymentEvent.objects.exists()


def test_another_secret_or_none_is_refused(client, settings):
    body = json.dumps(EVENT)
    assert _send(client, body, _sign(body, secret="whsec_of_somebody")).status_code == 400
    settings.STRIPE_WEBHOOK_SECRET = ""
    assert _send(client, body, _sign(body, secret="")).status_code == 400
    assert not PaymentEvent.objects.exists()


@pytest.mark.parametrize("body", ["", "[]", "null", "{}", '"evt"', "{", '{"id": "evt_1"}'])
def test_a_signed_body_that_is_no_event_is_refused(client, body):
    assert _send(client, body, _sign(body)).status_code == 400
    assert not PaymentEvent.objects.exists()


def test_a_body_that_is_no_text_is_refused(client):
    answer = client.post(
        ADDRESS, b"\xff\xfe", content_type="application/json", headers={"Stripe-Signature": "t=1,v1=a"}
    )
    assert answer.status_code == 400


def test_only_post_is_answered(client):
    assert client.get(ADDRESS).status_code == 405


def test_an_event_whose_nudge_was_lost_is_found_by_the_sweep(client):
    body = json.dumps(EVENT)
    _send(client, body, _sign(body))
    assert PaymentEvent.objects.waiting().exists()  # nothing was committed in this test, so nobody was nudged
    with clock.frozen_at(clock.now() + timedelta(seconds=30)):
        payments.sweep_events()
    assert not PaymentEvent.objects.waiting().exists()
