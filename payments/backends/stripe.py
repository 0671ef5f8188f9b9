"""Stripe Checkout. Only this file knows the stripe library."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import stripe
from django.conf import settings

from eyecare import clock
from payments.backends.base import Opened, ProviderFailed
from payments.models import Checkout
from practice import services as practice

TOLERANCE_SECONDS = 300
OPEN_FOR = timedelta(hours=6)
"""For a link that was sent as a text. Counted from our row, so that a repeated call is the same call."""


class Forged(Exception):
    """The body was not signed by Stripe, not now, or is no event."""


@dataclass(frozen=True)
class Told:
    """An event as Stripe told it, its signature checked."""

    provider_id: str
    kind: str
    payload: dict[str, Any]


class StripeBackend:
    def open(self, checkout: Checkout) -> Opened:
        try:
            session = _client().v1.checkout.sessions.create(
                params=session_params(checkout), options={"idempotency_key": f"checkout-{checkout.pk}"}
            )
        except (stripe.APIConnectionError, stripe.RateLimitError) as problem:
            raise ProviderFailed(_words(problem), permanent=False) from problem
        except stripe.StripeError as problem:
            # Stripe repeats its answer to an idempotency key for a day, an error too
            raise ProviderFailed(_words(problem), permanent=True) from problem
        return Opened(session.id, session.url or "")


def read_event(body: bytes, signature: str) -> Told:
    """Return the event in a webhook's raw body; raises Forged.

    Stripe's own check lets a signature from the future pass; ours refuses five minutes either way.
    """
    try:
        stripe.WebhookSignature.verify_header(body, signature, settings.STRIPE_WEBHOOK_SECRET)
        event = json.loads(body)
        told = Told(str(event["id"]), str(event["type"]), event)
        signed_at = _signed_at(signature)
    except (stripe.SignatureVerificationError, StopIteration, ValueError, KeyError, TypeError) as problem:
        raise Forged("This is no event of Stripe's.") from problem
    if abs(clock.now().timestamp() - signed_at) > TOLERANCE_SECONDS:
        raise Forged("The signature is stale or from the future.")
    return told


def session_params(checkout: Checkout) -> Any:
    """Return the session to create. Stripe learns an amount and two ids of ours, no name and no reason."""
    mark = {"checkout": str(checkout.pk)}
    back = f"{settings.SITE_URL}/pay/back/{checkout.pk}/"
    product = {"name": f"Balance at {practice.current().name}"}
    return {
        "mode": "payment",
        "client_reference_id": str(checkout.pk),
        "metadata": mark,
        # a charge inherits the marks of its payment intent: so a refund finds its checkout
        "payment_intent_data": {"metadata": mark},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": "usd",
                    "unit_amount": checkout.amount_cents,
                    "product_data": product,
                },
            }
        ],
        "success_url": back,
        "cancel_url": back,
        "expires_at": int((checkout.created_at + OPEN_FOR).timestamp()),
    }


def _signed_at(signature: str) -> int:
    """Return the header's first `t`: it is the one that was signed."""
    return int(next(part for part in signature.split(",") if part.startswith("t=")).removeprefix("t="))


def _client() -> stripe.StripeClient:
    addresses: Any = {"api": settings.STRIPE_API_BASE} if settings.STRIPE_API_BASE else {}
    return stripe.StripeClient(settings.STRIPE_SECRET_KEY, base_addresses=addresses, max_network_retries=2)


def _words(problem: stripe.StripeError) -> str:
    return f"{type(problem).__name__} {problem.code or ''}".strip()
