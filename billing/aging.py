"""How old a debt is: credits pay the oldest charges first, what is left is sorted by its age."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from django.utils.translation import gettext_lazy as _

LABELS = (_("0–30 days"), _("31–60 days"), _("61–90 days"), _("over 90 days"))
_LAST_DAYS = (30, 60, 90)


class Entry(Protocol):
    """What aging needs to know of an entry of the ledger."""

    @property
    def id(self) -> UUID: ...
    @property
    def amount_cents(self) -> int: ...
    @property
    def service_on(self) -> date: ...
    @property
    def description(self) -> str: ...
    @property
    def reverses_id(self) -> UUID | None: ...


@dataclass(frozen=True)
class Aging:
    """What is owed by age, in cents; `credit_cents` is what was paid beyond all charges."""

    buckets: tuple[int, int, int, int] = (0, 0, 0, 0)
    credit_cents: int = 0

    @property
    def balance_cents(self) -> int:
        return sum(self.buckets) - self.credit_cents

    @property
    def by_label(self) -> list[tuple[str, int]]:
        return [(str(label), cents) for label, cents in zip(LABELS, self.buckets, strict=True)]

    @property
    def overdue_cents(self) -> int:
        """Return what is owed for longer than 30 days."""
        return sum(self.buckets[1:])


@dataclass(frozen=True)
class Unpaid:
    """A charge and what is still owed of it, in cents."""

    entry: Entry
    cents: int


def unpaid(entries: Iterable[Entry]) -> tuple[list[Unpaid], int]:
    """Return the charges of one payer that are not paid yet, oldest first, and the credit left over.

    A reversal undoes its own entry, so the pair counts for nothing; every other credit pays the oldest debt.
    """
    standing = _without_reversed(list(entries))
    credit = -sum(entry.amount_cents for entry in standing if entry.amount_cents < 0)
    left: list[Unpaid] = []
    for debt in sorted((entry for entry in standing if entry.amount_cents > 0), key=_day):
        paid = min(credit, debt.amount_cents)
        credit -= paid
        if paid < debt.amount_cents:
            left.append(Unpaid(debt, debt.amount_cents - paid))
    return left, credit


def buckets(entries: Iterable[Entry], as_of: date) -> Aging:
    """Return the debts of one payer by the days since the service: 0–30, 31–60, 61–90, over 90."""
    left, credit = unpaid(entries)
    owed = [0, 0, 0, 0]
    for debt in left:
        owed[_bucket((as_of - debt.entry.service_on).days)] += debt.cents
    return Aging((owed[0], owed[1], owed[2], owed[3]), credit)


def _day(entry: Entry) -> date:
    return entry.service_on


def _without_reversed(entries: list[Entry]) -> list[Entry]:
    known = {entry.id for entry in entries}
    undone = {entry.reverses_id for entry in entries if entry.reverses_id in known}
    return [entry for entry in entries if entry.id not in undone and entry.reverses_id not in undone]


def _bucket(days: int) -> int:
    return next((place for place, last in enumerate(_LAST_DAYS) if days <= last), len(_LAST_DAYS))
