"""When a patient should come again, in calendar months, and on which day to ask: pure calculation."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta

AgeBand = tuple[int, int]
"""An age in years, and the months that count from it on."""


def due_on(
    last_seen_on: date,
    months: int,
    *,
    by_age: Iterable[AgeBand] = (),
    born_on: date | None = None,
    own_months: int | None = None,
) -> date:
    """Return the day on which a patient should come again.

    The patient's own interval counts first, then that of the age on the day of the last visit, then
    `months`. Calendar months: a month after January 31 is the last day of February.
    """
    return _months_later(last_seen_on, own_months or _months_at(last_seen_on, born_on, by_age) or months)


def age_on(day: date, born_on: date) -> int:
    """Return the age in full years; who was born on February 29 is a year older on March 1."""
    had_birthday = (day.month, day.day) >= (born_on.month, born_on.day)
    return day.year - born_on.year - (not had_birthday)


def next_attempt_on(
    due: date,
    *,
    first_days_before: int,
    pause_days: int,
    asked_on: date | None = None,
    snoozed_until: date | None = None,
) -> date:
    """Return the first day on which the patient may be asked (again)."""
    earliest = [due - timedelta(days=first_days_before)]
    if asked_on:
        earliest.append(asked_on + timedelta(days=pause_days))
    if snoozed_until:
        earliest.append(snoozed_until)
    return max(earliest)


def _months_at(day: date, born_on: date | None, by_age: Iterable[AgeBand]) -> int | None:
    if born_on is None:
        return None
    age = age_on(day, born_on)
    return max(((start, months) for start, months in by_age if start <= age), default=(0, None))[1]


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    last_of_month = monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last_of_month))
