"""When a visit can take place: hours and exceptions, less what is busy. Pure calculation, no database.

Inside, time is whole seconds since 1970 in UTC. Wall-clock rules become such moments day by day, so
both days on which the clocks change come out right. The grid starts where a provider's hours start and
steps by 15 or 30 minutes; both divide every change of the clocks, so it stays on the wall clock as well.
"""

import functools
import heapq
import itertools
import math
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from appointments.models import ScheduleException, UrgentBlock, VisitType, WeeklyHours
from practice.models import Location, Provider

LONG_VISIT = timedelta(minutes=30)
"""From this length on, visits start on the half hour: finer starts would leave holes nobody can use."""

DAY = 24 * 3600
LONG_AGO, NEVER = -(2**62), 2**62

Stretch = tuple[int, int]
"""From one moment to another, in seconds since 1970; its end does not belong to it."""

Rooms = Mapping[int, Mapping[int, Sequence[int]]]
"""Which rooms and machines there are: kind, then location, then resources, all by id."""


class Interval(NamedTuple):
    """A stretch of time in UTC; its end does not belong to it."""

    start: datetime
    end: datetime


class Place(NamedTuple):
    """A provider at one location."""

    provider: Provider
    location: Location


class Need(NamedTuple):
    """What a visit takes of a provider's time, in seconds."""

    length: int
    before: int
    after: int

    @classmethod
    def of(cls, visit_type: VisitType) -> "Need":
        return cls(
            visit_type.minutes * 60,
            visit_type.buffer_before_minutes * 60,
            visit_type.buffer_after_minutes * 60,
        )

    @property
    def step(self) -> int:
        return int(step_of(timedelta(seconds=self.length)).total_seconds())

    def barred_by_visit(self, busy: Iterable[Stretch]) -> list[Stretch]:
        """Return the starts from which this visit or its buffers would meet other visits' time.

        Buffers guard against neighbours only; they may reach past the provider's hours.
        """
        ahead, behind = self.length + self.after - 1, self.before
        return [(start - ahead, end + behind) for start, end in busy]

    def barred_by_rule(self, closed: Iterable[Stretch]) -> list[Stretch]:
        """Return the starts from which this visit would reach into time that is closed to it."""
        ahead = self.length - 1
        return [(start - ahead, end) for start, end in closed]


@dataclass(frozen=True)
class Column:
    """What the slots of one provider at one place have in common; `starts` are all that are free."""

    place: Place
    zone: ZoneInfo
    seconds: int
    starts: Sequence[int] = field(default=(), compare=False, repr=False)
    all_starts: Sequence[int] = field(default=(), compare=False, repr=False)
    """Those of the provider's other places included."""
    midnights: Sequence[int] = field(default=(), compare=False, repr=False)
    _free: dict[int, int] = field(default_factory=dict, compare=False, repr=False)

    @functools.cached_property
    def as_json(self) -> dict[str, dict[str, Any]]:
        provider, location = self.place
        return {
            "provider": {"id": provider.pk, "name": provider.name},
            "location": {"id": location.pk, "name": location.name},
        }

    def free_seconds(self, start: int) -> int:
        """Return how much time the provider can still give to such visits on the day of this start."""
        day = bisect_right(self.midnights, start)
        if day not in self._free:
            self._free[day] = covered(self._starts_of(day), self.seconds)
        return self._free[day]

    def _starts_of(self, day: int) -> Sequence[int]:
        if not 0 < day < len(self.midnights):
            return ()
        first = bisect_left(self.all_starts, self.midnights[day - 1])
        return self.all_starts[first : bisect_left(self.all_starts, self.midnights[day])]


class Slot:
    """A visit that could be booked; its times are on the practice's wall clock.

    Light, because a search makes thousands: a moment, and a column for all that it shares.
    """

    __slots__ = ("column", "start")

    def __init__(self, start: int, column: Column) -> None:
        self.start, self.column = start, column

    @property
    def provider(self) -> Provider:
        return self.column.place.provider

    @property
    def location(self) -> Location:
        return self.column.place.location

    @property
    def end(self) -> int:
        return self.start + self.column.seconds

    @property
    def starts_at(self) -> datetime:
        return datetime.fromtimestamp(self.start, self.column.zone)

    @property
    def ends_at(self) -> datetime:
        return datetime.fromtimestamp(self.end, self.column.zone)

    @property
    def key(self) -> str:
        """Return a short text that `services.slot_from_key` turns into the same slot."""
        return f"{self.provider.pk}.{self.location.pk}.{moment_of(self.start):%Y%m%dT%H%M}"

    @property
    def interval(self) -> Interval:
        return Interval(moment_of(self.start), moment_of(self.end))

    def busy_for(self, visit_type: VisitType) -> Interval:
        """Return the provider's time that the visit takes, buffers included."""
        start, end = self.interval
        return Interval(start - visit_type.buffer_before, end + visit_type.buffer_after)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Slot):
            return NotImplemented
        return self.start == other.start and self.column == other.column

    def __hash__(self) -> int:
        return hash((self.start, self.column.place))

    def __repr__(self) -> str:
        return f"<Slot {self.key}>"

    def __str__(self) -> str:
        return f"{self:%A, %B %-d at %-I:%M %p} with {self.provider}"

    def __format__(self, wording: str) -> str:
        return self.starts_at.strftime(wording) if wording else str(self)

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            **self.column.as_json,
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


class Kept(NamedTuple):
    """Time kept for urgent visits, until it is released."""

    start: int
    end: int
    released: int


@dataclass(frozen=True)
class Clinic:
    """When one provider sees patients at one place; none of these lists overlaps itself."""

    place: Place
    hours: Sequence[Stretch]
    closed: Sequence[Stretch]
    kept: Sequence[Kept]

    def kept_at(self, now: int) -> list[Stretch]:
        return [(start, end) for start, end, released in self.kept if now < released]


@dataclass(frozen=True)
class Timetable:
    """The rules for one kind of visit on a run of days: nothing in it depends on what is booked.

    `weekly` and extra hours are of providers who do this visit, where it may take place; `performers`
    and `locations` name those (None: not restricted). `blocks` is empty for an urgent kind of visit.
    """

    zone: ZoneInfo
    days: Sequence[date]
    weekly: Sequence[WeeklyHours] = ()
    exceptions: Sequence[ScheduleException] = ()
    blocks: Sequence[UrgentBlock] = ()
    rooms: Rooms = field(default_factory=dict)
    performers: frozenset[int] | None = None
    locations: frozenset[int] | None = None

    @functools.cached_property
    def midnights(self) -> list[int]:
        """Return where each day begins, and where the last one ends."""
        after = self.days[-1] + timedelta(days=1)
        return [second_of(day, time.min, self.zone) for day in (*self.days, after)]

    @functools.cached_property
    def clinics(self) -> list[Clinic]:
        """Return who sees patients where, by the provider's name."""
        found = [
            Clinic(place, merged(hours), merged(self._closed(place)), self._kept(place))
            for place, hours in self._hours().items()
        ]
        return sorted(found, key=lambda clinic: _standing(clinic.place))

    @functools.cached_property
    def weight(self) -> int:
        """Return how much memory this takes, counted in stretches."""
        return sum(len(clinic.hours) + len(clinic.closed) + len(clinic.kept) for clinic in self.clinics)

    def released_after(self, now: int) -> dict[int, int]:
        """Return when the next time kept for urgent visits is released, by provider."""
        found: dict[int, int] = {}
        for clinic in self.clinics:
            coming = (kept.released for kept in clinic.kept if kept.released > now)
            provider = clinic.place.provider.pk
            found[provider] = min([found.get(provider, NEVER), *coming])
        return found

    def clinic(self, place: Place) -> Clinic:
        """Return the clinic there, one without hours when the provider never sees patients there."""
        for clinic in self.clinics:
            if clinic.place == place:
                return clinic
        return Clinic(place, [], merged(self._closed(place)), self._kept(place))

    def _hours(self) -> dict[Place, list[Stretch]]:
        """Return when each provider works at each place, extra hours included, closures not yet cut."""
        found: dict[Place, list[Stretch]] = defaultdict(list)
        for hours in self.weekly:
            own = found[Place(hours.provider, hours.location)]
            own += self._every_week(hours)
        for change in self.exceptions:
            if change.kind == ScheduleException.Kind.EXTRA and change.provider and change.location:
                found[Place(change.provider, change.location)] += self.times_of(change)
        return found

    def _closed(self, place: Place) -> Iterator[Stretch]:
        for change in self.exceptions:
            if closes(change, place):
                yield from self.times_of(change)

    def _kept(self, place: Place) -> list[Kept]:
        here = (place.provider.pk, place.location.pk)
        found = [
            Kept(start, end, start - block.released_hours_before * 3600)
            for block in self.blocks
            if (block.provider_id, block.location_id) == here
            for start, end in self._every_week(block)
        ]
        return sorted(found)

    def _every_week(self, rule: WeeklyHours | UrgentBlock) -> list[Stretch]:
        """Return when a weekly rule is in force; many providers have the same hours."""
        same = (rule.weekday, rule.starts_at, rule.ends_at)
        if same not in self._weeks:
            first = (rule.weekday - self.days[0].weekday()) % 7
            self._weeks[same] = [
                self._between(number, rule.starts_at, rule.ends_at)
                for number in range(first, len(self.days), 7)
            ]
        return self._weeks[same]

    @functools.cached_property
    def _weeks(self) -> dict[tuple[int, time, time], list[Stretch]]:
        return {}

    def times_of(self, change: ScheduleException) -> Iterator[Stretch]:
        """Yield when an exception is in force on these days."""
        first, last = ((day - self.days[0]).days for day in (change.date, change.last_date or change.date))
        for number in range(max(first, 0), min(last + 1, len(self.days))):
            if change.starts_at is None or change.ends_at is None:
                yield self.midnights[number], self.midnights[number + 1]
            else:
                yield self._between(number, change.starts_at, change.ends_at)

    def _between(self, number: int, starts_at: time, ends_at: time) -> Stretch:
        """Return a run of wall-clock time on one of the days."""
        midnight, next_one = self.midnights[number], self.midnights[number + 1]
        if next_one - midnight == DAY:  # the clocks do not change: no calendar is needed
            return midnight + _since_midnight(starts_at), midnight + _since_midnight(ends_at)
        day = self.days[number]
        return second_of(day, starts_at, self.zone), second_of(day, ends_at, self.zone)


@dataclass(frozen=True)
class Diary:
    """All that availability has to know: the rules, what is busy, and what time it is.

    `busy` is the time of each provider's appointments with their buffers, by provider id, `used` the
    same of each room and machine; `taken` is when the patient is elsewhere in the practice. All of it
    leaves out an appointment that is moving and what is held for the patient.
    """

    timetable: Timetable
    now: int = LONG_AGO
    busy: Mapping[int, Sequence[Stretch]] = field(default_factory=dict)
    used: Mapping[int, Sequence[Stretch]] = field(default_factory=dict)
    taken: Sequence[Stretch] = ()


def slots(
    diary: Diary, visit_type: VisitType, *, earliest: datetime | None = None, latest: datetime | None = None
) -> list[Slot]:
    """Return every possible visit, earliest first; `earliest` and `latest` bound the start, both included."""
    return slots_of(columns(diary, visit_type), diary.taken, earliest=earliest, latest=latest)


def columns(diary: Diary, visit_type: VisitType, providers: Collection[int] | None = None) -> list[Column]:
    """Return where and when such a visit is possible, whoever the patient is; with these providers only."""
    need = Need.of(visit_type)
    full = _RoomsTaken(diary, need)
    found: dict[int, list[tuple[Clinic, Sequence[int]]]] = defaultdict(list)
    for clinic in diary.timetable.clinics:
        if providers is not None and clinic.place.provider.pk not in providers:
            continue
        barred = _barred(clinic, diary, need) + full.barred_at(clinic.place.location.pk)
        free = array("q", starts(clinic.hours, sorted(barred), need.length, need.step))
        found[clinic.place.provider.pk].append((clinic, free))
    return [column for own in found.values() for column in _columns_of(own, diary.timetable, need)]


def _columns_of(
    own: Sequence[tuple[Clinic, Sequence[int]]], timetable: Timetable, need: Need
) -> Iterator[Column]:
    everywhere = own[0][1] if len(own) == 1 else sorted({start for _, free in own for start in free})
    for clinic, free in own:
        yield Column(clinic.place, timetable.zone, need.length, free, everywhere, timetable.midnights)


def slots_of(
    found: Sequence[Column],
    taken: Sequence[Stretch] = (),
    *,
    earliest: datetime | None = None,
    latest: datetime | None = None,
) -> list[Slot]:
    """Return the slots of these columns, earliest first, less the times at which the patient is elsewhere."""
    first = LONG_AGO if earliest is None else math.ceil(earliest.timestamp())
    last = NEVER if latest is None else math.floor(latest.timestamp())
    result: list[Slot] = []
    for column in found:
        barred = Need(column.seconds, 0, 0).barred_by_rule(taken)
        free = column.starts[bisect_left(column.starts, first) : bisect_right(column.starts, last)]
        result += [Slot(start, column) for start in _without(free, barred)]
    if len(found) > 1:
        result.sort(key=attrgetter("start"))
    return result


def _without(free: Sequence[int], barred: Iterable[Stretch]) -> Sequence[int]:
    for start, end in barred:
        free = [*free[: bisect_left(free, start)], *free[bisect_left(free, end) :]]
    return free


def _barred(clinic: Clinic, diary: Diary, need: Need) -> list[Stretch]:
    busy = diary.busy.get(clinic.place.provider.pk, ())
    return [
        *need.barred_by_visit(busy),
        *need.barred_by_rule(clinic.closed),
        *need.barred_by_rule(clinic.kept_at(diary.now)),
    ]


class _RoomsTaken:
    """When no room or machine of a needed kind is free at a location; reckoned once for each location."""

    def __init__(self, diary: Diary, need: Need) -> None:
        self.diary, self.need = diary, need
        self.known: dict[int, list[Stretch]] = {}

    def barred_at(self, location_id: int) -> list[Stretch]:
        if location_id not in self.known:
            kinds = self.diary.timetable.rooms.values()
            self.known[location_id] = [
                bar for by_location in kinds for bar in self._all_taken(by_location.get(location_id, ()))
            ]
        return self.known[location_id]

    def _all_taken(self, resources: Sequence[int]) -> list[Stretch]:
        """Return the starts from which every one of these is taken at some time during the visit.

        Starts are compared, not time: a visit cannot change the room halfway.
        """
        each = (
            merged(self.need.barred_by_visit(self.diary.used.get(resource, ()))) for resource in resources
        )
        return functools.reduce(common, each, [(LONG_AGO, NEVER)])


def starts(hours: Iterable[Stretch], barred: Iterable[Stretch], length: int, step: int) -> list[int]:
    """Return every start on the grid from which such a visit lies within the hours, and is not barred.

    Both are sorted; hours do not overlap, barred starts may. One pass over both.
    """
    found: list[int] = []
    bars = itertools.chain(barred, [(NEVER, NEVER)])
    bar, bar_end = next(bars)
    free = LONG_AGO
    for opened, closed in hours:
        too_late = closed - length + 1
        free = max(free, opened)
        while bar < too_late:
            if free < bar:
                found.extend(range(opened - (opened - free) // step * step, bar, step))
            if free < bar_end:
                free = bar_end
            bar, bar_end = next(bars)
        if free < too_late:
            found.extend(range(opened - (opened - free) // step * step, too_late, step))
    return found


def step_of(length: timedelta) -> timedelta:
    """Return the distance between two starts on the grid for visits of this length."""
    return timedelta(minutes=30) if length >= LONG_VISIT else timedelta(minutes=15)


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the same time as sorted stretches that neither touch nor overlap; empty ones are left out."""
    result: list[Stretch] = []
    for start, end in sorted(stretches):
        if end <= start:
            continue
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def common(one: Sequence[Stretch], other: Sequence[Stretch]) -> list[Stretch]:
    """Return the time that lies in both; each is as `merged` returns it, and so is the result."""
    result: list[Stretch] = []
    mine, yours = 0, 0
    while mine < len(one) and yours < len(other):
        start, end = max(one[mine][0], other[yours][0]), min(one[mine][1], other[yours][1])
        if start < end:
            result.append((start, end))
        if one[mine][1] < other[yours][1]:
            mine += 1
        else:
            yours += 1
    return result


def covered(sorted_starts: Sequence[int], seconds: int) -> int:
    """Return how much time visits of this length fill that start then; what overlaps counts once."""
    if not sorted_starts:
        return 0
    between = (min(seconds, later - start) for start, later in itertools.pairwise(sorted_starts))
    return sum(between) + seconds


@dataclass(frozen=True)
class Objection:
    """Why a slot cannot be had: a code for programs and a sentence for the patient."""

    code: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


NOT_BOOKABLE, CLOSED, OUTSIDE_HOURS, OFF_THE_GRID, KEPT_FOR_URGENT = (
    "not_bookable",
    "closed",
    "outside_hours",
    "off_the_grid",
    "kept_for_urgent",
)
"""Codes of the rules, which the front desk may leave on purpose."""

SLOT_TAKEN, RESOURCE_TAKEN, PATIENT_BUSY = "slot_taken", "resource_taken", "patient_busy"
"""Codes of what nobody may leave."""


def objection(diary: Diary, visit_type: VisitType, slot: Slot) -> Objection | None:
    """Return the most telling reason why this slot cannot be had; None when it can."""
    return rule_against(diary, visit_type, slot) or in_the_way(diary, visit_type, slot)


def rule_against(
    diary: Diary, visit_type: VisitType, slot: Slot, *, any_minute: bool = False
) -> Objection | None:
    """Return the rule of the practice that speaks against a slot, whether or not the time is taken.

    `any_minute`: the grid is not asked for, as for the front desk.
    """
    timetable = diary.timetable
    here = timetable.clinic(slot.column.place)
    return (
        _not_here(timetable, slot)
        or _closed(timetable, slot)
        or _outside_hours(here, slot)
        or (None if any_minute else _off_the_grid(here, slot, Need.of(visit_type)))
        or _kept(here, slot, diary.now)
    )


def in_the_way(diary: Diary, visit_type: VisitType, slot: Slot) -> Objection | None:
    """Return what stands in the diary where this slot would: nobody may take that time."""
    need = Need.of(visit_type)
    if _is_barred(slot.start, need.barred_by_rule(diary.taken)):
        return Objection(PATIENT_BUSY, "You already have an appointment at that time.")
    if _is_barred(slot.start, need.barred_by_visit(diary.busy.get(slot.provider.pk, ()))):
        return Objection(SLOT_TAKEN, "Sorry, that time has just been taken.")
    for by_location in diary.timetable.rooms.values():
        if not by_location.get(slot.location.pk):
            return Objection(RESOURCE_TAKEN, f"This visit is not possible at {slot.location} just now.")
    if _is_barred(slot.start, _RoomsTaken(diary, need).barred_at(slot.location.pk)):
        return Objection(RESOURCE_TAKEN, "Sorry, the room or machine for this visit is taken at that time.")
    return None


def _not_here(timetable: Timetable, slot: Slot) -> Objection | None:
    if timetable.performers is not None and slot.provider.pk not in timetable.performers:
        return Objection(NOT_BOOKABLE, f"{slot.provider} does not do this kind of visit.")
    if timetable.locations is not None and slot.location.pk not in timetable.locations:
        return Objection(NOT_BOOKABLE, f"This kind of visit does not take place at {slot.location}.")
    return None


def _closed(timetable: Timetable, slot: Slot) -> Objection | None:
    """Return the closure that the slot lies in, the whole practice's before the provider's own."""
    lies_in = [
        change
        for change in timetable.exceptions
        if closes(change, slot.column.place)
        and _is_barred(slot.start, _lasting(timetable.times_of(change), slot.column.seconds))
    ]
    reach = [(change.provider_id is not None, change.location_id is not None) for change in lies_in]
    told = min(zip(reach, lies_in, strict=True), key=lambda pair: pair[0], default=None)
    return Objection(CLOSED, _closed_words(told[1], slot)) if told else None


def _closed_words(change: ScheduleException, slot: Slot) -> str:
    """Say who is not there; the reason is told only when the whole practice is closed (leave is private)."""
    when = f"on {slot:%A, %B %-d}" if change.starts_at is None else "at that time"
    if change.provider_id is not None:
        return f"{slot.provider} is away {when}."
    if change.location_id is not None:
        return f"{slot.location} is closed {when}."
    return (
        f"We are closed {when}: {change.reason.rstrip('.')}." if change.reason else f"We are closed {when}."
    )


def _outside_hours(here: Clinic, slot: Slot) -> Objection | None:
    if any(opened <= slot.start and slot.end <= closed for opened, closed in here.hours):
        return None
    return Objection(OUTSIDE_HOURS, f"{slot.provider} does not see patients {slot:%A, %B %-d at %-I:%M %p}.")


def _off_the_grid(here: Clinic, slot: Slot, need: Need) -> Objection | None:
    opened = next(opened for opened, closed in here.hours if opened <= slot.start < closed)
    if (slot.start - opened) % need.step == 0:
        return None
    return Objection(OFF_THE_GRID, f"No visit of this kind starts at {slot:%-I:%M %p}.")


def _kept(here: Clinic, slot: Slot, now: int) -> Objection | None:
    if _is_barred(slot.start, _lasting(here.kept_at(now), slot.column.seconds)):
        return Objection(KEPT_FOR_URGENT, "That time is kept for urgent visits.")
    return None


def _lasting(closed: Iterable[Stretch], seconds: int) -> list[Stretch]:
    return Need(seconds, 0, 0).barred_by_rule(merged(closed))


def _is_barred(start: int, barred: Iterable[Stretch]) -> bool:
    return any(first <= start < end for first, end in barred)


def closes(change: ScheduleException, place: Place) -> bool:
    """Say whether an exception closes this provider at this place."""
    return (
        change.kind == ScheduleException.Kind.CLOSED
        and change.provider_id in (None, place.provider.pk)
        and change.location_id in (None, place.location.pk)
    )


def slot(
    visit_type: VisitType, provider: Provider, location: Location, start: datetime, zone: ZoneInfo
) -> Slot:
    """Return the slot of a visit that starts then, free or not."""
    column = Column(Place(provider, location), zone, visit_type.minutes * 60)
    return Slot(math.floor(start.timestamp()), column)


def one_for_each_start(found: Iterable[Slot]) -> list[Slot]:
    """Return one slot for each start (`found` is sorted by it), so that the load is shared.

    It is with the provider who has most free time that day, by the whole diary and not only by what is
    in `found`. Of equals the start itself picks one: always the same for the same start, but not the
    same person all day.
    """
    return [_fairest(list(together)) for _, together in itertools.groupby(found, key=attrgetter("start"))]


def _fairest(together: list[Slot]) -> Slot:
    if len(together) == 1:
        return together[0]
    return max(together, key=lambda slot: (slot.column.free_seconds(slot.start), _lot(slot)))


def _lot(slot: Slot) -> int:
    """Draw a lot for a slot, the same one every time."""
    return zlib.crc32(f"{slot.start}.{slot.provider.pk}.{slot.location.pk}".encode())


def closest(found: Iterable[Slot], wish: Wish, limit: int) -> list[Slot]:
    """Return the slots nearest to a wish: those that match it first, then by distance, then the earliest."""

    def rank(slot: Slot) -> tuple[bool, timedelta, int]:
        starts_at = slot.starts_at
        return not wish.matches(starts_at), wish.distance(starts_at), slot.start

    return heapq.nsmallest(limit, found, key=rank)


def second_of(day: date, moment: time, zone: ZoneInfo) -> int:
    """Return a wall-clock time in seconds since 1970.

    A time that comes twice means the first; one that the clocks skip is read with the offset before
    the change (RFC 5545, 3.3.5).
    """
    return math.floor(datetime.combine(day, moment, zone).timestamp())


def moment_of(second: int) -> datetime:
    """Return seconds since 1970 as a moment in UTC."""
    return datetime.fromtimestamp(second, UTC)


def days_from(first: date, last: date) -> list[date]:
    """Return every day from the first to the last, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _since_midnight(moment: time) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _standing(place: Place) -> tuple[str, str, int, str, int]:
    provider, location = place
    return provider.last_name, provider.first_name, provider.pk, location.name, location.pk
