"""What a patient sees of the money in a browser."""

from datetime import timedelta

import pytest

from billing.models import Statement, StatementRun
from eyecare import clock
from tests import factories


@pytest.fixture
def signed_in(client, ana):
    client.force_login(ana.account)
    return client


@pytest.fixture
def anas_statement(ana, monday):
    run = StatementRun.objects.create(as_of=clock.today(), minimum_cents=500)
    return Statement.objects.create(
        run=run, payer=ana, number="S-1", as_of=clock.today(), state=Statement.State.SENT, pdf=b"%PDF-1.7 Ana"
    )


def test_the_balance_is_shown_with_what_it_is_made_of(signed_in, ana, monday):
    factories.LedgerEntryFactory(payer=ana, amount_cents=12_500, description="Comprehensive eye exam")
    factories.LedgerEntryFactory(payer=ana, kind="payment", amount_cents=-2_550, description="Copay")
    page = signed_in.get("/dues/").content.decode()
    assert "$99.50" in page
    assert "Comprehensive eye exam" in page
    assert "-$25.50" in page


def test_an_old_debt_is_named_as_old(signed_in, ana, monday):
    long_ago = clock.today() - timedelta(days=100)
    factories.LedgerEntryFactory(payer=ana, amount_cents=8_000, service_on=long_ago)
    page = signed_in.get("/dues/").content.decode()
    assert "Over 90 days" in page
    assert "$80.00 has been open for more than 30 days." in page


@pytest.mark.parametrize("rows", [1, 15])
def test_the_dues_ask_the_same_few_questions_however_long_the_ledger(
    signed_in, ana, rows, django_assert_max_num_queries
):
    factories.LedgerEntryFactory.create_batch(rows, payer=ana)
    with django_assert_max_num_queries(12):
        signed_in.get("/dues/")


def test_the_ledger_is_paged(signed_in, ana):
    factories.LedgerEntryFactory.create_batch(16, payer=ana)
    assert "Page 1 of 2" in signed_in.get("/dues/").content.decode()
    assert signed_in.get("/dues/?page=2").content.decode().count('scope="row"') == 1


def test_a_statement_opens_as_the_pdf_that_was_made(signed_in, anas_statement):
    response = signed_in.get(f"/dues/statements/{anas_statement.pk}/")
    assert response["Content-Type"] == "application/pdf"
    assert response["Cache-Control"] == "private, no-store"
    assert response.content == b"%PDF-1.7 Ana"


def test_somebody_whose_bills_go_elsewhere_does_not_see_the_payers_ledger(signed_in, ana, ben):
    factories.LedgerEntryFactory(payer=ben, patient=ana, amount_cents=4_200)
    ana.guarantor = ben
    ana.save()
    response = signed_in.get("/dues/")
    assert response.status_code == 403
    assert "$42.00" not in response.content.decode()
    assert signed_in.get("/").status_code == 200
