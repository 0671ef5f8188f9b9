"""The built-in demo checkout: a page of ours that takes no card and sends Stripe's kind of events."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from payments import services
from payments.backends.base import Opened, ProviderFailed
from payments.models import Checkout


class DemoBackend:
    def open(self, checkout: Checkout) -> Opened:
        if not settings.DEMO:
            raise ProviderFailed("the demo checkout is for the demo only", permanent=True)
        return Opened(f"demo_{checkout.pk.hex}", f"{settings.SITE_URL}/pay/demo/{checkout.pk}/")


def complete(checkout: Checkout) -> None:
    """Pay a checkout as the demo page's button does: as an event, stored once, then worked on."""
    session = {"payment_status": "paid", "payment_intent": f"demo_pi_{checkout.pk.hex}"}
    _tell(checkout, "checkout.session.completed", session)


def expire(checkout: Checkout) -> None:
    """Leave the demo page without paying."""
    _tell(checkout, "checkout.session.expired", {"payment_status": "unpaid", "payment_intent": None})


def _tell(checkout: Checkout, kind: str, session: dict[str, Any]) -> None:
    if not settings.DEMO:
        raise ImproperlyConfigured("Nobody pays real bills with demo money: set PAYMENTS_BACKEND.")
    event_id = f"demo_evt_{checkout.pk.hex}_{kind.rpartition('.')[2]}"
    session |= {
        "id": checkout.provider_id,
        "object": "checkout.session",
        "client_reference_id": str(checkout.pk),
        "amount_total": checkout.amount_cents,
        "currency": "usd",
    }
    payload = {"id": event_id, "object": "event", "type": kind, "data": {"object": session}}
    event = services.keep_event(event_id, kind, payload)
    services.work_on(event.pk)
