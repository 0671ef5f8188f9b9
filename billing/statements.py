"""What stands on a statement, and who gets none: calculated from the ledger, nothing is written here."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from billing import aging
from billing.models import LedgerEntry, Statement, StatementSkip
from patients.models import Patient

Reason = StatementSkip.Reason


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
