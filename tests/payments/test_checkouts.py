"""Opening a page to pay on: never too little, never too much, never two for one wish."""

import uuid

import pytest

from billing import services as billing
from billing.models import LedgerEntry
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from payments import services as payments
from payments.backends import memory
from payments.backends.base import ProviderFailed
from payments.models import Checkout

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]
State = Checkout.State


@pytest.fixture(autouse=True)
def _memory(settings):
    settings.PAYMENTS_BACKEND = "payments.backends.memory.MemoryBackend"
    memory.opened.clear()
    memory.failures.clear()


@pytest.fixture
def owing(ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    return ana


def _open(payer, amount_cents=None, opened_by=None):
    return payments.open_checkout(
        payer=payer, amount_cents=amount_cents, opened_by=opened_by or payer.account
    )


def test_a_checkout_is_for_all_that_is_owed_unless_told_otherwise(owing):
    checkout = _open(owing)
    assert (checkout.amount_cents, checkout.state) == (12_500, State.OPEN)
    assert checkout.url == f"https://pay.example/{checkout.pk}"
    assert _open(owing, 2_000).amount_cents == 2_000


def test_opening_a_checkout_posts_nothing(owing):
    _open(owing)
    assert billing.balance_cents(owing) == 12_500


def test_who_owes_nothing_has_nothing_to_pay(ana):
    with pytest.raises(payments.NothingOwed):
        _open(ana)


@pytest.mark.parametrize("cents", [-500, 0, 49, 12_501, 10**12])
def test_an_amount_that_cannot_be_paid_is_refused(owing, cents):
    with pytest.raises(Invalid):
        _open(owing, cents)
    assert not Checkout.objects.exists()
    assert not memory.opened


def test_staff_may_take_more_than_is_owed(owing, dana):
    assert _open(owing, 20_000, opened_by=dana).amount_cents == 20_000


def test_twenty_clicks_open_one_page(owing):
    pages = {_open(owing).url for _ in range(20)}
    assert len(pages) == Checkout.objects.count() == len(memory.opened) == 1


def test_a_page_of_more_than_half_an_hour_ago_is_not_offered_again(owing):
    first = _open(owing)
    with clock.frozen_at(clock.now() + payments.REUSED_FOR):
        assert _open(owing) != first


def test_a_lost_answer_is_asked_for_again_under_the_same_checkout(owing):
    memory.failures.append(ProviderFailed("timeout", permanent=False))
    with pytest.raises(payments.ProviderUnavailable, match="Nothing was charged"):
        _open(owing)
    waiting = Checkout.objects.get()
    assert waiting.state == State.NEW
    assert _open(owing) == waiting
    assert [checkout.pk for checkout in memory.opened] == [waiting.pk]


def test_a_refusal_of_the_provider_ends_the_checkout(owing):
    memory.failures.append(ProviderFailed("bad request", permanent=True))
    with pytest.raises(payments.ProviderUnavailable):
        _open(owing)
    assert Checkout.objects.get().state == State.FAILED
    assert _open(owing).state == State.OPEN


def test_another_payers_checkout_looks_missing(owing, ben):
    checkout = _open(owing)
    assert payments.get_for(owing, checkout.pk) == checkout
    for who, what in ((ben, checkout.pk), (owing, uuid.uuid4()), (owing, "nonsense")):
        with pytest.raises(NotFound, match="could not find that payment"):
            payments.get_for(who, what)
    assert not LedgerEntry.objects.filter(payer=ben).exists()
