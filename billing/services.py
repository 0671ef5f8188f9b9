"""Everything that is written about what is owed. Amounts are integer cents; a caller's are positive."""

from datetime import date
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from billing import aging, pdf, statements, tasks
from billing.models import LedgerEntry, Statement, StatementRun, StatementSkip
from billing.statements import Preview
from eyecare import clock
from eyecare.errors import Invalid, NotFound, Refusal
from messaging import services as messaging
from messaging.models import Message
from patients.models import Account, Patient

Kind = LedgerEntry.Kind
State = Statement.State
MOST_CENTS = 100_000_000
CREDIT_KINDS = frozenset({Kind.ADJUSTMENT, Kind.INSURANCE, Kind.WRITE_OFF})


class SourceTaken(Refusal):
    """The same cause is already in the ledger with other figures."""

    code = "source_taken"


class AlreadyReversed(Refusal):
    code = "already_reversed"


class SomeoneElsePays(Refusal):
    """The bills of this patient go to another person, whose record is not open."""

    code = "someone_else_pays"
    status = 403


class NothingToSend(Refusal):
    code = "nothing_to_send"


class RunUnderWay(Refusal):
    code = "run_under_way"


class WrongState(Refusal):
    code = "wrong_state"


def charge(
    *,
    patient: Patient,
    amount_cents: int,
    description: str,
    source: str,
    service_on: date | None = None,
    actor: Account | None = None,
) -> LedgerEntry:
    """Post what a service costs to whoever pays for this patient.

    The same `source` again returns the entry that is there; with other figures it raises SourceTaken.
    """
    return _post(
        payer=patient.payer,
        patient=patient,
        kind=Kind.CHARGE,
        amount_cents=_positive(amount_cents),
        description=description,
        service_on=service_on,
        source=source,
        actor=actor,
    )


def credit(
    *,
    patient: Patient,
    amount_cents: int,
    description: str,
    source: str,
    kind: str = Kind.ADJUSTMENT,
    service_on: date | None = None,
    actor: Account | None = None,
) -> LedgerEntry:
    """Post something that lowers what is owed and is no payment of the patient's: insurance, a write-off."""
    if kind not in CREDIT_KINDS:
        raise Invalid("A credit is an insurance payment, an adjustment or a write-off.")
    return _post(
        payer=patient.payer,
        patient=patient,
        kind=kind,
        amount_cents=-_positive(amount_cents),
        description=description,
        service_on=service_on,
        source=source,
        actor=actor,
    )


def post_payment(
    *,
    payer: Patient,
    amount_cents: int,
    source: str,
    description: str = "Payment, thank you",
    actor: Account | None = None,
) -> LedgerEntry:
    """Post money that has arrived; the same `source` again posts nothing."""
    return _post(
        payer=payer,
        patient=payer,
        kind=Kind.PAYMENT,
        amount_cents=-_positive(amount_cents),
        description=description,
        source=source,
        actor=actor,
    )


def post_refund(
    *,
    payer: Patient,
    amount_cents: int,
    source: str,
    description: str = "Refund to your card",
    actor: Account | None = None,
) -> LedgerEntry:
    """Post money that was given back; the same `source` again posts nothing."""
    return _post(
        payer=payer,
        patient=payer,
        kind=Kind.REFUND,
        amount_cents=_positive(amount_cents),
        description=description,
        source=source,
        actor=actor,
    )


def reverse(*, entry: LedgerEntry, reason: str = "", actor: Account | None = None) -> LedgerEntry:
    """Undo an entry with its opposite; both stay in the ledger."""
    if entry.reverses_id:
        raise AlreadyReversed("A reversal cannot be reversed. Post the entry again instead.")
    if LedgerEntry.objects.filter(reverses=entry).exists():
        raise AlreadyReversed("This entry has been reversed already.")
    return _post(
        payer=entry.payer,
        patient=entry.patient,
        kind=entry.kind,
        amount_cents=-entry.amount_cents,
        description=f"Reversed: {reason or entry.description}",
        source=f"reversal:{entry.pk}",
        actor=actor,
        reverses=entry,
    )


def _post(
    *,
    payer: Patient,
    patient: Patient,
    kind: str,
    amount_cents: int,
    description: str,
    source: str,
    service_on: date | None = None,
    actor: Account | None = None,
    reverses: LedgerEntry | None = None,
) -> LedgerEntry:
    if not description.strip():
        raise Invalid("Say what the amount is for.")
    if service_on and service_on > clock.today():
        raise Invalid("The day of service cannot lie in the future.")
    try:
        with transaction.atomic():
            lock_ledger(payer.pk)
            return LedgerEntry.objects.create(
                payer=payer,
                patient=patient,
                kind=kind,
                amount_cents=amount_cents,
                description=description.strip()[:160],
                service_on=service_on or clock.today(),
                source=source,
                actor=actor,
                reverses=reverses,
            )
    except IntegrityError:
        return _already_posted(source=source, payer=payer, amount_cents=amount_cents)


def _already_posted(*, source: str, payer: Patient, amount_cents: int) -> LedgerEntry:
    entry = LedgerEntry.objects.get(source=source)
    if (entry.payer_id, entry.amount_cents) != (payer.pk, amount_cents):
        raise SourceTaken("This has been posted already, with another amount.")
    return entry


def _positive(amount_cents: int) -> int:
    if not 0 < amount_cents <= MOST_CENTS:
        raise Invalid("The amount must be more than nothing and at most a million dollars.")
    return amount_cents


def lock_ledger(*payers: UUID) -> None:
    """Let one transaction at a time write the ledgers of these payers, given by their keys, until it ends.

    So an entry that is not on a statement was posted after the moment at which the statement was frozen.
    SQLite has one writer at a time anyway.
    """
    rows = Patient.objects.select_for_update(no_key=True).filter(pk__in=payers)
    list(rows.order_by("pk").values("pk"))


def balance_cents(payer: Patient) -> int:
    """Return what the payer owes; negative when they are in credit."""
    return LedgerEntry.objects.for_payer(payer).total_cents()


def entries_of(payer: Patient) -> QuerySet[LedgerEntry]:
    """Return the payer's ledger, newest first, with whom each entry was for."""
    return LedgerEntry.objects.for_payer(payer).select_related("patient")


def aging_of(payer: Patient) -> aging.Aging:
    return aging.buckets(LedgerEntry.objects.for_payer(payer), clock.today())


def unpaid_charges(payer: Patient) -> list[aging.Unpaid]:
    """Return what the balance is made of, oldest first."""
    return aging.unpaid(entries_of(payer))[0]


def payer_for(patient: Patient, account: Account | None) -> Patient:
    """Return whose balance may be shown beside this patient's record.

    For somebody whose bills go to another person it is that person, if the account acts for them too;
    otherwise it raises SomeoneElsePays, because a guarantor's ledger names the whole household.
    """
    if patient.guarantor is None:
        return patient
    if account and Patient.objects.open_to(account).filter(pk=patient.guarantor.pk).exists():
        return patient.guarantor
    raise SomeoneElsePays(
        f"Bills for {patient.first_name} go to another person in the household, who can see and pay them."
    )


def statements_of(payer: Patient) -> QuerySet[Statement]:
    """Return the statements that the payer may see, newest first, without their PDFs."""
    return Statement.objects.for_payer(payer).visible().defer("pdf")


def get_statement_for(patient: Patient, statement_id: Any) -> Statement:
    """Return a statement that this payer may see; NotFound for anybody else's, void or unmade ones."""
    try:
        return Statement.objects.for_payer(patient).visible().get(pk=statement_id)
    except (Statement.DoesNotExist, ValidationError, ValueError, TypeError) as missing:
        raise NotFound("We could not find that statement.") from missing


def why_not_to_tell(message: Message) -> str:
    """Return why a message about a statement must not leave any more, or ""."""
    told = Statement.objects.visible().filter(pk=message.subject_id)
    return "" if told.exists() else "the statement is void"


def preview(*, as_of: date, minimum_cents: int) -> Preview:
    """Return what a run would do now; changes nothing."""
    _check(as_of=as_of, minimum_cents=minimum_cents)
    return statements.plan(as_of=as_of, minimum_cents=minimum_cents)


def start_run(*, as_of: date, minimum_cents: int, actor: Account | None = None) -> StatementRun:
    """Freeze the statements of a day as rows, all or none; a worker then makes and sends them one by one."""
    _check(as_of=as_of, minimum_cents=minimum_cents)
    try:
        with transaction.atomic():
            run = _freeze_run(as_of=as_of, minimum_cents=minimum_cents, actor=actor)
    except IntegrityError as clash:
        raise RunUnderWay("Somebody has just started a run for that day.") from clash
    _nudge(run.pk)
    return run


def work_on(run_id: UUID | str) -> None:
    """Make and send what is left of a run. Safe to run twice, at once, and after a kill at any point."""
    while statement := _claim(run_id):
        _make(statement)
    left = Statement.objects.filter(run=OuterRef("pk"), state=State.QUEUED)
    running = StatementRun.objects.filter(~Exists(left), pk=run_id, state=StatementRun.State.RUNNING)
    running.update(state=StatementRun.State.DONE, finished_at=clock.now())


def retry(*, statement: Statement) -> Statement:
    """Queue a failed statement again, as it was frozen."""
    with transaction.atomic():
        failed = Statement.objects.filter(pk=statement.pk, state=State.FAILED)
        if not failed.update(state=State.QUEUED, attempts=0, claimed_at=None, error=""):
            raise WrongState("Only a failed statement can be tried again.")
        StatementRun.objects.filter(pk=statement.run_id).update(
            state=StatementRun.State.RUNNING, finished_at=None
        )
        _nudge(statement.run_id)
    statement.refresh_from_db()
    return statement


def void(*, statement: Statement, reason: str) -> Statement:
    """Take a statement back: the payer no longer sees it, and the next one covers its entries again."""
    if not reason.strip():
        raise Invalid("Say why the statement is void.")
    live = Statement.objects.live().filter(pk=statement.pk)
    if not live.update(state=State.VOID, void_reason=reason.strip()[:200]):
        raise WrongState("This statement is void already.")
    statement.refresh_from_db()
    return statement


def mark_mailed(*, statement: Statement) -> Statement:
    """Record that a printed statement went into the post."""
    printed = Statement.objects.filter(pk=statement.pk, state=State.RENDERED)
    if not printed.update(state=State.SENT, sent_at=clock.now()):
        raise WrongState("Only a statement that waits to be printed can be marked as mailed.")
    statement.refresh_from_db()
    return statement


def _nudge(run_id: UUID) -> None:
    # robust: the rows are there, the sweep finds them when the broker does not answer
    transaction.on_commit(partial(tasks.work_on_run.delay, str(run_id)), robust=True)


def _check(*, as_of: date, minimum_cents: int) -> None:
    if as_of > clock.today():
        raise Invalid("Statements cannot be made for a day that has not come yet.")
    if not 0 <= minimum_cents <= MOST_CENTS:
        raise Invalid("The smallest balance must be between nothing and a million dollars.")


def _freeze_run(*, as_of: date, minimum_cents: int, actor: Account | None) -> StatementRun:
    lock_ledger(*statements.payers(as_of))
    plan = statements.plan(as_of=as_of, minimum_cents=minimum_cents)
    if not plan.statements:
        raise NothingToSend("Nobody is due a statement for that day.")
    run = StatementRun.objects.create(as_of=as_of, minimum_cents=minimum_cents, created_by=actor)
    Statement.objects.bulk_create(statements.freeze(run, plan.statements), batch_size=200)
    StatementSkip.objects.bulk_create(
        StatementSkip(run=run, payer=skip.payer, reason=skip.reason, balance_cents=skip.balance_cents)
        for skip in plan.skips
    )
    return run


def _claim(run_id: UUID | str) -> Statement | None:
    waiting = Statement.objects.claimable().filter(run__pk=run_id)
    # those that ended a worker before come last, so that one bad statement holds up no other
    by_turn = waiting.order_by("attempts", "number").values_list("pk", flat=True)
    while pk := by_turn.first():
        if waiting.filter(pk=pk).update(claimed_at=clock.now(), attempts=F("attempts") + 1):
            return Statement.objects.select_related("payer").get(pk=pk)
    return None


def _make(statement: Statement) -> None:
    if statement.attempts > Statement.MOST_ATTEMPTS:
        _fail(statement, "Making this statement ended the worker again and again.")
        return
    try:
        document = pdf.render(statement)
    except pdf.RenderingFailed as problem:
        _fail(statement, str(problem))
        return
    _publish(statement, document)


@transaction.atomic
def _publish(statement: Statement, document: bytes) -> None:
    made = _still_mine(statement).update(
        pdf=document, pdf_sha256=sha256(document).hexdigest(), state=State.RENDERED, error=""
    )
    if made and statement.delivery != Statement.Delivery.PAPER and _tell(statement):
        Statement.objects.filter(pk=statement.pk).update(state=State.SENT, sent_at=clock.now())


def _fail(statement: Statement, problem: str) -> None:
    _still_mine(statement).update(state=State.FAILED, error=problem[:300])


def _still_mine(statement: Statement) -> QuerySet[Statement]:
    """Return the row unless another worker took it over or somebody made it void meanwhile."""
    return Statement.objects.filter(pk=statement.pk, state=State.QUEUED, claimed_at=statement.claimed_at)


def _tell(statement: Statement) -> bool:
    """Put the message to the payer into the outbox, once; False when there is no way to send one."""
    by_email = statement.delivery == Statement.Delivery.EMAIL
    message = messaging.queue(
        kind="statement_ready",
        reason=f"statement:{statement.pk}",
        patient=statement.payer,
        to=statement.payer.email if by_email else None,
        channel=statement.delivery,
        context={},
        subject_id=str(statement.pk),
    )
    return message is not None
