"""Everything that is written about money arriving. Only a provider's event moves it."""

import logging
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from billing import services as billing
from billing.money import dollars
from eyecare import clock
from eyecare.errors import Invalid, NotFound, Refusal
from patients.models import Account, Patient
from payments import events, tasks
from payments.backends import base
from payments.models import Checkout, PaymentEvent

logger = logging.getLogger(__name__)
State = Checkout.State
SMALLEST_CENTS = 50
"""Card networks take no less."""
REUSED_FOR = timedelta(minutes=30)
LONGEST_WAIT = timedelta(hours=6)


class NothingOwed(Refusal):
    code = "nothing_owed"


class ProviderUnavailable(Refusal):
    code = "provider_unavailable"
    status = 503


def open_checkout(*, payer: Patient, amount_cents: int | None = None, opened_by: Account | None) -> Checkout:
    """Open a page where the payer pays an amount, or all they owe; `.url` is where to send them.

    Asked again within half an hour for the same amount, it answers with the same page: a double click
    or a retry after a lost answer never makes two. Raises NothingOwed, Invalid, ProviderUnavailable.
    """
    checkout = _kept_checkout(payer=payer, amount_cents=amount_cents, opened_by=opened_by)
    if checkout.state == State.NEW:
        _open_at_provider(checkout)
    return checkout


def get_for(payer: Patient, checkout_id: Any) -> Checkout:
    """Return a checkout of this payer; NotFound for anybody else's."""
    try:
        return Checkout.objects.for_payer(payer).get(pk=checkout_id)
    except (Checkout.DoesNotExist, ValidationError, ValueError, TypeError) as missing:
        raise NotFound("We could not find that payment.") from missing


def keep_event(provider_id: str, kind: str, payload: dict[str, Any]) -> PaymentEvent:
    """Store what the provider told us, once by its id, before anything is made of it."""
    event, _ = PaymentEvent.objects.get_or_create(
        provider_id=provider_id, defaults={"kind": kind[:80], "payload": payload}
    )
    return event


def nudge(event: PaymentEvent) -> None:
    """Ask a worker to take an event up now; the sweep does so anyway when the broker does not answer."""
    transaction.on_commit(partial(tasks.work_on_event.delay, event.pk), robust=True)


def work_on(event_id: int) -> None:
    """Let an event take effect, once: the effect and `processed_at` are one transaction.

    An event that comes too early, or whose handler fails, stays waiting and is tried again later.
    """
    try:
        with transaction.atomic():
            _process(event_id)
    except events.Early as early:
        _put_off(event_id, str(early))
    except Exception as problem:
        _put_off(event_id, f"failed: {type(problem).__name__}")
        raise


def sweep_events() -> None:
    """Work on the events that nobody has worked on; one that fails holds up no other."""
    for event_id in list(PaymentEvent.objects.due().values_list("pk", flat=True)[:200]):
        try:
            work_on(event_id)
        except Exception:  # the next event must not suffer
            logger.exception("payment event %s failed", event_id)


def _kept_checkout(*, payer: Patient, amount_cents: int | None, opened_by: Account | None) -> Checkout:
    with transaction.atomic():
        billing.lock_ledger(payer.pk)
        amount = _payable(payer, amount_cents, by_staff=bool(opened_by and opened_by.is_staff))
        fresh = Checkout.objects.for_payer(payer).unpaid().filter(created_at__gt=clock.now() - REUSED_FOR)
        kept = fresh.filter(amount_cents=amount).first()
        return kept or Checkout.objects.create(payer=payer, amount_cents=amount, opened_by=opened_by)


def _payable(payer: Patient, amount_cents: int | None, *, by_staff: bool) -> int:
    owed = billing.balance_cents(payer)
    if amount_cents is None and owed <= 0:
        raise NothingOwed("You owe nothing at the moment.")
    amount = owed if amount_cents is None else amount_cents
    if amount < SMALLEST_CENTS:
        raise Invalid(f"The smallest card payment is {dollars(SMALLEST_CENTS)}.")
    if amount > billing.MOST_CENTS:
        raise Invalid("That is more than a card payment can be.")
    if amount > owed and not by_staff:
        raise Invalid(f"That is more than you owe. Your balance is {dollars(owed)}.")
    return amount


def _open_at_provider(checkout: Checkout) -> None:
    try:
        opened = base.backend().open(checkout)
    except base.ProviderFailed as problem:
        logger.warning("checkout %s did not open: %s", checkout.pk, problem)
        if problem.permanent:
            Checkout.objects.filter(pk=checkout.pk, state=State.NEW).update(state=State.FAILED)
        raise ProviderUnavailable(
            "We could not reach the card service just now. Nothing was charged. "
            "Please try again in a few minutes."
        ) from problem
    # an event may have overtaken this answer: then the state stays as the event left it
    row = Checkout.objects.filter(pk=checkout.pk)
    row.update(provider_id=opened.provider_id, url=opened.url)
    row.filter(state=State.NEW).update(state=State.OPEN)
    checkout.refresh_from_db()


def _process(event_id: int) -> None:
    event = PaymentEvent.objects.select_for_update().waiting().filter(pk=event_id).first()
    if event is None:
        return
    event.outcome = events.outcome_of(event.kind, event.payload)[:120]
    event.processed_at = clock.now()
    event.save(update_fields=["outcome", "processed_at"])
    if event.outcome.startswith("mismatch"):
        logger.error("payment event %s: %s", event.provider_id, event.outcome)


def _put_off(event_id: int, outcome: str) -> None:
    waiting = PaymentEvent.objects.waiting().filter(pk=event_id)
    attempts = waiting.values_list("attempts", flat=True).first() or 0
    pause = min(timedelta(seconds=30) * 2 ** min(attempts, 10), LONGEST_WAIT)
    waiting.update(attempts=F("attempts") + 1, due_at=clock.now() + pause, outcome=outcome[:120])
