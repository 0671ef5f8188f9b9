"""Availability: a brute-force oracle that walks the clock in ticks of five minutes, and the odd days."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from appointments import availability
from appointments.availability import Diary, Interval
from appointments.models import ScheduleException, VisitType, WeeklyHours
from practice.models import Location, Provider

NEW_YORK = ZoneInfo("America/New_York")
OKAFOR = Provider(pk=1, first_name="Maya", last_name="Okafor", credentials="OD")
MAIN_STREET = Location(pk=1, name="Main Street")
TICK = timedelta(minutes=5)
LONG_AGO, FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
FIRST_DAYS = [
    date(2026, 3, 7),  # the clocks go forward on the 8th
    date(2026, 10, 31),  # and back on 1 November
    date(2026, 6, 15),
]

minutes_of_day = st.sampled_from([*range(0, 60, 5), *range(180, 1440, 5)])
"""Hours do not begin or end between one and three at night, where wall clocks skip or repeat themselves."""


@st.composite
def runs(draw: st.DrawFn) -> tuple[time, time]:
    first, last = sorted(draw(st.lists(minutes_of_day, min_size=2, max_size=2, unique=True)))
    return time(*divmod(first, 60)), time(*divmod(last, 60))


@dataclass(frozen=True)
class Case:
    """A random provider's two days."""

    first_day: date
    visit_type: VisitType
    diary: Diary

    @property
    def days(self) -> list[date]:
        return availability.days_from(self.first_day, self.first_day + timedelta(days=1))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    first_day = draw(st.sampled_from(FIRST_DAYS))
    visit_type = VisitType(
        minutes=draw(st.sampled_from([10, 15, 20, 30, 45, 60, 90])),
        buffer_before_minutes=draw(st.sampled_from([0, 0, 5, 10])),
        buffer_after_minutes=draw(st.sampled_from([0, 0, 5, 15])),
    )
    weekly = [hours(*run) | {"weekday": (first_day + timedelta(days=shift)).weekday()} for shift in (0, 1)
              for run in draw(st.lists(runs(), max_size=3))]  # fmt: skip
    changes = [draw(exceptions(first_day)) for _ in range(draw(st.integers(0, 3)))]
    busy = draw(st.lists(stretches(first_day), max_size=6))
    taken = draw(st.lists(stretches(first_day), max_size=2))
    diary = Diary(NEW_YORK, [WeeklyHours(**row) for row in weekly], changes, {OKAFOR.pk: busy}, taken)
    return Case(first_day, visit_type, diary)


@st.composite
def exceptions(draw: st.DrawFn, first_day: date) -> ScheduleException:
    day = first_day + timedelta(days=draw(st.integers(0, 1)))
    starts_at, ends_at = draw(runs())
    kind = draw(st.sampled_from(["closed", "extra", "all day"]))
    if kind == "all day":
        return ScheduleException(kind="closed", date=day)
    row = ScheduleException(kind=kind, date=day, starts_at=starts_at, ends_at=ends_at)
    if kind == "extra":
        row.provider, row.location = OKAFOR, MAIN_STREET
    return row


@st.composite
def stretches(draw: st.DrawFn, first_day: date) -> Interval:
    start = availability.instant(first_day, time.min, NEW_YORK) + TICK * draw(st.integers(0, 580))
    return Interval(start, start + TICK * draw(st.integers(1, 24)))


def hours(starts_at: time, ends_at: time) -> dict[str, object]:
    return {"provider": OKAFOR, "location": MAIN_STREET, "starts_at": starts_at, "ends_at": ends_at}


def found(case: Case) -> list[datetime]:
    slots = availability.slots(case.diary, case.visit_type, case.days, earliest=LONG_AGO, latest=FAR_AHEAD)
    return [slot.interval.start for slot in slots]


class Oracle:
    """Says of every tick whether the provider works and whether somebody is in the way."""

    def __init__(self, case: Case) -> None:
        self.case = case
        first = availability.instant(case.first_day, time.min, NEW_YORK) - timedelta(hours=3)
        self.ticks = [first + TICK * number for number in range(55 * 12)]
        self.works = {tick for tick in self.ticks if self.is_at_work(tick.astimezone(NEW_YORK))}
        self.closed = {tick for tick in self.ticks if self.is_closed(tick.astimezone(NEW_YORK))}
        self.taken = {tick for tick in self.ticks if covered(tick, case.diary.taken)}
        self.busy = {tick for tick in self.ticks if covered(tick, case.diary.busy[OKAFOR.pk])}

    def is_at_work(self, local: datetime) -> bool:
        if local.date() not in self.case.days:
            return False
        weekly = (row for row in self.case.diary.weekly if row.weekday == local.weekday())
        extra = (
            row for row in self.case.diary.exceptions if row.kind == "extra" and row.date == local.date()
        )
        return any(row.starts_at <= local.time() < row.ends_at for row in (*weekly, *extra))

    def is_closed(self, local: datetime) -> bool:
        closed = (
            row for row in self.case.diary.exceptions if row.kind == "closed" and row.date == local.date()
        )
        return any(row.starts_at is None or row.starts_at <= local.time() < row.ends_at for row in closed)

    def starts(self) -> list[datetime]:
        return [tick for tick in self.ticks if tick in self.works and self.fits(tick)]

    def fits(self, start: datetime) -> bool:
        visit = self.case.visit_type
        during = set(ticks(start, start + visit.length))
        kept = set(ticks(start - visit.buffer_before, start + visit.length + visit.buffer_after))
        is_possible = (
            during <= self.works and not during & (self.closed | self.taken) and not kept & self.busy
        )
        return is_possible and self.is_on_the_grid(start)

    def is_on_the_grid(self, start: datetime) -> bool:
        opened = start
        while opened - TICK in self.works:
            opened -= TICK
        step = 15 if self.case.visit_type.minutes < 30 else 30
        return (start - opened) % timedelta(minutes=step) == timedelta()


def ticks(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += TICK


def covered(tick: datetime, intervals: Iterable[Interval]) -> bool:
    return any(start <= tick < end for start, end in intervals)


@settings(max_examples=120, deadline=None)
@given(cases())
def test_it_finds_what_a_walk_through_the_clock_finds(case: Case) -> None:
    assert found(case) == Oracle(case).starts()


def test_hours_keep_to_the_wall_clock_on_both_days_on_which_the_clocks_change() -> None:
    exam = VisitType(minutes=30)
    for sunday in (date(2026, 3, 8), date(2026, 11, 1)):
        weekly = [WeeklyHours(**hours(time(9), time(11)), weekday=6)]
        case = Case(sunday, exam, Diary(NEW_YORK, weekly))
        local = [f"{start.astimezone(NEW_YORK):%H:%M}" for start in found(case)]
        assert local == ["09:00", "09:30", "10:00", "10:30"]


def test_a_night_clinic_is_an_hour_shorter_when_the_clocks_go_forward() -> None:
    weekly = [WeeklyHours(**hours(time(0), time(4)), weekday=6)]
    case = Case(date(2026, 3, 8), VisitType(minutes=60), Diary(NEW_YORK, weekly))
    assert [f"{start.astimezone(NEW_YORK):%H:%M}" for start in found(case)] == [
        "00:00", "00:30", "01:00", "01:30", "03:00"
    ]  # fmt: skip


def test_a_night_clinic_is_an_hour_longer_when_the_clocks_go_back() -> None:
    weekly = [WeeklyHours(**hours(time(0), time(3)), weekday=6)]
    case = Case(date(2026, 11, 1), VisitType(minutes=60), Diary(NEW_YORK, weekly))
    starts = found(case)
    assert len(starts) == 7
    assert starts == sorted(set(starts))


def test_the_grid_starts_where_the_hours_start() -> None:
    weekly = [WeeklyHours(**hours(time(8, 10), time(9, 30)), weekday=0)]
    case = Case(date(2026, 3, 2), VisitType(minutes=30), Diary(NEW_YORK, weekly))
    assert [f"{start.astimezone(NEW_YORK):%H:%M}" for start in found(case)] == ["08:10", "08:40"]


def test_of_two_providers_free_at_once_the_one_with_more_time_left_is_offered() -> None:
    chen = Provider(pk=2, first_name="Li", last_name="Chen")
    nine, ten = (datetime(2026, 3, 3, hour, tzinfo=NEW_YORK) for hour in (9, 10))
    exam = VisitType(minutes=30)
    slots = [
        availability.slot(exam, provider, MAIN_STREET, start, NEW_YORK)
        for provider, start in [(OKAFOR, nine), (chen, nine), (chen, ten)]
    ]
    offered = availability.one_for_each_start(slots)
    assert [(slot.provider, slot.starts_at) for slot in offered] == [(chen, nine), (chen, ten)]


def test_a_slot_reads_as_a_time_on_the_practices_wall() -> None:
    start = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
    slot = availability.slot(VisitType(minutes=30), OKAFOR, MAIN_STREET, start, NEW_YORK)
    assert f"{slot:%A, %B %-d at %-I:%M %p}" == "Tuesday, March 3 at 9:30 AM"
    assert str(slot) == "Tuesday, March 3 at 9:30 AM with Dr. Maya Okafor"
    assert slot.key == "1.1.20260303T1430"
