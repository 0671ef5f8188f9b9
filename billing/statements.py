"""What stands on a statement, and who gets none: read from the ledger, nothing is written here."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import Exists, Max, OuterRef, QuerySet, Subquery, Sum

from billing import aging
from billing.models import BillingHold, LedgerEntry, Statement, StatementRun, StatementSkip
from eyecare import clock
from messaging.models import OptOut
from patients.models import Consent, Patient

Reason = StatementSkip.Reason
RECENT = timedelta(days=14)
"""Who has had a statement in that time gets no other."""


@dataclass(frozen=True)
class Planned:
    """A payer who gets a statement, and how they hear of it."""

    payer: Patient
    balance_cents: int
    delivery: Statement.Delivery


@dataclass(frozen=True)
class Skipped:
    """A payer who gets none, and why."""

    payer: Patient
    balance_cents: int
    reason: StatementSkip.Reason


@dataclass(frozen=True)
class Preview:
    """What a run would do now."""

    as_of: date
    minimum_cents: int
    statements: tuple[Planned, ...]
    skips: tuple[Skipped, ...]

    @property
    def total_cents(self) -> int:
        return sum(planned.balance_cents for planned in self.statements)

    @property
    def skip_counts(self) -> list[tuple[str, int]]:
        """Return each reason in words with its number of payers, the commonest first."""
        return Counter(str(skipped.reason.label) for skipped in self.skips).most_common()

    @property
    def delivery_counts(self) -> list[tuple[str, int]]:
        return Counter(str(planned.delivery.label) for planned in self.statements).most_common()


def payers(as_of: date) -> dict[UUID, int]:
    """Return everybody in the ledger of a day, by their keys, with their balance."""
    totals = LedgerEntry.objects.until(as_of).order_by().values_list("payer").annotate(Sum("amount_cents"))
    return dict(totals)


def plan(*, as_of: date, minimum_cents: int) -> Preview:
    """Return who would get a statement now and who would not."""
    balances = payers(as_of)
    holds = dict(BillingHold.objects.on(clock.today()).values_list("payer", "reason"))
    lately = set(Statement.objects.live().filter(as_of__gt=as_of - RECENT).values_list("payer", flat=True))
    planned: list[Planned] = []
    skipped: list[Skipped] = []
    for payer in _with_consents(balances):
        owed, delivery = balances[payer.pk], _delivery(payer)
        reason = skip_reason(
            balance_cents=owed,
            minimum_cents=minimum_cents,
            hold=holds.get(payer.pk),
            had_one_lately=payer.pk in lately,
            delivery=delivery,
        )
        if reason is None and delivery:
            planned.append(Planned(payer, owed, delivery))
        elif reason:
            skipped.append(Skipped(payer, owed, reason))
    return Preview(as_of, minimum_cents, tuple(planned), tuple(skipped))


def freeze(run: StatementRun, planned: Iterable[Planned]) -> list[Statement]:
    """Return the rows of a run, not saved yet, with the figures and lines of this moment."""
    ledgers = _ledgers(run.as_of)
    last = _last_statements(run.as_of)
    return [
        Statement(
            run=run,
            payer=plan.payer,
            number=f"S{number:07}",
            as_of=run.as_of,
            delivery=plan.delivery,
            created_at=run.created_at,
            **figures(ledgers[plan.payer.pk], run.as_of, last.get(plan.payer.pk)),
        )
        for number, plan in enumerate(planned, start=_next_number())
    ]


def skip_reason(
    *,
    balance_cents: int,
    minimum_cents: int,
    hold: str | None,
    had_one_lately: bool,
    delivery: Statement.Delivery | None,
) -> StatementSkip.Reason | None:
    """Return why a payer gets no statement, the weightiest reason first; None when they get one."""
    if balance_cents <= 0:
        return Reason.CREDIT if balance_cents else Reason.NOTHING_OWED
    if hold:
        return Reason(hold)
    if had_one_lately:
        return Reason.RECENT
    if balance_cents < minimum_cents:
        return Reason.BELOW_MINIMUM
    return None if delivery else Reason.BAD_ADDRESS


def figures(
    entries: Sequence[LedgerEntry], as_of: date, last: tuple[date, datetime] | None
) -> dict[str, Any]:
    """Return the frozen fields of a statement over one payer's entries, oldest first.

    `last` is the day and the moment of freezing of the statement before. Without one, the lines begin
    where the payer last owed nothing, so that nobody is sent years of settled visits.
    """
    listed = _since_statement(entries, *last) if last else _since_settled(entries)
    closing = sum(entry.amount_cents for entry in entries)
    charges = sum(entry.amount_cents for entry in listed if entry.amount_cents > 0)
    credits = sum(entry.amount_cents for entry in listed if entry.amount_cents < 0)
    return {
        "opening_cents": closing - charges - credits,
        "charges_cents": charges,
        "credits_cents": credits,
        "closing_cents": closing,
        "aging_cents": list(aging.buckets(entries, as_of).buckets),
        "lines": [_line(entry) for entry in listed],
    }


def _since_statement(entries: Iterable[LedgerEntry], day: date, frozen_at: datetime) -> list[LedgerEntry]:
    return [entry for entry in entries if entry.posted_on > day or entry.posted_at > frozen_at]


def _since_settled(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    begin = balance = 0
    for place, entry in enumerate(entries, start=1):
        balance += entry.amount_cents
        if balance == 0:
            begin = place
    return list(entries[begin:])


def _line(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "entry": str(entry.pk),
        "on": entry.service_on.isoformat(),
        "patient": entry.patient.name,
        "description": entry.description,
        "cents": entry.amount_cents,
    }


def _with_consents(keys: Iterable[UUID]) -> QuerySet[Patient]:
    """Return these payers with what they agreed to."""
    newest = Consent.objects.filter(patient=OuterRef("pk")).order_by("-at", "-id").values("granted")
    return Patient.objects.filter(pk__in=list(keys)).annotate(
        texts=Subquery(newest.filter(kind=Consent.Kind.BILLING_TEXTS)[:1]),
        emails=Subquery(newest.filter(kind=Consent.Kind.EMAIL)[:1]),
        opted_out=Exists(OptOut.objects.filter(phone=OuterRef("phone"))),
    )


def _delivery(payer: Patient) -> Statement.Delivery | None:
    if payer.phone and payer.texts and not payer.opted_out:  # type: ignore[attr-defined]
        return Statement.Delivery.SMS
    if payer.email and payer.emails:  # type: ignore[attr-defined]
        return Statement.Delivery.EMAIL
    return Statement.Delivery.PAPER if payer.address else None


def _ledgers(as_of: date) -> dict[UUID, list[LedgerEntry]]:
    """Return the entries of every payer, oldest first."""
    entries = LedgerEntry.objects.until(as_of).select_related("patient").order_by("payer", "posted_at", "id")
    return {payer: list(own) for payer, own in groupby(entries, key=attrgetter("payer_id"))}


def _last_statements(as_of: date) -> dict[UUID, tuple[date, datetime]]:
    before = Statement.objects.live().filter(as_of__lt=as_of).order_by("as_of")
    return {payer: (day, moment) for payer, day, moment in before.values_list("payer", "as_of", "created_at")}


def _next_number() -> int:
    latest = Statement.objects.aggregate(latest=Max("number"))["latest"]
    return int(latest[1:]) + 1 if latest else 1
