"""Reads a wish out of words, by reduction.

Phrases become tokens, then the relations between tokens are read: "not friday, next week after 4"
becomes "not W0 , D0 after T0", and the rules that know what "not" and "after" mean need not know
the hundred ways of naming a day. What no relation has taken is the wish itself.
"""

import re
from datetime import date, datetime, time

from chatbot.when import phrases, relations
from chatbot.when.days import next_to_come, one_day
from chatbot.when.hours import Clock
from chatbot.when.scan import Scan, next_minute
from chatbot.when.wish import Days, Hours, NotUnderstood, Wish
from chatbot.when.words import plain

_WHOLE_DAY = Hours(time.min, time.max)


def read(text: str, now: datetime, reference: datetime | None = None) -> Wish:
    """Return when somebody would like to come; `now` is aware and in the practice's zone.

    `reference` is the visit spoken of ("same time", "an hour later"). Raises NotUnderstood, with a
    sentence for the patient, when the words name no day or time or an impossible one.
    """
    if now.tzinfo is None:
        raise ValueError("A wish is read against an aware moment.")
    scan = Scan(plain(text), now, reference and reference.astimezone(now.tzinfo))
    phrases.read(scan)
    relations.read(scan)
    wish = _wish(scan, Wish(now.tzinfo))
    if wish == Wish(now.tzinfo):
        raise NotUnderstood("Which day and time would suit you?")
    return wish


def _wish(scan: Scan, empty: Wish) -> Wish:
    exact, hours = _times(scan)
    days, weekdays = _dates(scan, exact, hours)
    return Wish(
        zone=empty.zone,
        days=days,
        weekdays=weekdays,
        excluded_weekdays=frozenset(scan.refused_weekdays),
        excluded_days=tuple(scan.refused_days),
        hours=hours,
        exact=exact,
        around=scan.around,
        soonest=scan.soonest,
    )


def _times(scan: Scan) -> tuple[time | None, tuple[Hours, ...]]:
    clocks, parts = scan.left(scan.clocks), scan.left(scan.parts)
    if len(clocks) == 1 and not scan.windows and (exact := _exact(clocks[0], parts, scan.text)):
        return exact, ()
    said = [*scan.windows, *(Hours(clock.moment, next_minute(clock.moment)) for clock in clocks)]
    narrowed = [overlap for window in said for part in parts if (overlap := _overlap(window, part))]
    return None, tuple(_without(scan.refused_hours, narrowed or [*said, *parts]))


def _exact(said: Clock, parts: list[Hours], text: str) -> time | None:
    """Return the one time that is meant; None for "10:30 or in the afternoon"."""
    if not parts:
        return said.moment
    inside = next((moment for part in parts for moment in said.readings if moment in part), None)
    return inside or (None if re.search(r"\bor\b", text) else said.within(parts[0]))


def _without(refused: list[Hours], windows: list[Hours]) -> list[Hours]:
    for hours in refused:
        windows = [piece for window in windows or [_WHOLE_DAY] for piece in _cut(window, hours)]
    return windows


def _cut(window: Hours, refused: Hours) -> list[Hours]:
    """Return what is left of a window, in at most two pieces."""
    before = Hours(window.earliest, min(window.latest, refused.earliest))
    after = Hours(max(window.earliest, refused.latest), window.latest)
    return [piece for piece in (before, after) if piece.earliest < piece.latest]


def _overlap(window: Hours, part: Hours) -> Hours | None:
    earliest, latest = max(window.earliest, part.earliest), min(window.latest, part.latest)
    return Hours(earliest, latest) if earliest < latest else None


def _dates(
    scan: Scan, exact: time | None, hours: tuple[Hours, ...]
) -> tuple[tuple[Days, ...], frozenset[int]]:
    runs, named = _met(scan.left(scan.days)), scan.left(scan.named)
    every = frozenset(day for mention in named if mention.every for day in mention.weekdays)
    once = [day for mention in named if not mention.every for day in mention.weekdays]
    if named and any(not run.is_one_day for run in runs):
        return _weekdays_in(runs, every | frozenset(once))
    coming = (one_day(_coming(day, scan.now, exact, hours)) for day in once)
    return tuple(dict.fromkeys([*runs, *coming])), every


def _weekdays_in(runs: list[Days], weekdays: frozenset[int]) -> tuple[tuple[Days, ...], frozenset[int]]:
    """ "Tuesday next week" is one day; "mondays in June" stays a rule over a month."""
    if any((run.last - run.first).days > 7 for run in runs):
        return tuple(runs), weekdays
    inside = [one_day(day) for run in runs for day in run if run.is_one_day or day.weekday() in weekdays]
    return tuple(dict.fromkeys(inside)) or tuple(runs), frozenset()


def _coming(weekday: int, now: datetime, exact: time | None, hours: tuple[Hours, ...]) -> date:
    """Return the next day of that name: today only when what was said of the time is still ahead."""
    latest = exact or max((window.latest for window in hours), default=time.min)
    return (
        now.date() if weekday == now.weekday() and latest > now.time() else next_to_come(weekday, now.date())
    )


def _met(runs: list[Days]) -> list[Days]:
    """Return "after the 10th" and "before the 14th" as the run that both leave."""
    opened = [run for run in runs if run.last == date.max]
    closing = [run for run in runs if run.last != date.max and not run.is_one_day]
    if len(opened) == 1 and len(closing) == 1 and opened[0].first <= closing[0].last:
        return [Days(max(opened[0].first, closing[0].first), closing[0].last)]
    return runs
