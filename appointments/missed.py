"""Why the day that a patient asked for has nothing to choose from."""

from collections.abc import Iterator
from datetime import date, datetime, time

from appointments import availability, rules
from appointments.availability import Slot
from appointments.models import Appointment, VisitType
from appointments.offer import Offer, Search
from appointments.refusals import Closed, TooFarAhead, Unavailable
from eyecare import clock
from patients.models import Patient
from practice import services as practice

MOST_ASKED = 6
"""So many providers are looked at; the others would say the same."""


def missed_day(
    visit_type: VisitType,
    search: Search,
    found: Offer,
    *,
    patient: Patient,
    moving: Appointment | None = None,
) -> str:
    """Return that, and if there is one reason for all why, nothing is free on `search.start`; or ""."""
    day = search.start
    if day is None or day < clock.today() or (found.days and found.days[0][0] == day):
        return ""
    reasons = {_reason(visit_type, slot, patient, moving) for slot in _tried(visit_type, search, day)}
    return (reasons.pop() if len(reasons) == 1 else "") or f"Nothing like that is free on {day:%A, %B %-d}."


def _tried(visit_type: VisitType, search: Search, day: date) -> Iterator[Slot]:
    """Yield noon of that day, with everybody whom the search allows."""
    noon = datetime.combine(day, time(12), practice.zone())
    wanted = [search.provider] if search.provider else visit_type.providers.active()[:MOST_ASKED]
    for provider in wanted:
        location = search.location or provider.locations.filter(is_active=True).first()
        if location:
            yield availability.slot(visit_type, provider, location, noon, practice.zone())


def _reason(visit_type: VisitType, slot: Slot, patient: Patient, moving: Appointment | None) -> str:
    """Return what holds for the whole day; the diary's end and closed doors do, a full hour does not."""
    try:
        rules.check_bookable(visit_type, slot, patient=patient, moving=moving)
    except (Closed, TooFarAhead) as refusal:
        return refusal.sentence
    except Unavailable:
        return ""
    return ""
