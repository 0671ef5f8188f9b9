"""When a visit can take place: hours and exceptions, less what is busy. Pure calculation, no database.

Wall-clock rules become instants day by day and everything after that is in UTC, so both days on
which the clocks change come out right. The grid starts where a provider's hours start and steps by
15 or 30 minutes; both divide every change of the clocks, so it stays on the wall clock as well.
"""

import heapq
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from appointments.models import ScheduleException, VisitType, WeeklyHours
from practice.models import Location, Provider

LONG_VISIT = timedelta(minutes=30)
"""From this length on, visits start on the half hour: finer starts would leave holes nobody can use."""


class Interval(NamedTuple):
    """A stretch of time in UTC; its end does not belong to it."""

    start: datetime
    end: datetime


class Place(NamedTuple):
    """A provider at one location."""

    provider: Provider
    location: Location


@dataclass(frozen=True)
class Slot:
    """A visit that could be booked; its times are on the practice's wall clock."""

    provider: Provider
    location: Location
    starts_at: datetime
    ends_at: datetime

    @property
    def key(self) -> str:
        """Return a short text that `services.slot_from_key` turns into the same slot."""
        return f"{self.provider.pk}.{self.location.pk}.{self.interval.start:%Y%m%dT%H%M}"

    @property
    def interval(self) -> Interval:
        return Interval(self.starts_at.astimezone(UTC), self.ends_at.astimezone(UTC))

    def busy_for(self, visit_type: VisitType) -> Interval:
        """Return the provider's time that the visit takes, buffers included."""
        start, end = self.interval
        return Interval(start - visit_type.buffer_before, end + visit_type.buffer_after)

    def __str__(self) -> str:
        return f"{self:%A, %B %-d at %-I:%M %p} with {self.provider}"

    def __format__(self, wording: str) -> str:
        return self.starts_at.strftime(wording) if wording else str(self)

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "provider": {"id": self.provider.pk, "name": self.provider.name},
            "location": {"id": self.location.pk, "name": self.location.name},
        }


class Wish(Protocol):
    """When somebody would like to come."""

    def matches(self, start: datetime) -> bool: ...

    def distance(self, start: datetime) -> timedelta: ...


@dataclass(frozen=True)
class Around:
    """The wish for one moment, or as near to it as there is."""

    moment: datetime

    def matches(self, start: datetime) -> bool:
        return start == self.moment

    def distance(self, start: datetime) -> timedelta:
        return abs(start - self.moment)


@dataclass(frozen=True)
class Diary:
    """What availability has to know of a run of days.

    `busy` is the time of each provider's appointments with their buffers, by provider id; `taken`
    is when the patient is elsewhere in the practice. Both leave out an appointment that is moving.
    """

    zone: ZoneInfo
    weekly: Sequence[WeeklyHours] = ()
    exceptions: Sequence[ScheduleException] = ()
    busy: Mapping[int, Sequence[Interval]] = field(default_factory=dict)
    taken: Sequence[Interval] = ()

    def hours(self, days: Sequence[date]) -> dict[Place, list[Interval]]:
        """Return when each provider works at each place, extra hours included, exceptions not yet cut."""
        found: dict[Place, list[Interval]] = defaultdict(list)
        by_weekday = defaultdict(list)
        for hours in self.weekly:
            by_weekday[hours.weekday].append(hours)
        for day in days:
            for hours in by_weekday[day.weekday()]:
                place = Place(hours.provider, hours.location)
                found[place].append(between(day, hours.starts_at, hours.ends_at, self.zone))
        for extra in self._exceptions(ScheduleException.Kind.EXTRA, days):
            if extra.provider and extra.location:
                found[Place(extra.provider, extra.location)].append(self._interval(extra))
        return {place: merged(intervals) for place, intervals in found.items()}

    def closures(self, place: Place, days: Sequence[date]) -> list[Interval]:
        """Return when exceptions close this provider at this place."""
        return [
            self._interval(closed)
            for closed in self._exceptions(ScheduleException.Kind.CLOSED, days)
            if closed.provider_id in (None, place.provider.pk)
            and closed.location_id in (None, place.location.pk)
        ]

    def _exceptions(self, kind: str, days: Sequence[date]) -> Iterator[ScheduleException]:
        first, last = days[0], days[-1]
        return (change for change in self.exceptions if change.kind == kind and first <= change.date <= last)

    def _interval(self, change: ScheduleException) -> Interval:
        if change.starts_at is None or change.ends_at is None:
            return Interval(
                instant(change.date, time.min, self.zone),
                instant(change.date + timedelta(days=1), time.min, self.zone),
            )
        return between(change.date, change.starts_at, change.ends_at, self.zone)


def slots(
    diary: Diary, visit_type: VisitType, days: Sequence[date], *, earliest: datetime, latest: datetime
) -> Iterator[Slot]:
    """Yield every possible visit on these consecutive days, earliest first.

    `earliest` and `latest` bound the start, both included.
    """
    if not days:
        return
    streams = (
        _starts_at(number, place, diary, visit_type, hours, days)
        for number, (place, hours) in enumerate(diary.hours(days).items())
    )
    for start, _, place in heapq.merge(*streams):
        if start > latest:
            return
        if start >= earliest:
            yield slot(visit_type, *place, start, diary.zone)


def _starts_at(
    number: int,
    place: Place,
    diary: Diary,
    visit_type: VisitType,
    hours: list[Interval],
    days: Sequence[date],
) -> Iterator[tuple[datetime, int, Place]]:
    """Yield the free starts at one place; `number` settles the order of places that start together."""
    busy = _kept_clear(diary.busy.get(place.provider.pk, ()), visit_type)
    blocked = merged([*busy, *diary.taken, *diary.closures(place, days)])
    for start in starts(hours, blocked, visit_type.length):
        yield start, number, place


def slot(
    visit_type: VisitType, provider: Provider, location: Location, start: datetime, zone: ZoneInfo
) -> Slot:
    """Return the slot of a visit that starts then, free or not."""
    end = start.astimezone(UTC) + visit_type.length
    return Slot(provider, location, start.astimezone(zone), end.astimezone(zone))


def starts(hours: Iterable[Interval], blocked: Sequence[Interval], length: timedelta) -> Iterator[datetime]:
    """Yield every start on the grid from which such a visit lies within the hours and clear of blocks.

    `blocked` is sorted and without overlaps, as `merged` returns it.
    """
    step = step_of(length)
    for window in hours:
        for free in gaps(window, blocked):
            start = window.start + -((window.start - free.start) // step) * step
            while start + length <= free.end:
                yield start
                start += step


def step_of(length: timedelta) -> timedelta:
    """Return the distance between two starts on the grid for visits of this length."""
    return timedelta(minutes=30) if length >= LONG_VISIT else timedelta(minutes=15)


def gaps(window: Interval, blocked: Sequence[Interval]) -> Iterator[Interval]:
    """Yield what is left of a window between blocks (sorted, without overlaps)."""
    start = window.start
    for block in blocked[bisect_right(blocked, start, key=lambda block: block.end) :]:
        if block.start >= window.end:
            break
        if block.start > start:
            yield Interval(start, block.start)
        start = block.end
    if start < window.end:
        yield Interval(start, window.end)


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same time as sorted intervals that neither touch nor overlap; empty ones are left out."""
    result: list[Interval] = []
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if result and start <= result[-1].end:
            result[-1] = Interval(result[-1].start, max(end, result[-1].end))
        else:
            result.append(Interval(start, end))
    return result


def one_for_each_start(found: Iterable[Slot]) -> list[Slot]:
    """Return one slot for each start: with the provider who has most time left that day."""
    listed = list(found)
    free = Counter((slot.provider.pk, slot.starts_at.date()) for slot in listed)
    best: dict[datetime, Slot] = {}
    for candidate in listed:
        other = best.get(candidate.starts_at)
        if other is None or free[_day_of(candidate)] > free[_day_of(other)]:
            best[candidate.starts_at] = candidate
    return list(best.values())


def closest(found: Iterable[Slot], wish: Wish, limit: int) -> list[Slot]:
    """Return the slots nearest to a wish: those that match it first, then by distance, then the earliest."""
    return heapq.nsmallest(
        limit,
        found,
        key=lambda slot: (
            not wish.matches(slot.starts_at),
            wish.distance(slot.starts_at),
            slot.starts_at,
        ),
    )


def between(day: date, starts_at: time, ends_at: time, zone: ZoneInfo) -> Interval:
    """Return a run of wall-clock time on one day."""
    return Interval(instant(day, starts_at, zone), instant(day, ends_at, zone))


def instant(day: date, moment: time, zone: ZoneInfo) -> datetime:
    """Return a wall-clock time as an instant in UTC.

    A time that comes twice means the first; one that the clocks skip is read with the offset before
    the change (RFC 5545, 3.3.5).
    """
    return datetime.combine(day, moment, zone).astimezone(UTC)


def days_from(first: date, last: date) -> list[date]:
    """Return every day from the first to the last, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _kept_clear(busy: Iterable[Interval], visit_type: VisitType) -> Iterator[Interval]:
    """Yield where a visit may not lie, so that its own buffers stay clear of its neighbours'.

    Buffers guard against neighbours only; they may reach past the provider's hours.
    """
    before, after = visit_type.buffer_before, visit_type.buffer_after
    for start, end in busy:
        yield Interval(start - after, end + before)


def _day_of(slot: Slot) -> tuple[int, date]:
    return slot.provider.pk, slot.starts_at.date()
