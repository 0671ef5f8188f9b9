"""Money moves by events only: each once, in any order, whatever else happens."""

import itertools
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import services as billing
from billing.models import LedgerEntry
from eyecare import clock
from messaging.models import Message
from payments import events
from payments import services as payments
from payments.backends import demo
from payments.models import Checkout, PaymentEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]
State = Checkout.State
PAID = "checkout.session.completed"
LATE = "checkout.session.async_payment_succeeded"


@pytest.fixture
def checkout(ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    return payments.open_checkout(payer=ana, opened_by=ana.account)


def _event(kind: str, fields: dict[str, Any], name: str) -> PaymentEvent:
    return payments.keep_event(name, kind, {"id": name, "type": kind, "data": {"object": fields}})


def _session(checkout: Checkout, **changed: Any) -> dict[str, Any]:
    return {
        "id": checkout.provider_id,
        "client_reference_id": str(checkout.pk),
        "payment_status": "paid",
        "payment_intent": "pi_1",
        "amount_total": checkout.amount_cents,
        "currency": "usd",
    } | changed


def _charge(checkout: Checkout, refunded: int) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "payment_intent": "pi_1",
        "amount_refunded": refunded,
        "metadata": {"checkout": str(checkout.pk)},
    }


def _outcome(event: PaymentEvent) -> str:
    payments.work_on(event.pk)
    event.refresh_from_db()
    return event.outcome


def test_a_payment_lowers_the_balance_and_is_thanked_for(checkout):
    assert _outcome(_event(PAID, _session(checkout), "evt_1")) == "posted"
    checkout.refresh_from_db()
    assert (checkout.state, checkout.paid_at, checkout.payment_intent) == (State.PAID, clock.now(), "pi_1")
    assert billing.balance_cents(checkout.payer) == 0
    assert "$125.00" in Message.objects.get(kind="payment_received").body


def test_one_event_delivered_a_hundred_times_is_one_payment(checkout):
    for _ in range(100):
        payments.work_on(_event(PAID, _session(checkout), "evt_1").pk)
    assert PaymentEvent.objects.count() == 1
    assert LedgerEntry.objects.filter(kind=LedgerEntry.Kind.PAYMENT).count() == 1
    assert Message.objects.filter(kind="payment_received").count() == 1


def test_two_events_for_one_payment_are_one_payment(checkout):
    _outcome(_event(PAID, _session(checkout), "evt_1"))
    assert _outcome(_event(LATE, _session(checkout), "evt_2")) == "paid already"
    assert billing.balance_cents(checkout.payer) == 0


def test_a_completed_session_without_money_waits_for_the_money(checkout):
    unpaid = _session(checkout, payment_status="unpaid")
    assert _outcome(_event(PAID, unpaid, "evt_1")) == "payment on its way"
    assert billing.balance_cents(checkout.payer) == 12_500
    assert _outcome(_event(LATE, _session(checkout), "evt_2")) == "posted"
    assert billing.balance_cents(checkout.payer) == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"amount_total": 12_499},
        {"amount_total": -12_500},
        {"amount_total": None},
        {"currency": "jpy"},
        {"id": "cs_other"},
    ],
)
def test_an_event_that_does_not_match_its_checkout_posts_nothing_and_is_shown_to_staff(checkout, changed):
    outcome = _outcome(_event(PAID, _session(checkout, **changed), "evt_1"))
    assert outcome.startswith("mismatch")
    checkout.refresh_from_db()
    assert checkout.state == State.OPEN
    assert billing.balance_cents(checkout.payer) == 12_500


def test_an_event_about_no_checkout_of_ours_is_kept(checkout):
    strange = _session(checkout, id="cs_x", client_reference_id="somebody else's", payment_intent=None)
    assert _outcome(_event(PAID, strange, "evt_1")) == "no checkout of ours"


def test_an_unknown_kind_is_kept_and_no_error():
    event = _event("customer.created", {"id": "cus_1"}, "evt_1")
    assert _outcome(event) == "kept"
    assert event.processed_at == clock.now()


def test_an_expired_page_can_still_turn_out_paid_and_a_paid_one_never_expires(checkout):
    expired = _event("checkout.session.expired", _session(checkout, payment_status="unpaid"), "evt_1")
    assert _outcome(expired) == "expired"
    assert _outcome(_event(PAID, _session(checkout), "evt_2")) == "posted"
    again = _event("checkout.session.expired", _session(checkout), "evt_3")
    assert _outcome(again) == "paid already"
    checkout.refresh_from_db()
    assert checkout.state == State.PAID


def test_a_refund_that_comes_before_its_payment_waits(checkout):
    refund = _event("charge.refunded", _charge(checkout, 500), "evt_1")
    payments.work_on(refund.pk)
    refund.refresh_from_db()
    assert (refund.processed_at, refund.attempts) == (None, 1)
    assert billing.balance_cents(checkout.payer) == 12_500
    payments.work_on(_event(PAID, _session(checkout), "evt_2").pk)
    with clock.frozen_at(clock.now() + payments.LONGEST_WAIT):
        payments.sweep_events()
    assert billing.balance_cents(checkout.payer) == 500


def test_more_is_never_refunded_than_was_paid(checkout):
    _outcome(_event(PAID, _session(checkout), "evt_1"))
    assert _outcome(_event("charge.refunded", _charge(checkout, 12_501), "evt_2")).startswith("mismatch")
    assert billing.balance_cents(checkout.payer) == 0


def _story(checkout: Checkout) -> list[PaymentEvent]:
    """Return all that a provider may tell of one payment with three partial refunds."""
    return [
        _event(PAID, _session(checkout, payment_status="unpaid"), "evt_1"),
        _event(LATE, _session(checkout), "evt_2"),
        _event("charge.refunded", _charge(checkout, 100), "evt_3"),
        _event("charge.refunded", _charge(checkout, 400), "evt_4"),
        _event("charge.refunded", _charge(checkout, 1_000), "evt_5"),
        _event("checkout.session.expired", _session(checkout), "evt_6"),
    ]


def _let_time_pass_and_sweep() -> None:
    for days in (1, 2):
        with clock.frozen_at(clock.now() + days * 4 * payments.LONGEST_WAIT):
            payments.sweep_events()


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_events_in_any_order_any_number_of_times_give_the_same_balance(checkout, order, repeated):
    with transaction.atomic():
        told = _story(checkout)
        for place in itertools.chain(order, repeated):
            payments.work_on(told[place].pk)
        _let_time_pass_and_sweep()
        kinds = LedgerEntry.Kind
        paid = LedgerEntry.objects.filter(kind=kinds.PAYMENT).total_cents()
        refunded = LedgerEntry.objects.filter(kind=kinds.REFUND).total_cents()
        assert (paid, refunded) == (-12_500, 1_000)
        assert not PaymentEvent.objects.waiting().exists()
        transaction.set_rollback(True)


def test_a_crash_inside_a_handler_leaves_the_event_waiting_and_nothing_posted(checkout, monkeypatch):
    event = _event(PAID, _session(checkout), "evt_1")
    with monkeypatch.context() as patch:
        patch.setattr(events, "_thank", _crash)
        with pytest.raises(ZeroDivisionError):
            payments.work_on(event.pk)
    event.refresh_from_db()
    checkout.refresh_from_db()
    assert (event.processed_at, event.attempts, checkout.state) == (None, 1, State.OPEN)
    assert billing.balance_cents(checkout.payer) == 12_500
    with clock.frozen_at(clock.now() + payments.LONGEST_WAIT):
        payments.sweep_events()
    assert billing.balance_cents(checkout.payer) == 0


def test_a_kill_before_the_commit_leaves_the_event_as_it_was(checkout, monkeypatch):
    event = _event(PAID, _session(checkout), "evt_1")
    with monkeypatch.context() as patch:
        patch.setattr(events, "_thank", _kill)
        with pytest.raises(SystemExit), transaction.atomic():
            payments.work_on(event.pk)
    payments.sweep_events()
    assert billing.balance_cents(checkout.payer) == 0
    assert LedgerEntry.objects.filter(kind=LedgerEntry.Kind.PAYMENT).count() == 1


def test_an_event_that_always_fails_holds_up_no_other_and_is_tried_less_and_less(checkout):
    broken = payments.keep_event("evt_0", PAID, {"data": {}})
    _event(PAID, _session(checkout), "evt_1")
    payments.sweep_events()
    broken.refresh_from_db()
    assert (broken.attempts, broken.outcome) == (1, "failed: KeyError")
    assert broken.due_at > clock.now()
    assert billing.balance_cents(checkout.payer) == 0


def test_the_demo_page_pays_through_an_event_once(checkout):
    demo.complete(checkout)
    demo.complete(checkout)
    demo.expire(checkout)
    checkout.refresh_from_db()
    assert (checkout.state, billing.balance_cents(checkout.payer)) == (State.PAID, 0)
    assert sorted(PaymentEvent.objects.values_list("outcome", flat=True)) == ["paid already", "posted"]


def test_leaving_the_demo_page_pays_nothing(checkout):
    demo.expire(checkout)
    checkout.refresh_from_db()
    assert (checkout.state, billing.balance_cents(checkout.payer)) == (State.EXPIRED, 12_500)


def test_outside_the_demo_nobody_pays_with_demo_money(checkout, settings):
    settings.DEMO = False
    with pytest.raises(ImproperlyConfigured):
        demo.complete(checkout)
    with pytest.raises(payments.ProviderUnavailable):
        payments.open_checkout(payer=checkout.payer, amount_cents=2_000, opened_by=None)
    assert billing.balance_cents(checkout.payer) == 12_500


def _crash(_: Checkout) -> None:
    raise ZeroDivisionError


def _kill(_: Checkout) -> None:
    raise SystemExit
