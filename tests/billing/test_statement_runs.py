"""A run: previewed without a trace, frozen as rows, made and sent one by one, carried on after a kill."""

from datetime import date, timedelta

import pytest

from billing import pdf
from billing import services as billing
from billing.models import BillingHold, LedgerEntry, Statement, StatementRun, StatementSkip
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from messaging import services as messaging
from messaging.models import Message, OptOut
from patients.models import Consent, Patient
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]
TODAY = date(2026, 3, 2)
Reason = StatementSkip.Reason
State = Statement.State


@pytest.fixture(autouse=True)
def _quick_pdf(monkeypatch):
    """The page itself has tests of its own."""
    monkeypatch.setattr(pdf, "render", lambda statement: f"%PDF {statement.number}".encode())


def _owing(cents: int = 12_500, *, texts: bool = True, **fields: object) -> Patient:
    payer = factories.PatientFactory(**fields)
    if texts:
        factories.ConsentFactory(patient=payer, kind=Consent.Kind.BILLING_TEXTS)
    factories.LedgerEntryFactory(payer=payer, amount_cents=cents, posted_at=clock.now() - timedelta(days=10))
    return payer


def _start(as_of: date = TODAY, minimum_cents: int = 500) -> StatementRun:
    return billing.start_run(as_of=as_of, minimum_cents=minimum_cents)


def _reasons(preview) -> dict[Patient, Reason]:
    return {skipped.payer: skipped.reason for skipped in preview.skips}


def _counts() -> tuple[int, ...]:
    models = (StatementRun, Statement, StatementSkip, LedgerEntry, Message)
    return tuple(model.objects.count() for model in models)


def test_a_preview_changes_nothing():
    _owing()
    _owing(100)
    before = _counts()
    preview = billing.preview(as_of=TODAY, minimum_cents=500)
    assert (len(preview.statements), preview.total_cents, preview.skip_counts) == (
        1,
        12_500,
        [("below the minimum", 1)],
    )
    assert _counts() == before


def test_everybody_who_is_skipped_has_a_reason():
    settled, in_credit, small = _owing(), _owing(), _owing(499)
    billing.post_payment(payer=settled, amount_cents=12_500, source="desk:1")
    billing.post_payment(payer=in_credit, amount_cents=12_501, source="desk:2")
    held = {reason: _owing() for reason in BillingHold.Reason}
    for reason, payer in held.items():
        BillingHold.objects.create(payer=payer, reason=reason)
    nowhere = _owing(texts=False, address="")
    assert _reasons(billing.preview(as_of=TODAY, minimum_cents=500)) == {
        settled: Reason.NOTHING_OWED,
        in_credit: Reason.CREDIT,
        small: Reason.BELOW_MINIMUM,
        nowhere: Reason.BAD_ADDRESS,
        **{payer: Reason(reason) for reason, payer in held.items()},
    }


def test_a_hold_that_has_ended_holds_nobody():
    payer = _owing()
    past = {"starts_on": TODAY - timedelta(days=9), "ends_on": TODAY - timedelta(days=1)}
    BillingHold.objects.create(payer=payer, reason=BillingHold.Reason.DISPUTE, **past)
    assert [planned.payer for planned in billing.preview(as_of=TODAY, minimum_cents=0).statements] == [payer]


def test_entries_posted_after_the_day_do_not_count():
    payer = _owing()
    factories.LedgerEntryFactory(payer=payer, amount_cents=700, posted_on=TODAY)
    preview = billing.preview(as_of=TODAY - timedelta(days=1), minimum_cents=0)
    assert [planned.balance_cents for planned in preview.statements] == [12_500]


def test_a_run_for_a_day_to_come_is_refused():
    with pytest.raises(Invalid):
        billing.preview(as_of=TODAY + timedelta(days=1), minimum_cents=0)
    with pytest.raises(Invalid):
        billing.preview(as_of=TODAY, minimum_cents=-1)


def test_a_preview_of_many_payers_asks_the_database_as_often_as_one_of_few(django_assert_max_num_queries):
    for _ in range(12):
        _owing()
    with django_assert_max_num_queries(5):
        billing.preview(as_of=TODAY, minimum_cents=0)


def test_a_run_freezes_one_statement_for_each_payer_with_the_household_on_it(ana):
    mia = factories.PatientFactory(first_name="Mia", last_name="Silva", guarantor=ana)
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    billing.charge(patient=mia, amount_cents=9_000, description="Glasses", source="visit:2")
    billing.post_payment(payer=ana, amount_cents=1_500, source="desk:1")
    run = _start()
    statement = Statement.objects.get()
    assert (statement.run, statement.payer) == (run, ana)
    assert (statement.opening_cents, statement.charges_cents, statement.credits_cents) == (0, 21_500, -1_500)
    assert (statement.closing_cents, statement.aging_cents) == (20_000, [20_000, 0, 0, 0])
    assert sorted((line["patient"], line["cents"]) for line in statement.lines) == [
        ("Ana Silva", -1_500),
        ("Ana Silva", 12_500),
        ("Mia Silva", 9_000),
    ]


def test_the_next_statement_begins_where_the_last_one_ended():
    payer = _owing()
    _start()
    with clock.frozen_at(clock.now() + timedelta(days=30)):
        billing.post_payment(payer=payer, amount_cents=2_500, source="desk:1")
        billing.charge(patient=payer, amount_cents=4_000, description="Drops", source="visit:9")
        _start(clock.today())
    second = Statement.objects.get(as_of=TODAY + timedelta(days=30))
    assert (second.opening_cents, second.charges_cents, second.credits_cents) == (12_500, 4_000, -2_500)
    assert sorted(line["cents"] for line in second.lines) == [-2_500, 4_000]


def test_an_entry_posted_later_on_the_day_of_a_statement_is_on_the_next_one():
    payer = _owing()
    _start()
    with clock.frozen_at(clock.now() + timedelta(hours=2)):
        billing.charge(patient=payer, amount_cents=4_000, description="Drops", source="visit:9")
    with clock.frozen_at(clock.now() + timedelta(days=30)):
        _start(clock.today())
    assert [line["cents"] for line in Statement.objects.order_by("as_of").last().lines] == [4_000]


def test_the_first_statement_leaves_out_what_was_settled_long_ago():
    payer = factories.PatientFactory()
    for cents, days in ((5_000, 400), (-5_000, 390), (700, 3)):
        kind = LedgerEntry.Kind.CHARGE if cents > 0 else LedgerEntry.Kind.PAYMENT
        posted_at = clock.now() - timedelta(days=days)
        factories.LedgerEntryFactory(payer=payer, amount_cents=cents, kind=kind, posted_at=posted_at)
    _start()
    assert [line["cents"] for line in Statement.objects.get().lines] == [700]


def test_a_void_statement_is_covered_by_the_next():
    payer = _owing()
    _start()
    billing.void(statement=Statement.objects.get(), reason="wrong guarantor")
    _start()
    again = Statement.objects.exclude(state=State.VOID).get()
    assert (again.payer, again.opening_cents, again.charges_cents) == (payer, 0, 12_500)


def test_who_had_a_statement_in_the_last_fourteen_days_gets_none():
    payer = _owing()
    _start()
    for days, reasons in ((1, {payer: Reason.RECENT}), (13, {payer: Reason.RECENT}), (14, {})):
        with clock.frozen_at(clock.now() + timedelta(days=days)):
            assert _reasons(billing.preview(as_of=clock.today(), minimum_cents=0)) == reasons


def test_numbers_are_unique_and_go_on_from_run_to_run():
    for _ in range(3):
        _owing()
    _start()
    _owing()
    _start()
    numbers = Statement.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == ["S0000001", "S0000002", "S0000003", "S0000004"]


def test_starting_twice_sends_nothing_twice():
    _owing()
    _start()
    with pytest.raises(billing.NothingToSend):
        _start()
    assert StatementRun.objects.count() == Statement.objects.count() == 1


def test_a_run_makes_every_statement_and_tells_each_payer_once(django_capture_on_commit_callbacks):
    by_text, by_email, on_paper = _owing(), _owing(texts=False), _owing(texts=False)
    factories.ConsentFactory(patient=by_email, kind=Consent.Kind.EMAIL)
    with django_capture_on_commit_callbacks(execute=True):
        run = _start()
    run.refresh_from_db()
    states = dict(Statement.objects.values_list("payer", "state"))
    assert states == {by_text.pk: State.SENT, by_email.pk: State.SENT, on_paper.pk: State.RENDERED}
    assert (run.state, run.finished_at) == (StatementRun.State.DONE, clock.now())
    told = Message.objects.filter(kind="statement_ready").values_list("patient", "channel", "to")
    assert set(told) == {
        (by_text.pk, "sms", str(by_text.phone)),
        (by_email.pk, "email", by_email.email),
    }


def test_the_message_says_where_to_look_and_nothing_of_what_for():
    _owing()
    billing.work_on(_start().pk)
    body = Message.objects.get().body
    assert "/dues/" in body
    assert "exam" not in body
    assert "$" not in body


def test_who_opted_out_of_texts_gets_paper():
    payer = _owing()
    OptOut.objects.create(phone=payer.phone, word="STOP")
    billing.work_on(_start().pk)
    statement = Statement.objects.get()
    assert (statement.delivery, statement.state) == (Statement.Delivery.PAPER, State.RENDERED)
    assert not Message.objects.exists()
    billing.mark_mailed(statement=statement)
    assert (statement.state, statement.sent_at) == (State.SENT, clock.now())


def test_working_on_a_run_twice_changes_nothing():
    _owing()
    run = _start()
    billing.work_on(run.pk)
    before = Statement.objects.values().get()
    billing.work_on(run.pk)
    assert Statement.objects.values().get() == before
    assert Message.objects.count() == 1


def test_a_failure_touches_one_statement_and_can_be_tried_again(monkeypatch):
    bad, good = _owing(last_name="Able"), _owing(last_name="Baker")
    with monkeypatch.context() as patch:
        patch.setattr(pdf, "render", _failing_for(bad))
        run = _start()
        billing.work_on(run.pk)
    failed = Statement.objects.get(payer=bad)
    assert (failed.state, failed.error) == (State.FAILED, "no such font")
    assert Statement.objects.get(payer=good).state == State.SENT
    billing.retry(statement=failed)
    run.refresh_from_db()
    assert run.state == StatementRun.State.RUNNING
    billing.work_on(run.pk)
    failed.refresh_from_db()
    assert (failed.state, failed.error, Message.objects.count()) == (State.SENT, "", 2)


def test_a_killed_worker_leaves_a_run_that_the_sweep_finishes_with_nothing_twice(monkeypatch):
    for _ in range(5):
        _owing()
    run = _start()
    with monkeypatch.context() as patch:
        patch.setattr(pdf, "render", _killed_at(3))
        with pytest.raises(SystemExit):
            billing.work_on(run.pk)
    assert Statement.objects.filter(state=State.SENT).count() == 2
    with clock.frozen_at(clock.now() + Statement.CLAIM_LASTS + timedelta(seconds=1)):
        billing.work_on(run.pk)
    run.refresh_from_db()
    assert run.state == StatementRun.State.DONE
    assert Statement.objects.filter(state=State.SENT).count() == Message.objects.count() == 5


def test_a_statement_in_another_workers_hands_is_left_to_it(monkeypatch):
    _owing()
    run = _start()
    with monkeypatch.context() as patch:
        patch.setattr(pdf, "render", _killed_at(1))
        with pytest.raises(SystemExit):
            billing.work_on(run.pk)
    billing.work_on(run.pk)  # the first one's claim still holds
    run.refresh_from_db()
    assert (Statement.objects.get().state, run.state) == (State.QUEUED, StatementRun.State.RUNNING)


def test_a_statement_that_ends_every_worker_fails_alone(monkeypatch):
    fatal = _owing(last_name="Able")
    other = _owing(last_name="Baker")
    run = _start()
    with monkeypatch.context() as patch:
        patch.setattr(pdf, "render", _fatal_for(fatal))
        for minutes in (0, 3, 6):
            with clock.frozen_at(clock.now() + timedelta(minutes=minutes)), pytest.raises(SystemExit):
                billing.work_on(run.pk)
        with clock.frozen_at(clock.now() + timedelta(minutes=9)):
            billing.work_on(run.pk)
    assert dict(Statement.objects.values_list("payer", "state")) == {
        fatal.pk: State.FAILED,
        other.pk: State.SENT,
    }


def test_a_statement_made_void_while_it_is_made_reaches_nobody(monkeypatch):
    _owing()
    run = _start()
    statement = Statement.objects.get()

    def overtaken(_: Statement) -> bytes:
        billing.void(statement=statement, reason="wrong guarantor")
        return b"%PDF"

    monkeypatch.setattr(pdf, "render", overtaken)
    billing.work_on(run.pk)
    statement.refresh_from_db()
    assert (statement.state, statement.pdf, Message.objects.count()) == (State.VOID, None, 0)


def test_a_message_about_a_void_statement_is_dropped(settings):
    _owing()
    billing.work_on(_start().pk)
    billing.void(statement=Statement.objects.get(), reason="wrong guarantor")
    messaging.send(Message.objects.get().pk)
    message = Message.objects.get()
    assert (message.state, message.explanation) == (Message.State.DROPPED, "the statement is void")


def test_only_a_failed_statement_is_tried_again_and_void_is_once():
    _owing()
    billing.work_on(_start().pk)
    statement = Statement.objects.get()
    with pytest.raises(billing.WrongState):
        billing.retry(statement=statement)
    with pytest.raises(billing.WrongState):
        billing.mark_mailed(statement=statement)
    with pytest.raises(Invalid):
        billing.void(statement=statement, reason=" ")
    billing.void(statement=statement, reason="wrong guarantor")
    with pytest.raises(billing.WrongState):
        billing.void(statement=statement, reason="again")
    statement.refresh_from_db()
    assert statement.void_reason == "wrong guarantor"


def test_the_balance_never_reads_statements():
    payer = _owing()
    billing.work_on(_start().pk)
    assert billing.balance_cents(payer) == 12_500
    billing.void(statement=Statement.objects.get(), reason="wrong guarantor")
    assert billing.balance_cents(payer) == 12_500


def test_another_payers_statement_looks_missing(ana):
    payer = _owing()
    billing.work_on(_start().pk)
    statement = Statement.objects.get()
    assert billing.get_statement_for(payer, statement.pk) == statement
    for who, what in ((ana, statement.pk), (payer, "nonsense"), (payer, None)):
        with pytest.raises(NotFound, match="could not find that statement"):
            billing.get_statement_for(who, what)


@pytest.mark.parametrize("state", [State.QUEUED, State.FAILED, State.VOID])
def test_a_statement_that_was_not_sent_or_is_void_looks_missing_to_its_payer(state):
    payer = _owing()
    billing.work_on(_start().pk)
    Statement.objects.update(state=state)
    with pytest.raises(NotFound):
        billing.get_statement_for(payer, Statement.objects.get().pk)
    assert not billing.statements_of(payer).exists()


def _failing_for(payer: Patient):
    def render(statement: Statement) -> bytes:
        if statement.payer == payer:
            raise pdf.RenderingFailed("no such font")
        return b"%PDF"

    return render


def _killed_at(count: int):
    made: list[Statement] = []

    def render(statement: Statement) -> bytes:
        made.append(statement)
        if len(made) == count:
            raise SystemExit
        return b"%PDF"

    return render


def _fatal_for(payer: Patient):
    def render(statement: Statement) -> bytes:
        if statement.payer == payer:
            raise SystemExit
        return b"%PDF"

    return render
