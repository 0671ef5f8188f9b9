"""Opening hours as people write them on a door."""

from collections.abc import Iterable
from datetime import time
from itertools import groupby

from practice.models import Location, OpeningHours, Weekday

Times = tuple[tuple[time, time], ...]


def hours_lines(location: Location) -> list[str]:
    """Return a week in a few lines: `Monday–Thursday 9 a.m. – 5 p.m.`, `Sunday closed`."""
    week = _week(location.opening_hours.all())
    return [
        f"{_days([day for day, _ in run])} {_times(times)}"
        for times, run in groupby(week, key=lambda pair: pair[1])
    ]


def _week(rows: Iterable[OpeningHours]) -> list[tuple[Weekday, Times]]:
    opened: dict[int, list[tuple[time, time]]] = {day: [] for day in Weekday}
    for row in rows:
        opened[row.weekday].append((row.opens_at, row.closes_at))
    return [(day, tuple(sorted(opened[day]))) for day in Weekday]


def _days(run: list[Weekday]) -> str:
    first, last = run[0], run[-1]
    if first == last:
        return str(first.label)
    joint = " and " if last - first == 1 else "–"
    return f"{first.label}{joint}{last.label}"


def _times(times: Times) -> str:
    if not times:
        return "closed"
    return ", ".join(f"{_clock(opens)} – {_clock(closes)}" for opens, closes in times)


def _clock(moment: time) -> str:
    hour = moment.hour % 12 or 12
    minutes = f":{moment.minute:02}" if moment.minute else ""
    return f"{hour}{minutes} {'a.m.' if moment.hour < 12 else 'p.m.'}"
