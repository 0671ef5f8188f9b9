"""Aging is arithmetic: whatever was posted, the buckets less the credit are the balance."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import aging

TODAY = date(2026, 3, 2)


@dataclass(frozen=True)
class Entry:
    amount_cents: int
    service_on: date = TODAY
    reverses_id: UUID | None = None
    id: UUID = field(default_factory=uuid4)
    description: str = ""


def _old(days: int, cents: int) -> Entry:
    return Entry(cents, TODAY - timedelta(days=days))


entries = st.lists(
    st.builds(
        Entry,
        amount_cents=st.integers(-500_000, 500_000).filter(bool),
        service_on=st.dates(date(2024, 1, 1), date(2026, 6, 1)),
    ),
    max_size=30,
)


@given(entries, st.data())
def test_the_buckets_less_the_credit_are_the_balance(posted, data):
    undone = data.draw(st.lists(st.sampled_from(posted), unique_by=lambda entry: entry.id)) if posted else []
    posted = [*posted, *(Entry(-entry.amount_cents, TODAY, reverses_id=entry.id) for entry in undone)]
    aged = aging.buckets(posted, TODAY)
    assert aged.balance_cents == sum(entry.amount_cents for entry in posted)
    assert min(aged.buckets) >= 0
    assert aged.credit_cents >= 0
    assert not (aged.credit_cents and any(aged.buckets)), "a credit pays whatever is owed"


@given(entries, st.randoms(use_true_random=False))
def test_the_order_of_posting_does_not_matter(posted, random):
    shuffled = random.sample(posted, len(posted))
    assert aging.buckets(shuffled, TODAY) == aging.buckets(posted, TODAY)


@given(entries, st.integers(1, 500_000))
def test_a_payment_never_makes_a_bucket_grow(posted, cents):
    before = aging.buckets(posted, TODAY).buckets
    after = aging.buckets([*posted, Entry(-cents)], TODAY).buckets
    assert all(left <= owed for left, owed in zip(after, before, strict=True))


@pytest.mark.parametrize(
    ("days", "bucket"), [(-5, 0), (0, 0), (30, 0), (31, 1), (60, 1), (61, 2), (90, 2), (91, 3), (900, 3)]
)
def test_a_debt_falls_into_the_bucket_of_its_days(days, bucket):
    expected = [0, 0, 0, 0]
    expected[bucket] = 700
    assert list(aging.buckets([_old(days, 700)], TODAY).buckets) == expected


def test_a_payment_pays_the_oldest_debt_first():
    aged = aging.buckets([_old(5, 100), _old(95, 100), _old(40, 100), _old(0, -150)], TODAY)
    assert aged.buckets == (100, 50, 0, 0)
    assert aged.overdue_cents == 50


def test_a_reversal_undoes_its_own_charge_and_pays_no_older_one():
    wrong = _old(5, 100)
    aged = aging.buckets([_old(95, 100), wrong, Entry(-100, TODAY, reverses_id=wrong.id)], TODAY)
    assert aged.buckets == (0, 0, 0, 100)


def test_a_reversed_payment_leaves_the_debt_as_old_as_it_is():
    payment = _old(50, -100)
    aged = aging.buckets([_old(95, 100), payment, Entry(100, TODAY, reverses_id=payment.id)], TODAY)
    assert aged.buckets == (0, 0, 0, 100)
