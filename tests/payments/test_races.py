"""Many at once: the database settles who was first, and money is counted once."""

from collections.abc import Callable
from typing import Any

import pytest

from billing import pdf
from billing import services as billing
from billing.models import LedgerEntry, Statement, StatementRun
from eyecare import clock
from messaging.models import Message
from patients.models import Consent
from payments import services as payments
from payments.models import Checkout, PaymentEvent
from tests import factories
from tests.threads import at_once

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("practice"),
]
MANY = 20


def _at_once(function: Callable[[], Any], count: int = MANY) -> list[Any]:
    """Call a function in many threads that start together; an exception is a result too."""
    return at_once([function] * count, outcomes=Exception)


@pytest.fixture
def owing(ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    return ana


def _paid_event(checkout: Checkout, name: str) -> PaymentEvent:
    session = {
        "id": checkout.provider_id,
        "client_reference_id": str(checkout.pk),
        "payment_status": "paid",
        "amount_total": checkout.amount_cents,
        "currency": "usd",
    }
    return payments.keep_event(name, "checkout.session.completed", {"id": name, "data": {"object": session}})


def test_one_event_delivered_many_times_at_once_is_kept_once_and_posted_once(owing):
    checkout = payments.open_checkout(payer=owing, opened_by=None)
    _at_once(lambda: payments.work_on(_paid_event(checkout, "evt_1").pk))
    assert PaymentEvent.objects.count() == 1
    assert LedgerEntry.objects.filter(kind=LedgerEntry.Kind.PAYMENT).count() == 1
    assert billing.balance_cents(owing) == 0


def test_many_events_about_one_payment_at_once_post_it_once(owing):
    checkout = payments.open_checkout(payer=owing, opened_by=None)
    waiting = [_paid_event(checkout, f"evt_{number}").pk for number in range(MANY)]
    _at_once(lambda: payments.work_on(waiting.pop()))
    assert billing.balance_cents(owing) == 0
    outcomes = sorted(PaymentEvent.objects.values_list("outcome", flat=True))
    assert outcomes == ["paid already"] * (MANY - 1) + ["posted"]


def test_many_clicks_at_once_open_one_checkout(owing):
    pages = _at_once(lambda: payments.open_checkout(payer=owing, opened_by=None).url)
    assert len(set(pages)) == Checkout.objects.count() == 1


def test_one_source_posted_many_times_at_once_is_one_entry(owing):
    _at_once(lambda: billing.post_payment(payer=owing, amount_cents=2_500, source="desk:1"))
    assert billing.balance_cents(owing) == 10_000


def test_a_run_started_many_times_at_once_is_one_run(owing, monkeypatch):
    monkeypatch.setattr("billing.tasks.work_on_run.delay", lambda run_id: None)
    results = _at_once(lambda: billing.start_run(as_of=clock.today(), minimum_cents=0), count=8)
    refused = [
        result for result in results if isinstance(result, billing.NothingToSend | billing.RunUnderWay)
    ]
    assert (len(refused), StatementRun.objects.count(), Statement.objects.count()) == (7, 1, 1)


def test_many_workers_on_one_run_make_and_tell_each_statement_once(practice, monkeypatch):
    monkeypatch.setattr("billing.tasks.work_on_run.delay", lambda run_id: None)
    made: list[str] = []
    monkeypatch.setattr(pdf, "render", lambda statement: made.append(statement.number) or b"%PDF")
    for _ in range(30):
        payer = factories.LedgerEntryFactory().payer
        factories.ConsentFactory(patient=payer, kind=Consent.Kind.BILLING_TEXTS)
    run = billing.start_run(as_of=clock.today(), minimum_cents=0)
    _at_once(lambda: billing.work_on(run.pk), count=8)
    run.refresh_from_db()
    assert run.state == StatementRun.State.DONE
    assert len(made) == len(set(made)) == 30
    assert Message.objects.filter(kind="statement_ready").count() == 30
    assert Statement.objects.filter(state=Statement.State.SENT).count() == 30
