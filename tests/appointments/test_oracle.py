"""Availability beside an oracle that knows no intervals: it walks the wall clock minute by minute.

First the pure calculation with thousands of schedules, then the same through the database, where the
diary changes between the searches and what is remembered must change with it.
"""

import contextlib
import functools
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appointments import availability, diary
from appointments.availability import Diary, Slot, Stretch, Timetable
from appointments.models import (
    Appointment,
    Resource,
    ResourceBooking,
    ResourceKind,
    ScheduleException,
    UrgentBlock,
    VisitType,
    WeeklyHours,
)
from eyecare import clock
from patients.models import Patient
from practice.models import Location, Practice, Provider
from tests import factories

OKAFOR, CHEN = Provider(pk=1, last_name="Okafor"), Provider(pk=2, last_name="Chen")
MAIN_STREET, HARBOR = Location(pk=1, name="Main Street"), Location(pk=2, name="Harbor")
CLOSED, EXTRA = ScheduleException.Kind.CLOSED, ScheduleException.Kind.EXTRA

ORDINARY = [*range(0, 60, 5), *range(180, 1440, 5)]
"""Minutes at which rules begin and end: never while wall clocks skip or repeat themselves."""

NOT_AT_MIDNIGHT = range(180, 1380, 5)
FIRST_DAYS = [
    ("America/New_York", date(2026, 6, 15), ORDINARY),
    ("America/New_York", date(2026, 3, 7), ORDINARY),  # forward on the 8th
    ("America/New_York", date(2026, 10, 31), ORDINARY),  # back on 1 November
    ("Australia/Sydney", date(2026, 10, 3), ORDINARY),  # forward in the southern spring
    ("Australia/Sydney", date(2026, 4, 4), ORDINARY),
    ("Australia/Lord_Howe", date(2026, 10, 3), ORDINARY),  # by half an hour
    ("America/Santiago", date(2026, 9, 5), NOT_AT_MIDNIGHT),  # there is no midnight on the 6th
    ("America/Santiago", date(2026, 4, 4), NOT_AT_MIDNIGHT),  # and two of them here
]

Found = set[tuple[int, int, int]]
"""Start, provider and location of each slot."""


class Oracle:
    """Says of every minute who works and what is in the way; of a Diary it uses the bare facts only."""

    def __init__(self, facts: Diary, visit_type: VisitType) -> None:
        self.facts, self.rules, self.visit = facts, facts.timetable, visit_type
        self.first, self.wall, self.of_day = walls(
            self.rules.zone.key, self.rules.days[0], len(self.rules.days)
        )

    def found(self) -> Found:
        """Return every possible start, with whom and where."""
        places = {(row.provider_id, row.location_id) for row in self.rules.weekly}
        places |= {(row.provider_id, row.location_id) for row in self.rules.exceptions if row.kind == EXTRA}
        return {
            ((self.first + minute) * 60, provider, location)
            for provider, location in places
            for minute in self._starts(provider, location)
        }

    def _starts(self, provider: int, location: int) -> Iterator[int]:
        works = self._worked(provider, location)
        shut, taken = self._shut(provider, location), self._marked(self.facts.taken)
        busy = self._marked(self.facts.busy.get(provider, ()))
        length, before = self.visit.minutes, self.visit.buffer_before_minutes
        opened = 0
        for minute, is_at_work in enumerate(works):
            if not is_at_work:
                opened = minute + 1
                continue
            end = minute + length
            if (minute - opened) % (15 if length < 30 else 30) or 0 in works[minute:end]:
                continue
            needed = slice(minute - before, end + self.visit.buffer_after_minutes)
            if 1 in shut[minute:end] or 1 in taken[minute:end] or 1 in busy[needed]:
                continue
            if self._has_rooms(location, needed):
                yield minute

    def _worked(self, provider: int, location: int) -> bytearray:
        marks = bytearray(len(self.wall))
        for row in self.rules.weekly:
            if (row.provider_id, row.location_id) == (provider, location):
                self._mark_week(marks, row)
        for row in self.rules.exceptions:
            if row.kind == EXTRA and (row.provider_id, row.location_id) == (provider, location):
                self._mark_dates(marks, row)
        return marks

    def _shut(self, provider: int, location: int) -> bytearray:
        """Return when exceptions close this place, and when it is still kept for urgent visits."""
        marks = bytearray(len(self.wall))
        for row in self.rules.exceptions:
            reaches = row.provider_id in (None, provider) and row.location_id in (None, location)
            if row.kind == CLOSED and reaches:
                self._mark_dates(marks, row)
        for block in self.rules.blocks:
            if (block.provider_id, block.location_id) == (provider, location):
                self._mark_week(marks, block, until_released=True)
        return marks

    def _mark_week(
        self, marks: bytearray, row: WeeklyHours | UrgentBlock, *, until_released: bool = False
    ) -> None:
        for day in self.rules.days:
            if day.weekday() == row.weekday:
                inside = self._during(day, row.starts_at, row.ends_at)
                if until_released and inside and self._is_released(row, inside[0]):  # type: ignore[arg-type]
                    continue
                for minute in inside:
                    marks[minute] = 1

    def _is_released(self, block: UrgentBlock, begins: int) -> bool:
        return self.facts.now >= (self.first + begins - block.released_hours_before * 60) * 60

    def _mark_dates(self, marks: bytearray, row: ScheduleException) -> None:
        for day in self.rules.days:
            if row.date <= day <= (row.last_date or row.date):
                for minute in self._during(day, row.starts_at, row.ends_at):
                    marks[minute] = 1

    def _during(self, day: date, first: time | None, last: time | None) -> list[int]:
        if first is None or last is None:
            return [minute for minute, _ in self.of_day[day]]
        return [minute for minute, shown in self.of_day[day] if first <= shown < last]

    def _marked(self, stretches: Iterable[Stretch]) -> bytearray:
        marks = bytearray(len(self.wall))
        for start, end in stretches:
            for second in range(start, end, 60):
                minute = second // 60 - self.first
                if 0 <= minute < len(marks):
                    marks[minute] = 1
        return marks

    def _has_rooms(self, location: int, needed: slice) -> bool:
        return all(
            any(1 not in self._used[resource][needed] for resource in kind.get(location, ()))
            for kind in self.rules.rooms.values()
        )

    @functools.cached_property
    def _used(self) -> dict[int, bytearray]:
        resources = {one for kind in self.rules.rooms.values() for those in kind.values() for one in those}
        return {resource: self._marked(self.facts.used.get(resource, ())) for resource in resources}


@functools.cache
def walls(
    zone: str, first_day: date, days: int
) -> tuple[int, list[datetime], dict[date, list[tuple[int, time]]]]:
    """Return what the clock on the wall shows in every minute of these days, and a day around them."""
    first = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC) - timedelta(days=1)
    shown = [
        (first + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
        for minute in range((days + 2) * 24 * 60)
    ]
    of_day: dict[date, list[tuple[int, time]]] = defaultdict(list)
    for minute, wall in enumerate(shown):
        of_day[wall.date()].append((minute, wall.time()))
    return int(first.timestamp()) // 60, shown, of_day


# The pure calculation.


@dataclass(frozen=True)
class Case:
    visit_type: VisitType
    diary: Diary

    def slots(self) -> list[Slot]:
        return availability.slots(self.diary, self.visit_type)


def places() -> st.SearchStrategy[tuple[Provider, Location]]:
    return st.sampled_from(
        [(OKAFOR, MAIN_STREET), (OKAFOR, MAIN_STREET), (OKAFOR, HARBOR), (CHEN, MAIN_STREET)]
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone, first_day, minutes = draw(st.sampled_from(FIRST_DAYS))
    days = [first_day, first_day + timedelta(days=1)]
    week = st.tuples(places(), st.sampled_from(days), runs(minutes))
    weekly = [
        WeeklyHours(provider=who, location=where, weekday=day.weekday(), starts_at=run[0], ends_at=run[1])
        for (who, where), day, run in draw(st.lists(week, min_size=1, max_size=4))
    ]
    blocks = [
        UrgentBlock(provider=who, location=where, weekday=day.weekday(), starts_at=run[0], ends_at=run[1],
                    released_hours_before=draw(st.sampled_from([0, 2, 30])))
        for (who, where), day, run in draw(st.lists(week, max_size=2))
    ]  # fmt: skip
    midnight = availability.second_of(first_day, time(3), ZoneInfo(zone)) - 6 * 3600
    times = st.builds(
        lambda start, length: (midnight + start * 300, midnight + (start + length) * 300),
        st.integers(0, 650), st.integers(1, 24),
    )  # fmt: skip
    rules = Timetable(
        ZoneInfo(zone), days, weekly, draw(st.lists(changes(days, minutes), max_size=3)), blocks,
        draw(st.sampled_from(ROOMS)),
    )  # fmt: skip
    busy = {who.pk: draw(st.lists(times, max_size=5)) for who in (OKAFOR, CHEN)}
    used = {one: draw(st.lists(times, max_size=4)) for one in (1, 2, 3) if rules.rooms}
    taken = draw(st.lists(times, max_size=2))
    now = midnight + 3600 * draw(st.integers(-30, 40))
    return Case(draw(st.builds(visits, st.randoms())), Diary(rules, now, busy, used, taken))


ROOMS: list[dict[int, dict[int, list[int]]]] = [
    {},
    {},
    {1: {MAIN_STREET.pk: [1, 2]}},
    {1: {MAIN_STREET.pk: [1], HARBOR.pk: [2]}, 2: {MAIN_STREET.pk: [3], HARBOR.pk: [3]}},
]


def visits(chance: random.Random) -> VisitType:
    return VisitType(
        minutes=chance.choice([10, 15, 20, 30, 45, 60, 90]),
        buffer_before_minutes=chance.choice([0, 0, 5, 10]),
        buffer_after_minutes=chance.choice([0, 0, 5, 15]),
    )


@st.composite
def runs(draw: st.DrawFn, minutes: Iterable[int]) -> tuple[time, time]:
    first, last = sorted(draw(st.lists(st.sampled_from(minutes), min_size=2, max_size=2, unique=True)))  # type: ignore[arg-type]
    return time(*divmod(first, 60)), time(*divmod(last, 60))


@st.composite
def changes(draw: st.DrawFn, days: list[date], minutes: Iterable[int]) -> ScheduleException:
    row = ScheduleException(kind=CLOSED, date=draw(st.sampled_from([days[0] - timedelta(days=1), *days])))
    row.last_date = draw(st.sampled_from([None, days[0], days[1]]))
    row.last_date = row.last_date and max(row.last_date, row.date)
    if draw(st.booleans()):
        row.starts_at, row.ends_at = draw(runs(minutes))
    row.provider, row.location = draw(places())
    if row.starts_at and draw(st.booleans()):
        row.kind = EXTRA
    else:
        row.provider = draw(st.sampled_from([None, row.provider]))
        row.location = draw(st.sampled_from([None, row.location]))
    return row


def named(slots: Iterable[Slot]) -> Found:
    return {(slot.start, slot.provider.pk, slot.location.pk) for slot in slots}


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.lists(st.integers(0, 190), max_size=6))
def test_it_finds_what_a_walk_through_the_clock_finds(case: Case, quarters: list[int]) -> None:
    slots = case.slots()
    free = Oracle(case.diary, case.visit_type).found()
    assert named(slots) == free
    assert len(slots) == len(free)
    assert [slot.start for slot in slots] == sorted(slot.start for slot in slots)
    begin = availability.second_of(case.diary.timetable.days[0], time(3), case.diary.timetable.zone)
    wished = [wish(case, begin - 3 * 3600 + quarter * 900) for quarter in quarters]
    for slot in [*wished, *slots[:3]]:
        objection = availability.objection(case.diary, case.visit_type, slot)
        assert (objection is None) == (slot in slots), objection


def wish(case: Case, start: int) -> Slot:
    moment = availability.moment_of(start)
    return availability.slot(case.visit_type, OKAFOR, MAIN_STREET, moment, case.diary.timetable.zone)


# The same through the database.


class House:
    """A practice with random rules, whose diary changes at random; the facts are its bare rows."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        zone, first_day, _ = self.chance.choice(FIRST_DAYS[:5])
        self.zone, self.days = ZoneInfo(zone), [first_day, first_day + timedelta(days=1)]
        self.now = datetime.combine(first_day, time(4), self.zone) - timedelta(
            hours=self.chance.choice([1, 30])
        )
        Practice.objects.update(time_zone=zone)
        cache.clear()
        self.places = [factories.LocationFactory(name=name) for name in ("Main Street", "Harbor")]
        self.staff = [factories.ProviderFactory(last_name=name) for name in ("Okafor", "Chen", "Reyes")]
        self.people = [factories.PatientFactory(account=None) for _ in range(3)]
        self.machines = [
            Resource.objects.create(kind=kind, location=place, name=f"{kind} {number}")
            for kind in (ResourceKind.objects.create(name=name) for name in ("Field", "Laser"))
            for place in self.places
            for number in range(self.chance.randint(1, 2))
        ]
        self.visit_type = self._visit_type()
        for _ in range(self.chance.randint(3, 8)):
            self.new_hours()

    def _visit_type(self) -> VisitType:
        visit_type = factories.VisitTypeFactory(
            slug="oracle",
            name="Oracle",
            is_urgent=self.chance.random() < 0.2,
            minimum_notice_hours=self.chance.choice([0, 0, 12]),
            horizon_days=self.chance.choice([1, 30]),
            providers=self.staff[: self.chance.choice([1, 3])],
        )
        for name, value in vars(visits(self.chance)).items():
            if name.endswith("minutes"):
                setattr(visit_type, name, value)
        visit_type.save()
        visit_type.needs.set(
            self.chance.choice([[], [], [self.machines[0].kind], ResourceKind.objects.all()])
        )
        visit_type.locations.set(self.chance.choice([[], [], self.places[:1]]))
        return visit_type

    def change(self) -> None:
        """Change one thing in the diary or in its rules, or let time pass."""
        self.chance.choice(
            [self.new_visit] * 6
            + [self.new_hold] * 3
            + [self.end_a_visit, self.new_hours, self.new_exception, self.new_block, self.end_a_rule]
            + [self.break_a_machine, self.swap_a_machine, self.send_somebody_home, self.wait, self.wait]
        )()

    def new_visit(self, **more: object) -> None:
        """Write a visit somewhere, if the database lets it stand there."""
        length = 5 * self.chance.randint(2, 18)
        start = datetime.combine(self.chance.choice(self.days), time(), self.zone).astimezone(UTC)
        start += timedelta(minutes=5 * self.chance.randint(60, 260))
        row = {"patient": self.chance.choice(self.people), "visit_type": self.visit_type} | more
        with self._refusing():
            visit = Appointment.objects.create(
                provider=self.chance.choice(self.staff),
                location=self.chance.choice(self.places),
                starts_at=start,
                ends_at=start + timedelta(minutes=length),
                busy_from=start - timedelta(minutes=self.chance.choice([0, 5])),
                busy_until=start + timedelta(minutes=length + self.chance.choice([0, 10])),
                **row,
            )
            ResourceBooking.objects.create(
                appointment=visit,
                resource=self.chance.choice(self.machines),
                lineage=visit.lineage,
                busy_from=visit.busy_from,
                busy_until=visit.busy_until,
            )

    def new_hold(self) -> None:
        until = self.now + timedelta(
            minutes=self.chance.choice([-5, 10, 60]), seconds=self.chance.choice([0, 0.5])
        )
        somebody = self.chance.choice([None, *self.people])
        self.new_visit(state=Appointment.State.HELD, held_until=until, patient=somebody)

    def end_a_visit(self) -> None:
        over = (Appointment.State.CANCELLED, Appointment.State.RELEASED)
        if rows := list(Appointment.objects.exclude(state__in=over).order_by("starts_at", "pk")):
            row = self.chance.choice(rows)
            is_hold = row.state == Appointment.State.HELD
            Appointment.objects.filter(pk=row.pk).update(state=over[is_hold])

    def swap_a_machine(self) -> None:
        rows = list(ResourceBooking.objects.order_by("pk"))
        if rows:
            with self._refusing():
                ResourceBooking.objects.filter(pk=self.chance.choice(rows).pk).update(
                    resource=self.chance.choice(self.machines)
                )

    def break_a_machine(self) -> None:
        Resource.objects.filter(pk=self.chance.choice(self.machines).pk).update(
            is_active=self.chance.random() < 0.5
        )

    def send_somebody_home(self) -> None:
        Provider.objects.filter(pk=self.chance.choice(self.staff).pk).update(
            is_active=self.chance.random() < 0.5
        )

    def new_hours(self) -> None:
        WeeklyHours.objects.create(**self._weekly())

    def new_block(self) -> None:
        UrgentBlock.objects.create(**self._weekly(), released_hours_before=self.chance.choice([0, 3, 24]))

    def _weekly(self) -> dict[str, object]:
        starts_at, ends_at = self._run()
        return {
            "provider": self.chance.choice(self.staff),
            "location": self.chance.choice(self.places),
            "weekday": self.chance.choice(self.days).weekday(),
            "starts_at": starts_at,
            "ends_at": ends_at,
        }

    def _run(self) -> tuple[time, time]:
        first, last = sorted(self.chance.sample(ORDINARY, 2))
        return time(*divmod(first, 60)), time(*divmod(last, 60))

    def new_exception(self) -> None:
        first = self.chance.choice([self.days[0] - timedelta(days=2), *self.days])
        times = self.chance.choice([(None, None), self._run(), self._run()])
        who, where = self.chance.choice([None, *self.staff]), self.chance.choice([None, *self.places])
        is_extra = who and where and times[0] and self.chance.random() < 0.7
        ScheduleException.objects.create(
            kind=EXTRA if is_extra else CLOSED,
            date=first,
            last_date=self.chance.choice([None, first + timedelta(days=2)]),
            provider=who,
            location=where,
            starts_at=times[0],
            ends_at=times[1],
        )

    def end_a_rule(self) -> None:
        model = self.chance.choice([WeeklyHours, ScheduleException, UrgentBlock])
        if rows := list(model.objects.order_by("pk")):
            self.chance.choice(rows).delete()

    def wait(self) -> None:
        self.now += timedelta(minutes=self.chance.choice([5, 61, 600]))

    @staticmethod
    @contextmanager
    def _refusing() -> Iterator[None]:
        """Undo what the database refuses: two visits at once."""
        with contextlib.suppress(IntegrityError), transaction.atomic():
            yield

    def facts(self, patient: Patient | None, moving: Appointment | None) -> Diary:
        """Read every row there is, and sort it out in the plainest way."""
        visit = self.visit_type
        performers = {row.pk for row in visit.providers.all() if row.is_active}
        locations = {row.pk for row in visit.locations.all() or Location.objects.all() if row.is_active}

        def here(row: WeeklyHours | UrgentBlock | ScheduleException) -> bool:
            return row.provider_id in performers and row.location_id in locations

        changes = [row for row in ScheduleException.objects.all() if row.kind == CLOSED or here(row)]
        rooms: dict[int, dict[int, list[int]]] = {kind.pk: defaultdict(list) for kind in visit.needs.all()}
        for machine in Resource.objects.filter(is_active=True):
            if machine.kind_id in rooms:
                rooms[machine.kind_id][machine.location_id].append(machine.pk)
        rules = Timetable(
            self.zone,
            self.days,
            [row for row in WeeklyHours.objects.all() if here(row)],
            changes,
            [] if visit.is_urgent else list(UrgentBlock.objects.all()),
            rooms,
        )
        busy, used, taken = defaultdict(list), defaultdict(list), []
        for row in Appointment.objects.prefetch_related("resource_bookings"):
            is_hold = row.state == "held" and row.held_until > self.now
            is_own = patient is not None and row.patient_id == patient.pk
            if row == moving or (is_hold and is_own) or not (is_hold or row.is_active):
                continue
            busy[row.provider_id].append(seconds(row.busy_from, row.busy_until))
            for use in row.resource_bookings.all():
                used[use.resource_id].append(seconds(use.busy_from, use.busy_until))
            if is_own:
                taken.append(seconds(row.starts_at, row.ends_at))
        return Diary(rules, int(self.now.timestamp()), busy, used, taken)

    def check(self) -> None:
        """Compare a search by somebody, for something, with the oracle."""
        patient = self.chance.choice([None, *self.people])
        moving = Appointment.objects.active().filter(patient=patient).order_by("pk").first()
        moving = self.chance.choice([None, moving]) if patient else None
        provider, location = self.chance.choice([None, *self.staff]), self.chance.choice([None, *self.places])
        with clock.frozen_at(self.now):
            slots = diary.find_slots(
                visit_type=self.visit_type, first_day=self.days[0], last_day=self.days[1], patient=patient,
                moving=moving, provider=provider, location=location,
            )  # fmt: skip
            free = Oracle(self.facts(patient, moving), self.visit_type).found()
            earliest, latest = (moment.timestamp() for moment in diary.bookable_range(self.visit_type))
            bookable = {found for found in free if earliest <= found[0] <= latest}
            narrowed = {
                found
                for found in bookable
                if (provider is None or found[1] == provider.pk)
                and (location is None or found[2] == location.pk)
            }
            assert named(slots) == narrowed
            self._check_one(patient, moving, free, bookable)

    def _check_one(
        self, patient: Patient | None, moving: Appointment | None, free: Found, bookable: Found
    ) -> None:
        """A wished time is refused for a reason exactly when it is not free; what is offered instead is."""
        start = datetime.combine(self.chance.choice(self.days), time(), self.zone)
        start += timedelta(minutes=15 * self.chance.randint(20, 80))
        wished = [
            self._slot(
                start.timestamp(),
                *self.chance.choice([(who, where) for who in self.staff for where in self.places]),
            )
        ]
        if free:
            start, who, where = self.chance.choice(sorted(free))
            wished.append(self._slot(start, Provider.objects.get(pk=who), Location.objects.get(pk=where)))
        for slot in wished:
            objection = diary.why_not(self.visit_type, slot, patient=patient, moving=moving)
            assert (objection is None) == (named([slot]) <= free), objection
        others = diary.alternatives(self.visit_type, wished[0], patient=patient, moving=moving)
        assert others or not bookable
        for slot in others:
            if slot.starts_at.date() in self.days:
                assert named([slot]) <= bookable
            else:
                assert diary.why_not(self.visit_type, slot, patient=patient, moving=moving) is None

    def _slot(self, start: float, who: Provider, where: Location) -> Slot:
        return availability.slot(self.visit_type, who, where, datetime.fromtimestamp(start, UTC), self.zone)


def seconds(start: datetime, end: datetime) -> Stretch:
    return int(start.timestamp()), int(end.timestamp())


@pytest.mark.django_db
@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.generate],  # there is nothing to shrink in a seed
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 2**32))
def test_searches_follow_every_change_of_the_diary(practice: Practice, seed: int) -> None:
    with transaction.atomic():
        house = House(seed)
        for _ in range(4):
            for _ in range(house.chance.randint(0, 6)):
                house.change()
            house.check()
            with transaction.atomic():
                house.change()
                house.check()
                transaction.set_rollback(house.chance.random() < 0.3)
        transaction.set_rollback(True)
