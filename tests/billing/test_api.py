"""The balance and the statements for other programs: the payer's own, and nobody else's."""

from datetime import date

import pytest

from billing import pdf
from billing import services as billing
from billing.models import Statement, StatementRun
from eyecare import clock
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]


@pytest.fixture(autouse=True)
def _quick_pdf(monkeypatch):
    monkeypatch.setattr(pdf, "render", lambda statement: f"%PDF {statement.number}".encode())


@pytest.fixture
def statement(ana) -> Statement:
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    billing.work_on(billing.start_run(as_of=clock.today(), minimum_cents=0).pk)
    return Statement.objects.get()


def test_the_balance_comes_with_its_age_and_its_charges(client, ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    client.force_login(ana.account)
    assert client.get("/api/v1/balance/").json() == {
        "balance_cents": 12_500,
        "aging": {
            "days_0_30_cents": 12_500,
            "days_31_60_cents": 0,
            "days_61_90_cents": 0,
            "over_90_days_cents": 0,
        },
        "unpaid": [
            {
                "service_on": "2026-03-02",
                "patient": "Ana Silva",
                "description": "Eye exam",
                "owed_cents": 12_500,
            }
        ],
    }


def test_naming_another_patient_changes_nothing(client, ana, ben):
    billing.charge(patient=ben, amount_cents=9_900, description="Glasses", source="visit:2")
    client.force_login(ana.account)
    plain = client.get("/api/v1/balance/")
    for query in (f"patient={ben.pk}", f"payer={ben.pk}", f"pid={ben.number}"):
        assert client.get(f"/api/v1/balance/?{query}").content == plain.content


def test_statements_are_listed_opened_and_read(client, statement):
    client.force_login(statement.payer.account)
    listed = client.get("/api/v1/statements/").json()
    assert [row["number"] for row in listed["results"]] == ["S0000001"]
    assert "lines" not in listed["results"][0]
    detail = client.get(f"/api/v1/statements/{statement.pk}/").json()
    assert (detail["closing_cents"], detail["due_on"]) == (12_500, "2026-04-01")
    assert [line["description"] for line in detail["lines"]] == ["Eye exam"]
    document = client.get(f"/api/v1/statements/{statement.pk}/pdf/", headers={"Accept": "application/pdf"})
    assert (document.content, document["Content-Type"]) == (b"%PDF S0000001", "application/pdf")


def test_another_patients_statement_looks_missing(client, ben, statement):
    client.force_login(ben.account)
    missing = "00000000-0000-4000-8000-000000000000"
    for tail in ("", "pdf/"):
        foreign = client.get(f"/api/v1/statements/{statement.pk}/{tail}")
        unknown = client.get(f"/api/v1/statements/{missing}/{tail}")
        assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())
        assert foreign.status_code == 404
    assert client.get("/api/v1/statements/").json()["results"] == []


def test_a_void_statement_looks_missing_to_its_payer(client, statement):
    billing.void(statement=statement, reason="wrong guarantor")
    client.force_login(statement.payer.account)
    assert client.get(f"/api/v1/statements/{statement.pk}/").status_code == 404


@pytest.mark.parametrize("path", ["balance/", "statements/", "statements/x/", "statements/x/pdf/"])
def test_who_is_not_signed_in_reads_nothing(client, path):
    assert client.get(f"/api/v1/{path}").status_code in {401, 403, 404}


def test_a_dependants_own_log_in_does_not_read_the_guarantors_balance(client, ana, statement):
    mia = factories.PatientFactory(first_name="Mia", guarantor=ana)
    client.force_login(mia.account)
    for path in ("balance/", "statements/", f"statements/{statement.pk}/"):
        answer = client.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "someone_else_pays")


def test_a_list_of_statements_asks_the_database_as_often_for_many(
    client, statement, django_assert_max_num_queries
):
    for year in range(2010, 2020):
        Statement.objects.create(
            run=StatementRun.objects.create(as_of=date(year, 3, 2), minimum_cents=0),
            payer=statement.payer,
            number=f"S000{year}",
            as_of=date(year, 3, 2),
            state=Statement.State.SENT,
        )
    client.force_login(statement.payer.account)
    with django_assert_max_num_queries(8):
        assert len(client.get("/api/v1/statements/").json()["results"]) == 11
