"""What each kind of event does to a checkout and to the ledger: in any order, any number of times.

A handler runs inside the transaction that also marks the event as processed. It returns the outcome
in words, for the staff; it raises Early when the event must wait for another.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Q

from billing import services as billing
from billing.money import dollars
from eyecare import clock
from messaging import services as messaging
from payments.models import Checkout

CURRENCY = "usd"
State = Checkout.State
Fields = dict[str, Any]


class Early(Exception):
    """The event came before the one it builds on; it is worked on again later."""


def outcome_of(kind: str, payload: Fields) -> str:
    """Let an event take effect and say what it did; a kind that we do not know is only kept."""
    handler = HANDLERS.get(kind)
    return handler(payload["data"]["object"]) if handler else "kept"


def _completed(session: Fields) -> str:
    """checkout.session.completed and checkout.session.async_payment_succeeded"""
    checkout = _locked(session)
    if checkout is None:
        return "no checkout of ours"
    if checkout.state == State.PAID:
        return "paid already"
    if session.get("payment_status") != "paid":
        return "payment on its way"
    if problem := _mismatch(checkout, session):
        return problem
    billing.post_payment(
        payer=checkout.payer,
        amount_cents=session["amount_total"],
        source=f"checkout:{checkout.pk}",
        description="Card payment, thank you",
    )
    checkout.state, checkout.paid_at = State.PAID, clock.now()
    checkout.payment_intent = session.get("payment_intent") or ""
    checkout.save(update_fields=["state", "paid_at", "payment_intent"])
    _thank(checkout)
    return "posted"


def _closed(state: str) -> Callable[[Fields], str]:
    """checkout.session.expired and checkout.session.async_payment_failed: nothing was paid."""

    def close(session: Fields) -> str:
        checkout = _locked(session)
        if checkout is None:
            return "no checkout of ours"
        if checkout.state == State.PAID:
            return "paid already"
        checkout.state = state
        checkout.save(update_fields=["state"])
        return str(State(state).label)

    return close


def _refunded(charge: Fields) -> str:
    """charge.refunded: carries the sum of all refunds so far, so the latest amount wins in any order."""
    checkout = _locked(charge)
    if checkout is None:
        return "no checkout of ours"
    if checkout.state != State.PAID:
        raise Early("The payment of this refund has not been posted yet.")
    so_far = charge["amount_refunded"]
    if so_far > checkout.amount_cents:
        return "mismatch: more refunded than was paid"
    if so_far <= checkout.refunded_cents:
        return "refunded already"
    billing.post_refund(
        payer=checkout.payer,
        amount_cents=so_far - checkout.refunded_cents,
        source=f"refund:{checkout.pk}:{so_far}",
    )
    checkout.refunded_cents = so_far
    checkout.save(update_fields=["refunded_cents"])
    return "refund posted"


def _thank(checkout: Checkout) -> None:
    messaging.queue(
        kind="payment_received",
        reason=f"payment:{checkout.pk}",
        patient=checkout.payer,
        context={"amount": dollars(checkout.amount_cents)},
        subject_id=str(checkout.pk),
    )


def _locked(fields: Fields) -> Checkout | None:
    """Return the checkout that a session or a charge belongs to, locked until the transaction ends."""
    checkouts = Checkout.objects.select_for_update(of=("self",)).select_related("payer")
    return checkouts.filter(_belonging_to(fields)).first()


def _belonging_to(fields: Fields) -> Q:
    ours = fields.get("client_reference_id") or (fields.get("metadata") or {}).get("checkout")
    try:
        return Q(pk=UUID(str(ours)))
    except ValueError:
        intent = fields.get("payment_intent")
        return Q(provider_id=fields["id"]) | (Q(payment_intent=intent) if intent else Q())


def _mismatch(checkout: Checkout, session: Fields) -> str:
    if checkout.provider_id and session["id"] != checkout.provider_id:
        return "mismatch: another session"
    if session.get("currency") != CURRENCY:
        return "mismatch: another currency"
    if session.get("amount_total") != checkout.amount_cents:
        return "mismatch: another amount"
    return ""


HANDLERS: dict[str, Callable[[Fields], str]] = {
    "checkout.session.completed": _completed,
    "checkout.session.async_payment_succeeded": _completed,
    "checkout.session.async_payment_failed": _closed(State.FAILED),
    "checkout.session.expired": _closed(State.EXPIRED),
    "charge.refunded": _refunded,
}
