"""Finds free slots in the diary, or says why there is none: a few queries, whatever the range.

What was found is remembered under the diary's stamps, which the database changes with every change to
what it was found in; so a remembered answer is never older than the diary.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from appointments import availability, reading
from appointments.availability import (
    NEVER,
    Around,
    Column,
    Diary,
    Need,
    Objection,
    Place,
    Slot,
    Stretch,
    Timetable,
    Wish,
)
from appointments.memory import Memory
from appointments.models import Appointment, VisitType
from appointments.reading import SCHEDULES, Own, stamps
from eyecare import clock
from eyecare.errors import Invalid
from patients.models import Patient
from practice import services as practice
from practice.models import Location, Provider

__all__ = [
    "alternatives",
    "bookable_range",
    "find_slots",
    "forget",
    "nearest",
    "read",
    "slot_from_key",
    "slot_of",
    "stamps",
    "why_not",
]

NEARBY = timedelta(days=10)
"""How far from a wished time alternatives are looked for before the whole horizon is searched."""

OLDEST_YEAR, LATEST_YEAR = 2000, 2199
"""What a slot's key may speak of; beyond it only nonsense lies."""

_timetables = Memory[Timetable](most=200_000)
_columns = Memory[tuple[Column, ...]](most=2_000_000)
"""Weighed in stretches and starts: together some 40 MB at most."""


_Version = tuple[object, ...] | None


def forget() -> None:
    """Forget what earlier searches found: for measurements; nothing needs it to be right."""
    _timetables.forget()
    _columns.forget()


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
    (by default the one who is moving) is not offered a time at which they are elsewhere here, and sees
    as free what is held for them.
    """
    earliest, latest = bookable_range(visit_type)
    zone = practice.zone()
    days = availability.days_from(
        max(first_day, earliest.astimezone(zone).date()), min(last_day, latest.astimezone(zone).date())
    )
    if not days:
        return []
    question = _Question(visit_type, days, zone, provider)
    patient = patient or (moving.patient if moving else None)
    own = reading.own(question.whole, patient, moving)
    found = [column for column in _free(question, own) if location in (None, column.place.location)]
    slots = availability.slots_of(found, own.taken, earliest=earliest, latest=latest)
    return slots if limit is None else list(islice(slots, limit))


def bookable_range(visit_type: VisitType) -> tuple[datetime, datetime]:
    """Return the first and the last moment at which a patient may have this visit start."""
    now = clock.now()
    return now + timedelta(hours=visit_type.minimum_notice_hours), now + timedelta(
        days=visit_type.horizon_days
    )


@dataclass(frozen=True)
class _Question:
    """What is asked of the diary, whoever asks."""

    visit_type: VisitType
    days: Sequence[date]
    zone: ZoneInfo
    provider: Provider | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """Return all that the answer depends on besides the diary; a visit type may be unsaved."""
        visit = (self.visit_type.pk, *Need.of(self.visit_type), self.visit_type.is_urgent)
        return *visit, self.zone.key, self.days[0], self.days[-1]

    @functools.cached_property
    def whole(self) -> Stretch:
        """Return the time that matters to visits on these days, their buffers included."""
        need = Need.of(self.visit_type)
        after = self.days[-1] + timedelta(days=1)
        first, last = (
            availability.second_of(day, datetime.min.time(), self.zone) for day in (self.days[0], after)
        )
        return first - need.before, last + need.length + need.after


def _free(question: _Question, own: Own) -> list[Column]:
    """Return the columns of all who do this visit, from memory where nothing has changed.

    The stamps are read before what they stand for: a change in between is found at the next look.
    """
    seen, now = stamps(), _now()
    rules = _timetable(question, seen)
    providers = list(dict.fromkeys(clinic.place.provider.pk for clinic in rules.clinics))
    # what is the patient's own is nobody else's answer: those providers are looked up anew
    private = {*providers} if own.given_up and rules.rooms else {*own.providers}
    found: dict[int, tuple[Column, ...]] = {}
    for provider in providers:
        known = _columns.recall((provider, *question.key), _version(rules, seen, provider), now)
        if known is not None and provider not in private:
            found[provider] = known
    missing = [provider for provider in providers if provider not in found]
    for answer in _looked_up(question, rules, missing, own, now):
        found[answer.provider] = answer.columns
        if answer.provider not in private:
            _keep(question, answer, _version(rules, seen, answer.provider), now)
    return [column for provider in providers for column in found[provider]]


@dataclass(frozen=True)
class _Answer:
    """One provider's columns, and when they change by themselves."""

    provider: int
    columns: tuple[Column, ...]
    until: int


def _looked_up(
    question: _Question, rules: Timetable, providers: Sequence[int], own: Own, now: int
) -> Iterator[_Answer]:
    if not providers:
        return
    busy = reading.busy(question.whole, providers, own.given_up)
    used = reading.used(question.whole, rules.rooms, own.given_up)
    diary = Diary(rules, now, busy.stretches, used.stretches)
    found = availability.columns(diary, question.visit_type, providers)
    released = rules.released_after(now)
    for provider in providers:
        columns = tuple(column for column in found if column.place.provider.pk == provider)
        until = min(busy.changes_at(provider), released.get(provider, NEVER), *used.changes.values())
        yield _Answer(provider, columns, until)


def _keep(question: _Question, answer: _Answer, version: _Version, now: int) -> None:
    if version is not None:
        weight = sum(len(column.starts) for column in answer.columns) + 10
        key = (answer.provider, *question.key)
        _columns.keep(key, version, answer.columns, weight=weight, since=now, until=answer.until)


def _version(rules: Timetable, seen: dict[int, int], provider: int) -> _Version:
    """Return what a provider's columns depend on: with rooms, everybody's diary."""
    if SCHEDULES not in seen:
        return None
    return tuple(sorted(seen.items())) if rules.rooms else (seen[SCHEDULES], seen.get(provider))


def _timetable(question: _Question, seen: dict[int, int]) -> Timetable:
    only = question.provider
    key = (only and only.pk, *question.key)
    version = seen.get(SCHEDULES)
    known = version and _timetables.recall(key, version)
    if known:
        return known
    rules = reading.timetable(question.visit_type, question.days, question.zone, only)
    if version:
        _timetables.keep(key, version, rules, weight=rules.weight + 10)
    return rules


def _now() -> int:
    return math.floor(clock.now().timestamp())


def why_not(
    visit_type: VisitType,
    slot: Slot,
    *,
    patient: Patient | None = None,
    moving: Appointment | None = None,
    hold: Appointment | None = None,
) -> Objection | None:
    """Return the most telling reason why this slot is not free; None exactly when a search finds it.

    Notice and horizon are not asked.
    """
    diary = read(visit_type, slot, patient=patient, moving=moving, hold=hold)
    return availability.objection(diary, visit_type, slot)


def read(
    visit_type: VisitType,
    slot: Slot,
    *,
    patient: Patient | None = None,
    moving: Appointment | None = None,
    hold: Appointment | None = None,
) -> Diary:
    """Return all that speaks for or against a slot, for `availability.objection` and its parts.

    `moving` and `hold` are left out of it, and so is what is held for the patient.
    """
    question = _Question(visit_type, [slot.starts_at.date()], practice.zone(), slot.provider)
    rules = _timetable(question, stamps([]))
    own = reading.own(question.whole, patient or (moving.patient if moving else None), moving, hold)
    busy = reading.busy(question.whole, [slot.provider.pk], own.given_up)
    used = reading.used(question.whole, rules.rooms, own.given_up)
    return Diary(rules, _now(), busy.stretches, used.stretches, own.taken)


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
    place = Place(appointment.provider, appointment.location)
    seconds = int((appointment.ends_at - appointment.starts_at).total_seconds())
    return Slot(math.floor(appointment.starts_at.timestamp()), Column(place, practice.zone(), seconds))


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
