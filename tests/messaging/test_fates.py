from itertools import permutations

import pytest

from messaging import services
from messaging.backends import twilio
from messaging.models import Message

State = Message.State


def report(reference: str, status: str, sid: str = "SM1", code: str = "") -> None:
    state = twilio.FATES[status]
    failure = twilio.failure(code) if state == State.FAILED else None
    services.learn_fate(reference=reference, provider_id=sid, state=state, failure=failure)


@pytest.fixture
def reference(order_ready, provider) -> str:
    services.send(order_ready.pk)
    return provider.sent[0].reference


@pytest.mark.parametrize("order", permutations(["queued", "sent", "delivered"]))
def test_reports_in_any_order_end_as_delivered(order_ready, reference, order):
    for status in order:
        report(reference, status)
    order_ready.refresh_from_db()
    assert order_ready.state == State.DELIVERED


@pytest.mark.parametrize("order", permutations(["sent", "delivered", "undelivered"]))
def test_what_was_delivered_stays_delivered(order_ready, reference, order):
    for status in order:
        report(reference, status, code="30006")
    order_ready.refresh_from_db()
    assert order_ready.state == State.DELIVERED


@pytest.mark.parametrize("order", permutations(["queued", "sent", "undelivered"]))
def test_a_permanent_failure_is_final_in_any_order(order_ready, reference, order):
    for status in order:
        report(reference, status, code="30006")
    order_ready.refresh_from_db()
    assert order_ready.state == State.FAILED
    assert order_ready.explanation == "a landline, or a carrier that takes no texts"


@pytest.mark.parametrize("order", permutations(["queued", "sent", "undelivered"]))
def test_an_unreachable_phone_is_tried_again_in_any_order(order_ready, reference, order):
    for status in order:
        report(reference, status, code="30003")
    order_ready.refresh_from_db()
    assert (order_ready.state, order_ready.attempts) == (State.QUEUED, 1)


def test_a_late_report_about_an_earlier_attempt_changes_nothing(order_ready, reference, provider, monday):
    report(reference, "undelivered", code="30003")
    Message.objects.update(due_at=monday)
    services.send(order_ready.pk)
    report(reference, "delivered")
    order_ready.refresh_from_db()
    assert (order_ready.state, order_ready.provider_id, len(provider.sent)) == (State.SENT, "SM2", 2)


def test_a_report_that_overtakes_our_own_note_is_kept(order_ready):
    Message.objects.update(state=State.SENDING, attempts=1)
    report(f"{order_ready.pk}.1", "delivered")
    order_ready.refresh_from_db()
    assert (order_ready.state, order_ready.provider_id) == (State.DELIVERED, "SM1")
    assert order_ready.sent_at is not None


def test_a_report_settles_what_a_dead_worker_left(order_ready):
    Message.objects.update(state=State.UNKNOWN, attempts=1)
    report(f"{order_ready.pk}.1", "sent")
    order_ready.refresh_from_db()
    assert (order_ready.state, order_ready.explanation) == (State.SENT, "")


def test_an_opt_out_that_the_carrier_reports_later_counts(order_ready, reference, ana):
    report(reference, "undelivered", code="21610")
    order_ready.refresh_from_db()
    assert order_ready.state == State.DROPPED
    assert services.is_opted_out(str(ana.phone))


@pytest.mark.parametrize("reference", ["", "x.1", "x", "9f3c8a52-8d0b-4b3c-9a67-0f5b1b0a2f11", "..", "9.²"])
def test_a_reference_that_is_not_ours_is_ignored(order_ready, reference):
    report(reference, "delivered")
    order_ready.refresh_from_db()
    assert order_ready.state == State.QUEUED
