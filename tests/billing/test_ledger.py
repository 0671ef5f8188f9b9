"""The ledger: what may be posted, once, and never changed."""

from datetime import date, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from billing import services as billing
from billing.models import LedgerEntry
from eyecare import clock
from eyecare.errors import Invalid
from patients.models import Patient
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday")]


def _charge(patient: Patient, cents: int = 12_500, source: str = "visit:1") -> LedgerEntry:
    return billing.charge(patient=patient, amount_cents=cents, description="Eye exam", source=source)


def test_a_balance_is_the_sum_of_the_ledger(ana):
    _charge(ana)
    billing.credit(patient=ana, amount_cents=2_000, description="Courtesy", source="courtesy:1")
    billing.post_payment(payer=ana, amount_cents=5_000, source="desk:1")
    billing.post_refund(payer=ana, amount_cents=1_000, source="refund:1")
    assert billing.balance_cents(ana) == 6_500


def test_somebody_without_entries_owes_nothing(ana):
    assert billing.balance_cents(ana) == 0


def test_a_dependants_charge_goes_to_the_guarantor(ana):
    mia = factories.PatientFactory(first_name="Mia", guarantor=ana)
    entry = _charge(mia)
    assert (entry.payer, entry.patient) == (ana, mia)
    assert billing.balance_cents(ana) == 12_500
    assert billing.balance_cents(mia) == 0


def test_the_same_source_is_posted_once(ana):
    assert _charge(ana) == _charge(ana)
    assert billing.balance_cents(ana) == 12_500


def test_the_same_source_with_another_amount_is_refused(ana):
    _charge(ana)
    with pytest.raises(billing.SourceTaken):
        _charge(ana, cents=1)
    assert billing.balance_cents(ana) == 12_500


@pytest.mark.parametrize("cents", [0, -1, 100_000_001])
def test_an_amount_that_is_none_is_refused(ana, cents):
    with pytest.raises(Invalid):
        _charge(ana, cents=cents)
    with pytest.raises(Invalid):
        billing.post_payment(payer=ana, amount_cents=cents, source="desk:1")
    assert not LedgerEntry.objects.exists()


def test_a_service_in_the_future_is_refused(ana):
    with pytest.raises(Invalid):
        billing.charge(
            patient=ana, amount_cents=1, description="Exam", source="visit:1", service_on=date(2026, 3, 3)
        )


def test_a_charge_for_nothing_in_particular_is_refused(ana):
    with pytest.raises(Invalid, match="what the amount is for"):
        billing.charge(patient=ana, amount_cents=1, description="  ", source="visit:1")


def test_a_payment_cannot_be_posted_as_a_credit(ana):
    with pytest.raises(Invalid):
        billing.credit(
            patient=ana, amount_cents=1, description="Cash", source="x:1", kind=LedgerEntry.Kind.PAYMENT
        )


def test_a_reversal_undoes_an_entry_and_both_stay(ana, dana):
    entry = _charge(ana)
    reversal = billing.reverse(entry=entry, reason="wrong patient", actor=dana)
    assert (reversal.amount_cents, reversal.reverses, reversal.actor) == (-12_500, entry, dana)
    assert reversal.description == "Reversed: wrong patient"
    assert billing.balance_cents(ana) == 0
    assert LedgerEntry.objects.count() == 2


def test_an_entry_is_reversed_once_and_a_reversal_never(ana):
    entry = _charge(ana)
    reversal = billing.reverse(entry=entry)
    for reversed_already in (entry, reversal):
        with pytest.raises(billing.AlreadyReversed):
            billing.reverse(entry=reversed_already)
    assert LedgerEntry.objects.count() == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_ledgerentry SET amount_cents = 1",
        "UPDATE billing_ledgerentry SET description = 'x'",
        "DELETE FROM billing_ledgerentry",
    ],
)
def test_the_database_refuses_to_change_or_delete_an_entry(ana, statement):
    entry = _charge(ana)
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    entry.refresh_from_db()
    assert (entry.amount_cents, entry.description) == (12_500, "Eye exam")


def test_the_database_refuses_an_entry_of_nothing(ana):
    with pytest.raises(DatabaseError), transaction.atomic():
        factories.LedgerEntryFactory(payer=ana, amount_cents=0)


def test_the_database_refuses_a_payment_that_adds(ana):
    with pytest.raises(DatabaseError), transaction.atomic():
        factories.LedgerEntryFactory(payer=ana, kind=LedgerEntry.Kind.PAYMENT, amount_cents=5)


def test_unpaid_charges_are_what_no_payment_covers_oldest_first(ana):
    for days, source in ((40, "old"), (10, "new")):
        billing.charge(
            patient=ana,
            amount_cents=10_000,
            description=source,
            source=source,
            service_on=clock.today() - timedelta(days=days),
        )
    billing.post_payment(payer=ana, amount_cents=4_000, source="desk:1")
    assert [(debt.entry.description, debt.cents) for debt in billing.unpaid_charges(ana)] == [
        ("old", 6_000),
        ("new", 10_000),
    ]
    assert billing.aging_of(ana).buckets == (10_000, 6_000, 0, 0)


def test_a_dependants_own_log_in_does_not_open_the_guarantors_ledger(ana):
    mia = factories.PatientFactory(first_name="Mia", guarantor=ana)
    with pytest.raises(billing.SomeoneElsePays, match="Bills for Mia"):
        billing.payer_for(mia, mia.account)
    with pytest.raises(billing.SomeoneElsePays):
        billing.payer_for(mia, None)
    assert billing.payer_for(mia, ana.account) == ana
    assert billing.payer_for(ana, None) == ana
