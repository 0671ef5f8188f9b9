"""When a patient should come again: calendar months, ages and pauses, to the day."""

from datetime import date

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from appointments.recalls.intervals import age_on, due_on, next_attempt_on

BANDS = [(65, 12), (40, 36), (55, 24)]


@pytest.mark.parametrize(
    ("seen_on", "months", "due"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2025, 2, 28), 12, date(2026, 2, 28)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2026, 12, 15), 12, date(2027, 12, 15)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 3, 2), 240, date(2046, 3, 2)),
    ],
)
def test_calendar_months_end_right(seen_on, months, due):
    assert due_on(seen_on, months) == due


@pytest.mark.parametrize(
    ("seen_on", "due"),
    [
        (date(2026, 5, 16), date(2031, 5, 16)),  # 39 on the eve of the birthday
        (date(2026, 5, 17), date(2029, 5, 17)),  # 40 on the day
        (date(2041, 5, 16), date(2044, 5, 16)),
        (date(2041, 5, 17), date(2043, 5, 17)),  # 55
        (date(2051, 5, 17), date(2052, 5, 17)),  # 65
    ],
)
def test_the_age_on_the_day_of_the_visit_decides(seen_on, due):
    assert due_on(seen_on, 60, by_age=BANDS, born_on=date(1986, 5, 17)) == due


def test_the_patients_own_interval_comes_before_the_ages():
    own = due_on(date(2026, 3, 2), 60, by_age=BANDS, born_on=date(1950, 1, 1), own_months=6)
    assert own == date(2026, 9, 2)


def test_without_a_date_of_birth_the_rules_interval_counts():
    assert due_on(date(2026, 3, 2), 60, by_age=BANDS) == date(2031, 3, 2)


def test_a_visit_before_the_birth_falls_under_no_age():
    assert due_on(date(2026, 3, 2), 12, by_age=[(0, 24)], born_on=date(2026, 3, 3)) == date(2027, 3, 2)


def test_who_was_born_on_a_leap_day_is_older_on_the_first_of_march():
    born_on = date(2004, 2, 29)
    assert [age_on(date(2025, 2, 28), born_on), age_on(date(2025, 3, 1), born_on)] == [20, 21]
    assert age_on(date(2028, 2, 29), born_on) == 24


def test_the_first_attempt_comes_before_the_day():
    assert next_attempt_on(date(2026, 3, 23), first_days_before=21, pause_days=21) == date(2026, 3, 2)


def test_the_pause_and_the_snooze_push_an_attempt_back_never_forward():
    asked = {"first_days_before": 21, "pause_days": 14, "asked_on": date(2026, 3, 2)}
    assert next_attempt_on(date(2026, 3, 23), **asked) == date(2026, 3, 16)
    assert next_attempt_on(date(2026, 3, 23), **asked, snoozed_until=date(2026, 4, 1)) == date(2026, 4, 1)
    assert next_attempt_on(date(2026, 3, 23), **asked, snoozed_until=date(2026, 3, 5)) == date(2026, 3, 16)
    assert next_attempt_on(date(2026, 6, 1), **asked) == date(2026, 5, 11)


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)), st.integers(1, 240))
def test_the_months_are_those_of_an_independent_calendar(seen_on, months):
    assert due_on(seen_on, months) == seen_on + relativedelta(months=months)
