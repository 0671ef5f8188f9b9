"""Months of a practice's money at random: whatever is posted and sent, the figures agree."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import pdf
from billing import services as billing
from billing.models import LedgerEntry, Statement
from eyecare import clock
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]

cents = st.integers(1, 50_000)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("charge"), cents),
        st.tuples(st.just("credit"), cents),
        st.tuples(st.just("pay"), cents),
        st.tuples(st.just("refund"), cents),
        st.tuples(st.just("reverse"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(1, 20)),
        st.tuples(st.just("run"), st.just(0)),
        st.tuples(st.just("void"), st.just(0)),
    ),
    max_size=25,
)


@given(steps)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_balance_aging_and_statements_agree_whatever_happens(ana, monkeypatch, taken):
    monkeypatch.setattr(pdf, "render", lambda statement: b"%PDF")
    with transaction.atomic():
        mia = factories.PatientFactory(guarantor=ana)
        moment, expected = clock.now(), 0
        for number, (step, value) in enumerate(taken):
            moment += timedelta(days=value) if step == "wait" else timedelta(minutes=1)
            with clock.frozen_at(moment):
                expected += _take(step, value, number, ana, mia)
                assert billing.balance_cents(ana) == expected
                assert billing.aging_of(ana).balance_cents == expected
        _statements_agree()
        transaction.set_rollback(True)


def _take(step, value, number, ana, mia) -> int:
    """Do one thing and return what it adds to the balance."""
    source = f"step:{number}"
    if step == "charge":
        billing.charge(patient=mia, amount_cents=value, description="Visit", source=source)
        return value
    if step == "credit":
        billing.credit(patient=ana, amount_cents=value, description="Courtesy", source=source)
        return -value
    if step == "pay":
        billing.post_payment(payer=ana, amount_cents=value, source=source)
        return -value
    if step == "refund":
        billing.post_refund(payer=ana, amount_cents=value, source=source)
        return value
    if step == "reverse":
        return _reverse(value)
    if step == "run":
        _run()
    if step == "void" and (last := Statement.objects.live().order_by("as_of").last()):
        billing.void(statement=last, reason="random")
    return 0


def _reverse(place: int) -> int:
    entries = list(LedgerEntry.objects.filter(reverses=None, reversal=None).order_by("posted_at"))
    if place >= len(entries):
        return 0
    return billing.reverse(entry=entries[place]).amount_cents


def _run() -> None:
    try:
        billing.work_on(billing.start_run(as_of=clock.today(), minimum_cents=0).pk)
    except billing.NothingToSend:
        return


def _statements_agree() -> None:
    """Every live statement goes on where the one before ended, and lists no entry of another one."""
    closing, listed = None, Counter[str]()
    for statement in Statement.objects.live().order_by("as_of"):
        opened = statement.opening_cents
        assert opened + sum(line["cents"] for line in statement.lines) == statement.closing_cents
        assert closing is None or opened == closing
        assert sum(statement.aging_cents) == statement.closing_cents
        closing = statement.closing_cents
        listed.update(line["entry"] for line in statement.lines)
    assert not listed or max(listed.values()) == 1
