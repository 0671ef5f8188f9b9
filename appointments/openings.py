"""Which of many free slots to offer somebody who said roughly when they would like to come."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import groupby

from appointments import availability, diary
from appointments.availability import Slot, Wish
from appointments.models import Appointment, VisitType
from eyecare import clock
from patients.models import Patient
from practice import services as practice
from practice.models import Location, Provider

OFFERED = 3
"""Times at once: what is still read in a text message."""

WEEKS_FIRST = timedelta(weeks=5)
"""Where a wish without days is looked for before the whole horizon is."""


@dataclass(frozen=True)
class Search:
    """Whose visit of which kind, with whom and where if that matters, on which days."""

    visit_type: VisitType
    patient: Patient | None = None
    provider: Provider | None = None
    location: Location | None = None
    moving: Appointment | None = None
    first_day: date | None = None
    last_day: date | None = None

    def with_anybody(self) -> "Search":
        return replace(self, provider=None, location=None)

    @cached_property
    def slots(self) -> list[Slot]:
        """Return one free slot for each start: on the days given, or else as far ahead as it takes."""
        first = self.first_day or clock.today()
        if self.last_day is not None:
            return self._between(first, self.last_day)
        return self._between(first, first + WEEKS_FIRST) or self._between(first, date.max)

    def _between(self, first: date, last: date) -> list[Slot]:
        found = diary.find_slots(
            visit_type=self.visit_type,
            first_day=first,
            last_day=last,
            provider=self.provider,
            location=self.location,
            moving=self.moving,
            patient=self.patient,
        )
        standing = self.moving.starts_at if self.moving else None
        return [slot for slot in availability.one_for_each_start(found) if slot.interval.start != standing]

    def matching(self, wish: Wish) -> list[Slot]:
        """Return every slot that is what was asked for, earliest first."""
        return [slot for slot in self.slots if wish.matches(slot.starts_at)]

    def nearest(self, wish: Wish, without: Collection[str] = ()) -> list[Slot]:
        """Return the few slots nearest to the wish, best first, none of those whose keys are given.

        They are looked for around the days given, then anywhere.
        """
        anywhere = replace(self, first_day=None, last_day=None)
        for search in [*self._around, anywhere]:
            fresh = [slot for slot in search.slots if slot.key not in without]
            if fresh:
                return availability.closest(fresh, wish, OFFERED)
        return []

    @property
    def _around(self) -> list["Search"]:
        """Return the search widened by some days on either side; at the diary's end, its last days."""
        if self.first_day is None or self.last_day is None:
            return []
        end = diary.bookable_range(self.visit_type)[1].astimezone(practice.zone()).date()
        first, last = min(self.first_day, end) - diary.NEARBY, min(self.last_day, end) + diary.NEARBY
        return [replace(self, first_day=max(first, clock.today()), last_day=last)]


def spread(slots: Iterable[Slot], limit: int = OFFERED) -> list[Slot]:
    """Return a few slots that differ: the first of each day, or over one day from early to late."""
    listed = list(slots)
    firsts = [next(day) for _, day in groupby(listed, key=lambda slot: slot.starts_at.date())]
    if len(firsts) >= limit or len(listed) <= limit:
        return firsts[:limit] if len(firsts) >= limit else listed
    step = (len(listed) - 1) / (limit - 1)
    return [listed[round(number * step)] for number in range(limit)]
