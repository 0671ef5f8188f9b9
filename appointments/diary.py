"""Reads the diary and finds free slots in it: always the same few queries, whatever the range."""

import functools
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import Q

from appointments import availability
from appointments.availability import Around, Diary, Interval, Slot, Wish
from appointments.models import Appointment, ScheduleException, VisitType, WeeklyHours
from eyecare import clock
from eyecare.errors import Invalid
from patients.models import Patient
from practice import services as practice
from practice.models import Location, Provider

NEARBY = timedelta(days=10)
"""How far from a wished time alternatives are looked for before the whole horizon is searched."""

OLDEST_YEAR, LATEST_YEAR = 2000, 2199
"""What a slot's key may speak of; beyond it only nonsense lies."""


def find_slots(
    *,
    visit_type: VisitType,
    first_day: date,
    last_day: date,
    provider: Provider | None = None,
    location: Location | None = None,
    moving: Appointment | None = None,
    patient: Patient | None = None,
    limit: int | None = None,
) -> list[Slot]:
    """Return what patients can book on these days (both included), earliest first.

    `moving` is left out of what is busy, so that a visit can shift within its own time; `patient`
    (by default the one who is moving) is not offered a time at which they are elsewhere here.
    """
    earliest, latest = bookable_range(visit_type)
    zone = practice.zone()
    days = availability.days_from(
        max(first_day, earliest.astimezone(zone).date()), min(last_day, latest.astimezone(zone).date())
    )
    if not days:
        return []
    patient = patient or (moving.patient if moving else None)
    diary = read(visit_type, days, provider, location, moving=moving, patient=patient)
    found = availability.slots(diary, visit_type, days, earliest=earliest, latest=latest)
    return list(islice(found, limit))


def bookable_range(visit_type: VisitType) -> tuple[datetime, datetime]:
    """Return the first and the last moment at which a patient may have this visit start."""
    now = clock.now()
    return now + timedelta(hours=visit_type.minimum_notice_hours), now + timedelta(
        days=visit_type.horizon_days
    )


def read(
    visit_type: VisitType,
    days: list[date],
    provider: Provider | None = None,
    location: Location | None = None,
    *,
    moving: Appointment | None = None,
    patient: Patient | None = None,
) -> Diary:
    """Return all that availability needs for these days, in four queries."""
    zone = practice.zone()
    whole = Interval(
        datetime.combine(days[0], datetime.min.time(), zone).astimezone(UTC) - timedelta(days=1),
        datetime.combine(days[-1], datetime.min.time(), zone).astimezone(UTC) + timedelta(days=2),
    )
    return Diary(
        zone=zone,
        weekly=list(_weekly(visit_type, provider, location)),
        exceptions=list(_exceptions(visit_type, days, provider, location)),
        busy=_busy(whole, visit_type, provider, moving),
        taken=list(_taken(whole, patient, moving)) if patient else (),
    )


def _weekly(
    visit_type: VisitType, provider: Provider | None, location: Location | None
) -> Iterator[WeeklyHours]:
    hours = WeeklyHours.objects.filter(
        provider__visit_types=visit_type, provider__is_active=True, location__is_active=True
    )
    narrowed = _narrowed(provider, location)
    return hours.filter(**narrowed).select_related("provider", "location").iterator()


def _exceptions(
    visit_type: VisitType, days: list[date], provider: Provider | None, location: Location | None
) -> Iterator[ScheduleException]:
    """Yield the changes of these days; extra hours only of those who do this visit, and only here."""
    closed = Q(kind=ScheduleException.Kind.CLOSED)
    extra = Q(
        provider__visit_types=visit_type,
        provider__is_active=True,
        location__is_active=True,
        **_narrowed(provider, location),
    )
    changes = ScheduleException.objects.filter(closed | extra, date__range=(days[0], days[-1]))
    return changes.select_related("provider", "location").distinct().iterator()


def _narrowed(provider: Provider | None, location: Location | None) -> dict[str, Any]:
    wanted = {"provider": provider, "location": location}
    return {name: row for name, row in wanted.items() if row is not None}


def _busy(
    whole: Interval, visit_type: VisitType, provider: Provider | None, moving: Appointment | None
) -> dict[int, list[Interval]]:
    rows = Appointment.objects.active().filter(busy_from__lt=whole.end, busy_until__gt=whole.start)
    rows = rows.filter(provider=provider) if provider else rows.filter(provider__visit_types=visit_type)
    found: dict[int, list[Interval]] = defaultdict(list)
    for provider_id, start, end in _without(rows, moving).values_list(
        "provider_id", "busy_from", "busy_until"
    ):
        found[provider_id].append(Interval(start, end))
    return found


def _taken(whole: Interval, patient: Patient, moving: Appointment | None) -> Iterator[Interval]:
    rows = Appointment.objects.active().for_patient(patient)
    rows = rows.filter(starts_at__lt=whole.end, ends_at__gt=whole.start)
    return (Interval(*times) for times in _without(rows, moving).values_list("starts_at", "ends_at"))


def _without(rows: Any, moving: Appointment | None) -> Any:
    return rows.exclude(pk=moving.pk).order_by() if moving else rows.order_by()


def nearest(
    *,
    visit_type: VisitType,
    wish: Wish,
    first_day: date | None = None,
    last_day: date | None = None,
    provider: Provider | None = None,
    location: Location | None = None,
    moving: Appointment | None = None,
    patient: Patient | None = None,
    limit: int = 3,
) -> list[Slot]:
    """Return the free slots nearest to a wish, at most one for each start, the best first.

    Any provider and the whole horizon of the visit, where nothing narrower is given.
    """
    found = find_slots(
        visit_type=visit_type,
        first_day=first_day or clock.today(),
        last_day=last_day or date.max,
        provider=provider,
        location=location,
        moving=moving,
        patient=patient,
    )
    return availability.closest(availability.one_for_each_start(found), wish, limit)


def alternatives(
    visit_type: VisitType,
    slot: Slot,
    *,
    patient: Patient | None = None,
    moving: Appointment | None = None,
    limit: int = 3,
) -> list[Slot]:
    """Return the nearest slots to one that cannot be had: two with the same provider, then anybody's."""
    day = slot.starts_at.date()
    wish = Around(slot.starts_at)
    search = functools.partial(find_slots, visit_type=visit_type, patient=patient, moving=moving)
    found = search(first_day=day - NEARBY, last_day=day + NEARBY) or search(
        first_day=clock.today(), last_day=date.max
    )
    same = availability.closest((free for free in found if free.provider == slot.provider), wish, limit - 1)
    known = {free.starts_at for free in same}
    others = availability.one_for_each_start(free for free in found if free.starts_at not in known)
    return same + availability.closest(others, wish, limit - len(same))


def slot_of(appointment: Appointment) -> Slot:
    """Return the slot that an appointment has, for its times on the practice's wall clock."""
    zone = practice.zone()
    starts_at, ends_at = appointment.starts_at.astimezone(zone), appointment.ends_at.astimezone(zone)
    return Slot(appointment.provider, appointment.location, starts_at, ends_at)


def slot_from_key(visit_type: VisitType, key: str) -> Slot:
    """Return the slot behind a key, free or not; raises Invalid when it is no key of a slot."""
    try:
        provider_id, location_id, moment = key.split(".")
        start = datetime.strptime(moment, "%Y%m%dT%H%M").replace(tzinfo=UTC)
        if not OLDEST_YEAR <= start.year <= LATEST_YEAR:
            raise ValueError(moment)
        provider = Provider.objects.get(pk=int(provider_id))
        location = Location.objects.get(pk=int(location_id))
    except (ValueError, OverflowError, Provider.DoesNotExist, Location.DoesNotExist) as error:
        raise Invalid("That is not a time we know. Please choose one from the list.") from error
    return availability.slot(visit_type, provider, location, start, practice.zone())
