"""Availability as pure calculation: odd days, shared load, and the reason why a time cannot be had."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from appointments import availability
from appointments.availability import Diary, Slot, Stretch, Timetable
from appointments.models import ScheduleException, UrgentBlock, VisitType, WeeklyHours
from practice.models import Location, Provider

NEW_YORK = ZoneInfo("America/New_York")
OKAFOR = Provider(pk=1, first_name="Maya", last_name="Okafor", credentials="OD")
CHEN = Provider(pk=2, first_name="Li", last_name="Chen", credentials="MD")
MAIN_STREET, HARBOR = Location(pk=1, name="Main Street"), Location(pk=2, name="Harbor")
EXAM = VisitType(minutes=30)
TUESDAY = date(2026, 3, 3)
CLOSED, EXTRA = ScheduleException.Kind.CLOSED, ScheduleException.Kind.EXTRA


def works(first: time, last: time, day: date = TUESDAY, who: Provider = OKAFOR) -> WeeklyHours:
    return WeeklyHours(
        provider=who, location=MAIN_STREET, weekday=day.weekday(), starts_at=first, ends_at=last
    )


def timetable(*weekly: WeeklyHours, days: tuple[date, ...] = (TUESDAY,), **more: object) -> Timetable:
    return Timetable(NEW_YORK, days, weekly, **more)  # type: ignore[arg-type]


def nine_to_eleven(**more: object) -> Timetable:
    return timetable(works(time(9), time(11)), **more)


def second(hour: int, minute: int = 0, day: date = TUESDAY) -> int:
    return availability.second_of(day, time(hour, minute), NEW_YORK)


def run(first: float, last: float, day: date = TUESDAY) -> Stretch:
    """Return a stretch of that day between two hours, 9.5 being half past nine."""
    midnight = second(0, 0, day)
    return int(midnight + first * 3600), int(midnight + last * 3600)


def found(diary: Diary | Timetable, visit_type: VisitType = EXAM) -> list[str]:
    diary = diary if isinstance(diary, Diary) else Diary(diary)
    return [f"{slot:%H:%M}" for slot in availability.slots(diary, visit_type)]


def slot(hour: int, minute: int = 0, who: Provider = OKAFOR, where: Location = MAIN_STREET) -> Slot:
    start = datetime(2026, 3, 3, hour, minute, tzinfo=NEW_YORK)
    return availability.slot(EXAM, who, where, start, NEW_YORK)


@pytest.mark.parametrize("sunday", [date(2026, 3, 8), date(2026, 11, 1)])
def test_hours_keep_to_the_wall_clock_on_both_days_on_which_the_clocks_change(sunday: date) -> None:
    rules = timetable(works(time(9), time(11), sunday), days=(sunday,))
    assert found(rules) == ["09:00", "09:30", "10:00", "10:30"]


def test_a_night_clinic_is_an_hour_shorter_when_the_clocks_go_forward() -> None:
    sunday = date(2026, 3, 8)
    rules = timetable(works(time(0), time(4), sunday), days=(sunday,))
    assert found(rules, VisitType(minutes=60)) == ["00:00", "00:30", "01:00", "01:30", "03:00"]


def test_a_night_clinic_is_an_hour_longer_when_the_clocks_go_back() -> None:
    sunday = date(2026, 11, 1)
    rules = timetable(works(time(0), time(3), sunday), days=(sunday,))
    starts = [slot.start for slot in availability.slots(Diary(rules), VisitType(minutes=60))]
    assert len(starts) == 7
    assert starts == sorted(set(starts))


def test_the_grid_starts_where_the_hours_start() -> None:
    assert found(timetable(works(time(8, 10), time(9, 30)))) == ["08:10", "08:40"]


def test_after_a_visit_the_grid_goes_on_where_it_was() -> None:
    diary = Diary(nine_to_eleven(), busy={OKAFOR.pk: [run(9, 9.75)]})
    assert found(diary) == ["10:00", "10:30"]
    assert found(diary, VisitType(minutes=15)) == ["09:45", "10:00", "10:15", "10:30", "10:45"]


def test_a_holiday_closes_every_day_that_it_lasts() -> None:
    days = tuple(availability.days_from(TUESDAY, date(2026, 3, 5)))
    weekly = [works(time(9), time(10), day) for day in days]
    holiday = ScheduleException(kind=CLOSED, date=date(2026, 3, 1), last_date=date(2026, 3, 4))
    slots = availability.slots(Diary(timetable(*weekly, days=days, exceptions=[holiday])), EXAM)
    assert [f"{slot:%a %H:%M}" for slot in slots] == ["Thu 09:00", "Thu 09:30"]


def test_an_extra_clinic_lengthens_the_hours_that_it_touches() -> None:
    extra = ScheduleException(
        kind=EXTRA,
        date=TUESDAY,
        provider=OKAFOR,
        location=MAIN_STREET,
        starts_at=time(8, 45),
        ends_at=time(9),
    )
    assert found(nine_to_eleven(exceptions=[extra])) == ["08:45", "09:15", "09:45", "10:15"]


def test_buffers_keep_clear_of_neighbours_but_may_reach_past_the_hours() -> None:
    fitting = VisitType(minutes=30, buffer_before_minutes=15, buffer_after_minutes=15)
    assert found(nine_to_eleven(), fitting) == ["09:00", "09:30", "10:00", "10:30"]
    diary = Diary(nine_to_eleven(), busy={OKAFOR.pk: [run(9.5, 10)]})
    assert found(diary, fitting) == ["10:30"]


def kept(hours: int) -> UrgentBlock:
    return UrgentBlock(
        provider=OKAFOR,
        location=MAIN_STREET,
        weekday=TUESDAY.weekday(),
        starts_at=time(9, 30),
        ends_at=time(10, 30),
        released_hours_before=hours,
    )


def test_time_kept_for_urgent_visits_is_released_some_hours_before() -> None:
    rules = nine_to_eleven(blocks=[kept(4)])
    assert found(Diary(rules, now=second(5, 29))) == ["09:00", "10:30"]
    assert found(Diary(rules, now=second(5, 30))) == ["09:00", "09:30", "10:00", "10:30"]


def test_time_that_is_never_released_stays_kept_until_it_begins() -> None:
    rules = nine_to_eleven(blocks=[kept(0)])
    assert found(Diary(rules, now=second(9, 29))) == ["09:00", "10:30"]
    assert rules.released_after(second(9, 29)) == {OKAFOR.pk: second(9, 30)}
    assert rules.released_after(second(9, 30)) == {OKAFOR.pk: availability.NEVER}


def test_hours_before_are_real_hours_in_the_night_in_which_the_clocks_change() -> None:
    sunday = date(2026, 3, 8)
    block = kept(9)
    block.weekday = sunday.weekday()
    rules = timetable(works(time(9), time(11), sunday), days=(sunday,), blocks=[block])
    released = second(9, 30, sunday) - 9 * 3600
    assert f"{datetime.fromtimestamp(released, NEW_YORK):%a %H:%M}" == "Sat 23:30"
    assert rules.released_after(released - 1) == {OKAFOR.pk: released}


FIELD, DILATION = 7, 8
"""Kinds of machines."""


def test_one_of_two_machines_is_enough() -> None:
    rules = nine_to_eleven(rooms={FIELD: {MAIN_STREET.pk: [1, 2]}})
    assert found(Diary(rules, used={1: [run(9, 10)]})) == ["09:00", "09:30", "10:00", "10:30"]
    assert found(Diary(rules, used={1: [run(9, 10)], 2: [run(9.5, 10)]})) == ["09:00", "10:00", "10:30"]


def test_a_visit_does_not_change_the_machine_halfway() -> None:
    rules = nine_to_eleven(rooms={FIELD: {MAIN_STREET.pk: [1, 2]}})
    halves = Diary(rules, used={1: [run(9, 9.25)], 2: [run(9.25, 9.5)]})
    assert found(halves) == ["09:30", "10:00", "10:30"]


def test_a_visit_needs_one_of_every_kind() -> None:
    rules = nine_to_eleven(rooms={FIELD: {MAIN_STREET.pk: [1]}, DILATION: {MAIN_STREET.pk: [2]}})
    assert found(Diary(rules, used={1: [run(9, 9.5)], 2: [run(10, 10.5)]})) == ["09:30", "10:30"]


@pytest.mark.parametrize("rooms", [{FIELD: {}}, {FIELD: {HARBOR.pk: [1]}}])
def test_without_a_machine_at_the_place_nothing_is_offered(rooms: dict[int, dict[int, list[int]]]) -> None:
    assert found(nine_to_eleven(rooms=rooms)) == []


def test_the_patients_own_visit_elsewhere_hides_what_overlaps_it() -> None:
    assert found(Diary(nine_to_eleven(), taken=[run(9.75, 10.25)])) == ["09:00", "10:30"]


def two_providers(okafor: list[Stretch], chen: list[Stretch]) -> list[Slot]:
    weekly = [works(time(9), time(12)), works(time(9), time(12), who=CHEN)]
    return availability.slots(Diary(timetable(*weekly), busy={OKAFOR.pk: okafor, CHEN.pk: chen}), EXAM)


def test_of_two_providers_free_at_once_the_one_with_more_time_left_is_offered() -> None:
    offered = availability.one_for_each_start(two_providers([run(10, 11)], []))
    assert [slot.provider for slot in offered] == [CHEN] * 6


def test_any_provider_is_one_who_is_free_at_that_very_time() -> None:
    """alextselegidis/easyappointments#845: the one with the most free hours may be taken just then."""
    offered = availability.one_for_each_start(two_providers([run(10, 11)], [run(9, 9.5)]))
    assert [(f"{slot:%H:%M}", slot.provider) for slot in offered[:3]] == [
        ("09:00", OKAFOR),
        ("09:30", CHEN),
        ("10:00", CHEN),
    ]


def test_the_load_is_weighed_over_the_whole_day_whatever_part_of_it_is_asked_for() -> None:
    late = [slot for slot in two_providers([run(9, 10)], []) if slot.start >= second(11)]
    assert {slot.provider for slot in availability.one_for_each_start(late)} == {CHEN}


def test_overlapping_starts_are_not_counted_as_time_twice() -> None:
    assert availability.covered([0, 900, 1800, 7200], 1800) == 3600 + 1800


def test_among_equals_the_choice_is_the_same_every_time_and_not_always_the_same_person() -> None:
    slots = two_providers([], [])
    offered = [slot.provider for slot in availability.one_for_each_start(slots)]
    assert set(offered) == {OKAFOR, CHEN}
    backwards = sorted(slots, key=lambda slot: (slot.start, -slot.provider.pk))
    assert [slot.provider for slot in availability.one_for_each_start(backwards)] == offered


def why_not(rules: Timetable, wished: Slot, **more: object) -> tuple[str, str] | None:
    objection = availability.objection(Diary(rules, **more), EXAM, wished)  # type: ignore[arg-type]
    return objection and (objection.code, objection.sentence)


def test_nothing_speaks_against_a_free_slot() -> None:
    assert why_not(nine_to_eleven(), slot(9)) is None


def test_on_a_holiday_the_practices_own_reason_is_told() -> None:
    holiday = ScheduleException(kind=CLOSED, date=TUESDAY, reason="Founders' Day.")
    leave = ScheduleException(kind=CLOSED, date=TUESDAY, provider=OKAFOR, reason="Surgery")
    rules = nine_to_eleven(exceptions=[leave, holiday])
    assert why_not(rules, slot(9), taken=[run(9, 10)]) == (
        "closed",
        "We are closed on Tuesday, March 3: Founders' Day.",
    )


def test_why_a_provider_is_away_is_nobodys_business() -> None:
    leave = ScheduleException(kind=CLOSED, date=TUESDAY, provider=OKAFOR, reason="Surgery")
    rules = nine_to_eleven(exceptions=[leave])
    assert why_not(rules, slot(9)) == ("closed", "Dr. Maya Okafor is away on Tuesday, March 3.")


def test_an_hour_off_is_told_as_one() -> None:
    off = ScheduleException(kind=CLOSED, date=TUESDAY, starts_at=time(9), ends_at=time(10), reason="Training")
    rules = nine_to_eleven(exceptions=[off])
    assert why_not(rules, slot(9, 30)) == ("closed", "We are closed at that time: Training.")
    assert why_not(rules, slot(10)) is None


def test_an_office_that_is_closed_is_named() -> None:
    repairs = ScheduleException(kind=CLOSED, date=TUESDAY, location=MAIN_STREET, reason="Mould")
    rules = nine_to_eleven(exceptions=[repairs])
    assert why_not(rules, slot(9)) == ("closed", "Main Street is closed on Tuesday, March 3.")


@pytest.mark.parametrize("wished", [slot(8, 30), slot(10, 45), slot(9, who=CHEN), slot(9, where=HARBOR)])
def test_outside_the_hours_is_outside_the_hours(wished: Slot) -> None:
    assert why_not(nine_to_eleven(), wished) == (
        "outside_hours",
        f"{wished.provider} does not see patients {wished:%A, %B %-d at %-I:%M %p}.",
    )


def test_a_start_between_the_grids_lines_is_refused_to_patients_only() -> None:
    diary, wished = Diary(nine_to_eleven()), slot(9, 10)
    told = availability.rule_against(diary, EXAM, wished)
    assert told == availability.Objection("off_the_grid", "No visit of this kind starts at 9:10 AM.")
    assert availability.rule_against(diary, EXAM, wished, any_minute=True) is None


def test_kept_time_is_told_as_kept_until_it_is_released() -> None:
    rules = nine_to_eleven(blocks=[kept(4)])
    assert why_not(rules, slot(9, 30), now=second(5)) == (
        "kept_for_urgent",
        "That time is kept for urgent visits.",
    )
    assert why_not(rules, slot(9, 30), now=second(6)) is None


def test_who_does_not_do_the_visit_or_not_there_is_told_so() -> None:
    rules = nine_to_eleven(performers=frozenset([OKAFOR.pk]), locations=frozenset([MAIN_STREET.pk]))
    assert why_not(rules, slot(9, who=CHEN)) == (
        "not_bookable",
        "Dr. Li Chen does not do this kind of visit.",
    )
    assert why_not(rules, slot(9, where=HARBOR)) == (
        "not_bookable",
        "This kind of visit does not take place at Harbor.",
    )


def test_what_is_taken_is_told_apart() -> None:
    rules = nine_to_eleven(rooms={FIELD: {MAIN_STREET.pk: [1]}})
    nine = run(9, 9.5)
    reasons = [
        why_not(rules, slot(9), busy={OKAFOR.pk: [nine]}, used={1: [nine]}),
        why_not(rules, slot(9), used={1: [nine]}),
        why_not(rules, slot(9), busy={OKAFOR.pk: [nine]}, taken=[nine]),
    ]
    assert reasons == [
        ("slot_taken", "Sorry, that time has just been taken."),
        ("resource_taken", "Sorry, the room or machine for this visit is taken at that time."),
        ("patient_busy", "You already have an appointment at that time."),
    ]


def test_a_slot_reads_as_a_time_on_the_practices_wall() -> None:
    start = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
    wished = availability.slot(EXAM, OKAFOR, MAIN_STREET, start, NEW_YORK)
    assert f"{wished:%A, %B %-d at %-I:%M %p}" == "Tuesday, March 3 at 9:30 AM"
    assert str(wished) == "Tuesday, March 3 at 9:30 AM with Dr. Maya Okafor"
    assert wished.key == "1.1.20260303T1430"
    assert wished.interval == (start, start + timedelta(minutes=30))


def test_slots_are_equal_when_they_are_the_same_visit() -> None:
    assert slot(9) == slot(9)
    assert len({slot(9), slot(9), slot(9, 30), slot(9, who=CHEN)}) == 3
    assert slot(9) != availability.slot(
        VisitType(minutes=45), OKAFOR, MAIN_STREET, slot(9).starts_at, NEW_YORK
    )
