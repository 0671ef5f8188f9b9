"""Whom a time that came free suits, the best first. Pure calculation, no database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from appointments.availability import Slot
from appointments.models import Appointment, VisitType, WaitlistEntry

NEVER = datetime.max.replace(tzinfo=UTC)
"""When somebody comes who has no visit at all."""


@dataclass(frozen=True)
class Wish:
    """A wish with what the diary says of its patient.

    `moves` is the visit that a yes would move; `elsewhere` holds the patient's other visits and holds.
    """

    entry: WaitlistEntry
    moves: Appointment | None = None
    elsewhere: Sequence[Appointment] = ()

    @property
    def is_void(self) -> bool:
        """Say whether the visit is gone for which an earlier time was wished."""
        return self.entry.moving_id is not None and self.moves is None

    def fits(self, slot: Slot) -> bool:
        """Say whether a slot of the wished kind of visit is what was wished for and the patient can come."""
        return (
            not self.is_void
            and self._suits(slot)
            and (self.moves is None or slot.starts_at < self.moves.starts_at)
            and not any(_overlap(slot, other) for other in self.elsewhere)
        )

    def _suits(self, slot: Slot) -> bool:
        entry, day, at = self.entry, slot.starts_at.date(), slot.starts_at.time()
        return (
            entry.provider_id in (None, slot.provider.pk)
            and entry.location_id in (None, slot.location.pk)
            and entry.first_day <= day
            and (entry.last_day is None or day <= entry.last_day)
            and (not entry.weekdays or day.weekday() in entry.weekdays)
            and (entry.from_time is None or at >= entry.from_time)
            and (entry.until_time is None or at < entry.until_time)
        )

    @property
    def rank(self) -> "Rank":
        entry = self.entry
        narrowings = (entry.location_id, entry.last_day, entry.weekdays, entry.from_time, entry.until_time)
        comes_at = self.moves.starts_at if self.moves else NEVER
        return Rank(
            entry.provider_id is None,
            sum(not part for part in narrowings),
            -comes_at.timestamp(),
            entry.created_at,
        )


class Rank(NamedTuple):
    """The order in which people are asked: the smallest first."""

    anybody_will_do: bool
    parts_left_open: int
    """A narrow wish is fulfilled seldom; who can come any time finds a time sooner."""

    comes_late: float
    """Who would come latest otherwise gains most."""

    waits_since: datetime


class Chance(NamedTuple):
    """A time that came free, as a kind of visit, with those whom it suits, best first."""

    slot: Slot
    wishes: list[Wish]

    @property
    def visit_type(self) -> VisitType:
        return self.wishes[0].entry.visit_type


def chances(wishes: Iterable[Wish], free: Mapping[int, Sequence[Slot]]) -> list[Chance]:
    """Return each free time with those whom it suits; what suits the best wish comes first.

    `free` holds the slots of each kind of visit by its id, the preferred first. One chance is one slot
    of one kind of visit, so that one hold serves all who are asked about it.
    """
    found: dict[tuple[int, str], Chance] = {}
    for wish in sorted(wishes, key=lambda wish: wish.rank):
        kind = wish.entry.visit_type_id
        for slot in free.get(kind, ()):
            if wish.fits(slot):
                found.setdefault((kind, slot.key), Chance(slot, [])).wishes.append(wish)
    return list(found.values())


def within(slots: Iterable[Slot], start: datetime, end: datetime) -> list[Slot]:
    """Return the slots that need any of a stretch of time, those first that begin in it."""
    needing = [slot for slot in slots if slot.starts_at < end and start < slot.ends_at]
    return sorted(needing, key=lambda slot: (slot.starts_at < start, slot.starts_at))


def _overlap(slot: Slot, other: Appointment) -> bool:
    return slot.starts_at < other.ends_at and other.starts_at < slot.ends_at
