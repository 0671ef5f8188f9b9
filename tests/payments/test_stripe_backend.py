"""What we ask of Stripe, seen from a stub at the other end of the wire."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from billing import services as billing
from payments import services as payments
from payments.models import Checkout

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]


class Stub(BaseHTTPRequestHandler):
    """Answers as Stripe's /v1/checkout/sessions does; `answers` are given in turn, then the good one."""

    asked: ClassVar[list[dict[str, Any]]] = []
    answers: ClassVar[list[tuple[int, dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.asked.append({"path": self.path, "key": self.headers["Idempotency-Key"], "form": form})
        good = {"id": "cs_test_1", "object": "checkout.session", "url": "https://checkout.stripe.com/c/pay/1"}
        status, answer = self.answers.pop(0) if self.answers else (200, good)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture(autouse=True)
def stub(settings) -> Iterator[type[Stub]]:
    server = HTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.PAYMENTS_BACKEND = "payments.backends.stripe.StripeBackend"
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.server_port}"
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    settings.SITE_URL = "https://eyes.test"
    Stub.asked.clear()
    Stub.answers.clear()
    yield Stub
    server.shutdown()
    server.server_close()


@pytest.fixture
def owing(ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    return ana


def test_stripe_is_asked_for_one_session_of_the_amount_with_our_marks(owing, stub):
    checkout = payments.open_checkout(payer=owing, opened_by=owing.account)
    assert (checkout.state, checkout.provider_id) == (Checkout.State.OPEN, "cs_test_1")
    assert checkout.url == "https://checkout.stripe.com/c/pay/1"
    (asked,) = stub.asked
    assert asked == {
        "path": "/v1/checkout/sessions",
        "key": f"checkout-{checkout.pk}",
        "form": {
            "mode": "payment",
            "client_reference_id": str(checkout.pk),
            "metadata[checkout]": str(checkout.pk),
            "payment_intent_data[metadata][checkout]": str(checkout.pk),
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": "usd",
            "line_items[0][price_data][unit_amount]": "12500",
            "line_items[0][price_data][product_data][name]": "Balance at Harbor Eye Care",
            "success_url": f"https://eyes.test/pay/back/{checkout.pk}/",
            "cancel_url": f"https://eyes.test/pay/back/{checkout.pk}/",
            "expires_at": str(int(checkout.created_at.timestamp()) + 6 * 3_600),
        },
    }


def test_stripe_learns_neither_who_pays_nor_what_for(owing, stub):
    payments.open_checkout(payer=owing, opened_by=owing.account)
    told = json.dumps(stub.asked)
    for secret in ("Ana", "Silva", "exam", owing.email, str(owing.phone), owing.number):
        assert secret not in told


def test_a_call_repeated_later_is_the_same_call(owing, stub):
    stub.answers.append((429, {"error": {"type": "rate_limit", "message": "busy"}}))
    with pytest.raises(payments.ProviderUnavailable):
        payments.open_checkout(payer=owing, opened_by=owing.account)
    checkout = payments.open_checkout(payer=owing, opened_by=owing.account)
    assert checkout.state == Checkout.State.OPEN
    first, second = stub.asked
    assert first == second
    assert Checkout.objects.count() == 1


def test_a_request_that_stripe_refuses_is_told_kindly_and_not_repeated(owing, stub):
    stub.answers.append((400, {"error": {"type": "invalid_request_error", "message": "no"}}))
    with pytest.raises(payments.ProviderUnavailable, match="Nothing was charged"):
        payments.open_checkout(payer=owing, opened_by=owing.account)
    assert Checkout.objects.get().state == Checkout.State.FAILED
    assert len(stub.asked) == 1


def test_no_connection_at_all_leaves_the_checkout_to_be_opened_later(owing, settings, monkeypatch):
    monkeypatch.setattr("stripe._http_client.HTTPClient._sleep_time_seconds", lambda *_: 0)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(payments.ProviderUnavailable):
        payments.open_checkout(payer=owing, opened_by=owing.account)
    assert Checkout.objects.get().state == Checkout.State.NEW
