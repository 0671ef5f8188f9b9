"""The desk: balances and the ledger at a glance, runs by managers only, nothing changed or deleted."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing import pdf
from billing import services as billing
from billing.models import LedgerEntry, Payer, Statement, StatementRun, StatementSkip
from eyecare import clock
from practice.models import AuditEvent
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]
NEW_RUN = "/admin/billing/statementrun/new/"


@pytest.fixture(autouse=True)
def _quick_pdf(monkeypatch):
    monkeypatch.setattr(pdf, "render", lambda statement: f"%PDF {statement.number}".encode())


@pytest.fixture
def desk(client, dana):
    client.force_login(dana)
    return client


@pytest.fixture
def front_desk(client):
    """Somebody who sees money and may post it, and is no manager."""
    account = factories.AccountFactory(is_staff=True)
    names = ["view_payer", "view_ledgerentry", "add_ledgerentry", "view_statement", "view_statementrun"]
    account.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(account)
    return client


def _owing(count: int) -> None:
    for number in range(count):
        factories.LedgerEntryFactory(payer__last_name=f"Payer{number}")


def _run(count: int = 1) -> StatementRun:
    _owing(count)
    run = billing.start_run(as_of=clock.today(), minimum_cents=0)
    billing.work_on(run.pk)
    return run


@pytest.mark.parametrize("model", ["payer", "ledgerentry", "statement", "statementrun", "statementskip"])
def test_a_list_asks_the_database_as_often_for_many_rows_as_for_few(
    desk, model, django_assert_max_num_queries
):
    for _ in range(3):
        _run(6)
        _owing(1)
    with django_assert_max_num_queries(14):
        assert desk.get(f"/admin/billing/{model}/").status_code == 200


def test_the_balances_page_shows_who_owes_what(desk, ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Exam", source="visit:1")
    factories.PatientFactory(last_name="Settled")
    page = desk.get("/admin/billing/payer/?owes=yes").content.decode()
    assert "$125.00" in page
    assert "Ana Silva" in page
    assert "Settled" not in page


def test_a_payers_page_shows_the_ledger_by_age(desk, ana):
    long_ago = clock.today() - timedelta(days=100)
    billing.charge(
        patient=ana, amount_cents=12_500, description="Old exam", source="visit:1", service_on=long_ago
    )
    page = desk.get(reverse("admin:billing_payer_change", args=[ana.pk])).content.decode()
    assert "over 90 days: $125.00" in page
    assert "Old exam" in page


def test_the_desk_posts_a_charge_a_credit_and_a_payment(desk, ana, dana):
    mia = factories.PatientFactory(first_name="Mia", guarantor=ana)
    page = f"/admin/billing/payer/{ana.pk}/"
    service = {"patient": mia.pk, "description": "Glasses", "service_on": "2026-03-01", "_form_submitted": 1}
    desk.post(page + "add_charge/", service | {"key": _key(1), "amount_cents": "90.00"})
    desk.post(page + "add_credit/", service | {"key": _key(2), "amount_cents": "10", "kind": "write_off"})
    taken = {"key": _key(3), "amount_cents": "$30", "description": "Cash", "_form_submitted": 1}
    desk.post(page + "take_payment/", taken)
    desk.post(page + "take_payment/", taken)
    posted = LedgerEntry.objects.order_by("source").values_list("kind", "amount_cents", "patient", "actor")
    assert list(posted) == [
        ("charge", 9_000, mia.pk, dana.pk),
        ("write_off", -1_000, mia.pk, dana.pk),
        ("payment", -3_000, ana.pk, dana.pk),
    ]


@pytest.mark.parametrize("amount", ["", "-5", "0", "abc", "12.345", "99999999"])
def test_an_amount_that_is_none_posts_nothing_and_says_so(desk, ana, amount):
    answer = desk.post(
        f"/admin/billing/payer/{ana.pk}/take_payment/",
        {"key": _key(1), "amount_cents": amount, "description": "Cash", "_form_submitted": 1},
        follow=True,
    )
    assert answer.status_code == 200
    assert any(
        words in answer.content.decode() for words in ("Write an amount", "required", "at most a million")
    )
    assert not LedgerEntry.objects.exists()


def test_a_charge_for_somebody_outside_the_household_is_refused(desk, ana, ben):
    service = {"patient": ben.pk, "description": "Glasses", "service_on": "2026-03-01", "_form_submitted": 1}
    desk.post(
        f"/admin/billing/payer/{ana.pk}/add_charge/", service | {"key": _key(1), "amount_cents": "90.00"}
    )
    assert not LedgerEntry.objects.exists()


def test_an_entry_is_reversed_from_its_page(desk, ana):
    entry = billing.charge(patient=ana, amount_cents=12_500, description="Exam", source="visit:1")
    page = f"/admin/billing/ledgerentry/{entry.pk}/"
    for _ in range(2):
        desk.post(page + "reverse_entry/", {"reason": "typed twice", "_form_submitted": 1})
    assert billing.balance_cents(ana) == 0
    assert LedgerEntry.objects.count() == 2


@pytest.mark.parametrize("model", ["ledgerentry", "statement", "statementrun", "payer"])
def test_nothing_of_money_can_be_added_changed_or_deleted_by_hand(desk, model):
    run = _run()
    row = {
        "ledgerentry": LedgerEntry.objects.first(),
        "statement": Statement.objects.first(),
        "statementrun": run,
        "payer": Payer.objects.first(),
    }[model]
    assert desk.post(f"/admin/billing/{model}/add/").status_code == 403
    assert desk.post(f"/admin/billing/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    before = type(row).objects.values().get(pk=row.pk)
    desk.post(f"/admin/billing/{model}/{row.pk}/change/", {"amount_cents": 1, "number": "x", "as_of": "x"})
    assert type(row).objects.values().get(pk=row.pk) == before


def test_a_manager_sees_a_preview_then_starts_the_run(desk, django_capture_on_commit_callbacks):
    _owing(3)
    factories.LedgerEntryFactory(amount_cents=100)
    page = desk.get(NEW_RUN).content.decode()
    assert "$375.00 in all" in page
    assert "1 below the minimum" in page
    assert not StatementRun.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        answer = desk.post(NEW_RUN, {"as_of": "2026-03-02", "minimum_cents": "5.00"})
    run = StatementRun.objects.get()
    assert answer.url == reverse("admin:billing_statementrun_change", args=[run.pk])
    assert (run.state, Statement.objects.count(), StatementSkip.objects.count()) == ("done", 3, 1)
    assert "3 of 3 statements done" in desk.get(answer.url).content.decode()


@pytest.mark.parametrize("figures", [{"as_of": "2026-03-09", "minimum_cents": "5"}, {"as_of": "x"}, {}])
def test_figures_that_cannot_be_run_are_answered_on_the_page(desk, figures):
    _owing(1)
    assert desk.post(NEW_RUN, figures or {"as_of": ""}).status_code == 200
    assert desk.get(NEW_RUN, figures).status_code == 200
    assert not StatementRun.objects.exists()


def test_progress_is_watched_until_the_run_is_done(desk):
    _owing(2)
    run = billing.start_run(as_of=clock.today(), minimum_cents=0)
    address = reverse("admin:billing_statementrun_progress", args=[run.pk])
    assert "every 2s" in desk.get(address).content.decode()
    billing.work_on(run.pk)
    done = desk.get(address).content.decode()
    assert "every 2s" not in done
    assert "2 to print" in done


def test_who_is_no_manager_starts_no_run_and_touches_no_statement(front_desk):
    run = _run()
    statement = Statement.objects.get()
    assert front_desk.get(NEW_RUN).status_code == 403
    assert front_desk.post(NEW_RUN, {"as_of": "2026-03-02", "minimum_cents": "5"}).status_code == 403
    page = f"/admin/billing/statement/{statement.pk}/"
    assert front_desk.post(page + "void_statement/", {"reason": "x", "_form_submitted": 1}).status_code == 403
    assert front_desk.post(page + "retry_statement/", {"_form_submitted": 1}).status_code == 403
    chosen = {"action": "mark_mailed", "_selected_action": [statement.pk]}
    front_desk.post("/admin/billing/statement/", chosen)
    statement.refresh_from_db()
    assert (statement.state, StatementRun.objects.get()) == (Statement.State.RENDERED, run)


def test_a_statements_pdf_opens_from_its_page(front_desk):
    _run()
    statement = Statement.objects.get()
    answer = front_desk.get(reverse("admin:billing_statement_pdf", args=[statement.pk]))
    assert (answer.content, answer["Content-Type"]) == (b"%PDF S0000001", "application/pdf")
    assert {"private", "no-store"} <= set(answer["Cache-Control"].split(", "))


def test_opening_a_payer_or_a_pdf_leaves_a_read_in_the_record(desk, ana, dana):
    billing.charge(patient=ana, amount_cents=12_500, description="Exam", source="visit:1")
    billing.work_on(billing.start_run(as_of=clock.today(), minimum_cents=0).pk)
    statement = Statement.objects.get()
    desk.get(reverse("admin:billing_payer_change", args=[ana.pk]))
    desk.get(reverse("admin:billing_statement_pdf", args=[statement.pk]))
    reads = AuditEvent.objects.filter(action="read", actor=str(dana.pk)).order_by("id")
    assert list(reads.values_list("table", "row")) == [
        ("patients_patient", str(ana.pk)),
        ("billing_statement", str(statement.pk)),
    ]


def test_a_patient_opens_no_admin_page_of_money(client, ana):
    run = _run()
    client.force_login(ana.account)
    pages = [
        reverse("admin:billing_statement_pdf", args=[Statement.objects.get().pk]),
        reverse("admin:billing_statementrun_progress", args=[run.pk]),
        NEW_RUN,
    ]
    assert [client.get(page).status_code for page in pages] == [302, 302, 302]


def test_managers_void_and_mail_and_download_statements(desk):
    _run(2)
    first, second = Statement.objects.order_by("number")
    voided = {"reason": "wrong guarantor", "_form_submitted": 1}
    desk.post(f"/admin/billing/statement/{first.pk}/void_statement/", voided)
    both = {"_selected_action": [first.pk, second.pk]}
    desk.post("/admin/billing/statement/", both | {"action": "mark_mailed"})
    packed = desk.post("/admin/billing/statement/", both | {"action": "download"})
    states = Statement.objects.order_by("number").values_list("state", flat=True)
    assert list(states) == ["void", "sent"]
    assert b"".join(packed.streaming_content).startswith(b"PK")


def _key(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def test_a_statements_page_names_its_state_in_words(desk):
    _run()
    page = desk.get(reverse("admin:billing_statement_change", args=[Statement.objects.get().pk]))
    assert "(&#x27;" not in page.content.decode()
