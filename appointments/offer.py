"""What a patient is shown to choose from: the next few days with free times, never the whole diary."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, islice

from appointments import availability, services
from appointments.availability import Slot
from appointments.models import Appointment, VisitType
from eyecare import clock
from patients.models import Patient
from practice import services as practice
from practice.models import Location, Provider

DAYS_SHOWN = 3
DAYS_SEARCHED = 21
NOON = 12


@dataclass(frozen=True)
class Search:
    """What narrows the free times: nothing of it has to be said."""

    start: date | None = None
    provider: Provider | None = None
    location: Location | None = None
    part: str = ""
    """`morning`, `afternoon`, or any time."""

    def wants(self, slot: Slot) -> bool:
        if not self.part:
            return True
        return (slot.starts_at.hour < NOON) == (self.part == "morning")


@dataclass(frozen=True)
class Offer:
    """Days with their free times; `later_from` is where the next page starts, None at the diary's end."""

    start: date
    days: list[tuple[date, list[Slot]]]
    later_from: date | None


def offer(
    visit_type: VisitType, search: Search, *, patient: Patient, moving: Appointment | None = None
) -> Offer:
    """Return the first days from `search.start` on that have times, one slot for each start.

    When three weeks hold nothing, it goes on to the first day of the whole diary that does.
    """
    start = max(search.start or clock.today(), clock.today())
    end = start + timedelta(days=DAYS_SEARCHED)
    days = _days(_free(visit_type, search, start, end, patient, moving)) or _days(
        _free(visit_type, search, end, date.max, patient, moving)
    )
    horizon = services.bookable_range(visit_type)[1].astimezone(practice.zone()).date()
    later = days[-1][0] + timedelta(days=1) if days else None
    return Offer(start, days, later if later and later <= horizon else None)


def _free(
    visit_type: VisitType,
    search: Search,
    first_day: date,
    last_day: date,
    patient: Patient,
    moving: Appointment | None,
) -> Iterable[Slot]:
    found = services.find_slots(
        visit_type=visit_type,
        first_day=first_day,
        last_day=last_day,
        provider=search.provider,
        location=search.location,
        patient=patient,
        moving=moving,
    )
    return availability.one_for_each_start(
        slot for slot in found if search.wants(slot) and not _is_now(slot, moving)
    )


def _is_now(slot: Slot, moving: Appointment | None) -> bool:
    """Say whether the visit that moves stands there already."""
    return moving is not None and (slot.provider, slot.starts_at) == (moving.provider, moving.starts_at)


def _days(slots: Iterable[Slot]) -> list[tuple[date, list[Slot]]]:
    by_day = groupby(slots, key=lambda slot: slot.starts_at.date())
    return [(day, list(times)) for day, times in islice(by_day, DAYS_SHOWN)]
