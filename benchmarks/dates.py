"""Holds `chatbot.when` against public cases of dates and times: Microsoft Recognizers and NLU++.

    python benchmarks/dates.py --data /path/to/data [--misses 20]

PATH holds `recognizers_datetime/` and `nlupp/`. Only cases that can occur in a booking count: one
mention with a future (or today's) day, a span of days, a time, a span of hours or both; past days,
durations, repetitions, years and cases that the authors mark as unsupported in Python are left out.
The words of the mention are read against the case's own reference time, and count as right when day
and time agree. Where conventions differ ours is accepted: a bare "3" is 15:00 in a practice's day;
"the 4th to the 8th" has the 8th in it; "morning" and the like need only overlap with theirs.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chatbot import when

RECOGNIZERS = ("DateTimeModel", "DateParser", "DatePeriodParser", "TimeParser", "TimePeriodParser",
               "DateTimeParser", "DateTimePeriodParser")  # fmt: skip
NLUPP_NOW = datetime(2022, 3, 15, 9, tzinfo=UTC)
LONGEST_WISH = timedelta(days=120)


@dataclass(frozen=True)
class Case:
    """A mention with the day or run of days and the time or window that it means."""

    source: str
    text: str
    now: datetime
    days: tuple[date, date] | None
    hours: tuple[time, time | None] | None

    @property
    def is_bookable(self) -> bool:
        if self.days is None:
            return self.hours is not None
        first, last = self.days
        return first <= last and last >= self.now.date() and last - first <= LONGEST_WISH


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--misses", type=int, default=0, help="show so many misses of each source")
    options = arguments.parse_args()
    if not options.data.is_dir():
        sys.exit(f"There is no folder {options.data}.")
    asked, right, shown = Counter(), Counter(), Counter()
    for case in [*recognizers(options.data / "recognizers_datetime"), *nlupp(options.data / "nlupp")]:
        if not case.is_bookable:
            continue
        asked[case.source] += 1
        if is_right(case):
            right[case.source] += 1
        elif shown[case.source] < options.misses:
            shown[case.source] += 1
            print(
                f"  {case.source}: {case.text!r}: {said(case)}, not {wanted(case)} (on {case.now:%Y-%m-%d})"
            )
    for source in asked:
        print(f"{source:34} {right[source]:5} of {asked[source]:5}  {right[source] / asked[source]:6.1%}")
    print(f"{'all':34} {right.total():5} of {asked.total():5}  {right.total() / asked.total():6.1%}")


def is_right(case: Case) -> bool:
    try:
        wish = when.read(case.text, case.now)
    except when.NotUnderstood:
        return False
    return _days_agree(case, wish) and _hours_agree(case, wish)


def _days_agree(case: Case, wish: when.Wish) -> bool:
    if case.days is None:
        return True
    first, last = case.days
    ends = (last, last + timedelta(days=1)) if last > first or len(case.text.split()) > 2 else (last,)
    return (
        len(wish.days) == 1
        and _from_now(wish.days[0].first, case) == _from_now(first, case)
        and wish.days[0].last in ends
    )


def _from_now(day: date, case: Case) -> date:
    return max(day, case.now.date())


def _hours_agree(case: Case, wish: when.Wish) -> bool:
    if case.hours is None:
        return True
    first, last = case.hours
    if last is None:
        return any(_same(first, moment, case) for moment in (wish.exact, wish.around) if moment)
    if len(wish.hours) != 1:
        return False
    ours = wish.hours[0]
    if not any(character.isdigit() for character in case.text):
        return ours.earliest < last and first < ours.latest
    return _same(first, ours.earliest, case) and _same(last, ours.latest, case)


def _same(theirs: time, ours: time, case: Case) -> bool:
    """Compare to the minute, and by the twelve-hour clock where neither am nor pm was said."""
    told = any(
        word in case.text.casefold()
        for word in ("am", "pm", "a.m", "p.m", "morning", "noon", "evening", "night")
    )
    hours = 24 if told else 12
    return (theirs.hour % hours, theirs.minute) == (ours.hour % hours, ours.minute)


def said(case: Case) -> str:
    try:
        return when.read(case.text, case.now).describe()
    except when.NotUnderstood as refusal:
        return f"({refusal.sentence})"


def wanted(case: Case) -> str:
    days = " to ".join(str(day) for day in case.days or ())
    hours = " to ".join(str(moment) for moment in case.hours or ())
    return f"{days} {hours}".strip()


def recognizers(folder: Path) -> Iterator[Case]:
    for name in RECOGNIZERS:
        for entry in json.loads((folder / f"{name}.json").read_text(encoding="utf-8-sig")):
            if "python" in (entry.get("NotSupported", "") + entry.get("NotSupportedByDesign", "")):
                continue
            if len(entry["Results"]) == 1 and "ReferenceDateTime" in entry.get("Context", {}):
                now = datetime.fromisoformat(entry["Context"]["ReferenceDateTime"]).replace(tzinfo=UTC)
                yield from _recognized(f"Recognizers {name}", entry["Results"][0], now)


def _recognized(source: str, result: dict, now: datetime) -> Iterator[Case]:
    """Yield at most one case: of several readings (past and future), the first that is not past."""
    if "Resolution" in result:
        readings = (result["Resolution"] or {}).get("values", [])
    else:
        readings = [_from_parser(result.get("Value") or {})]
    cases = (_case(source, result["Text"], now, reading) for reading in readings if reading)
    bookable = [case for case in cases if case and case.is_bookable]
    if bookable and bookable[0].hours in {case.hours for case in bookable}:
        yield _in_clinic_hours(bookable)


def _in_clinic_hours(cases: list[Case]) -> Case:
    """Of "3:00" and "15:00" prefer what an open practice can mean, as `chatbot.when` does."""
    return next((case for case in cases if case.hours and time(7) <= case.hours[0] < time(19)), cases[0])


def _from_parser(value: dict) -> dict:
    future = value.get("FutureResolution") or {}
    kinds = {"date": "date", "time": "time", "dateTime": "datetime"}
    for key, kind in kinds.items():
        if key in future:
            return {"type": kind, "value": future[key]}
    for key, kind in (("Date", "daterange"), ("Time", "timerange"), ("DateTime", "datetimerange")):
        if f"start{key}" in future and f"end{key}" in future:
            return {"type": kind, "start": future[f"start{key}"], "end": future[f"end{key}"]}
    return {}


def _case(source: str, text: str, now: datetime, reading: dict) -> Case | None:
    kind, value = reading.get("type"), reading.get("value")
    try:
        if kind == "date":
            return Case(source, text, now, (date.fromisoformat(value),) * 2, None)
        if kind == "time":
            return Case(source, text, now, None, (time.fromisoformat(value), None))
        if kind == "datetime":
            moment = datetime.fromisoformat(value)
            return Case(source, text, now, (moment.date(),) * 2, (moment.time(), None))
        if kind == "daterange":
            first, end = date.fromisoformat(reading["start"]), date.fromisoformat(reading["end"])
            return Case(source, text, now, (first, end - timedelta(days=1)), None)
        if kind == "timerange":
            hours = time.fromisoformat(reading["start"]), time.fromisoformat(reading["end"])
            return Case(source, text, now, None, hours)
        if kind == "datetimerange":
            start, end = datetime.fromisoformat(reading["start"]), datetime.fromisoformat(reading["end"])
            return Case(source, text, now, (start.date(),) * 2, (start.time(), end.time()))
    except (KeyError, TypeError, ValueError):
        return None
    return None


def nlupp(folder: Path) -> Iterator[Case]:
    for name in ("hotels", "banking"):
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            for slot in (json.loads(line).get("slots") or {}).values():
                if isinstance(slot.get("value"), dict):
                    yield from _slot(f"NLU++ {name}", slot)


def _slot(source: str, slot: dict) -> Iterator[Case]:
    value = slot["value"]
    if {"day", "month", "year"} <= value.keys() and "hour" not in value:
        yield Case(
            source, slot["text"], NLUPP_NOW, (date(value["year"], value["month"], value["day"]),) * 2, None
        )
    elif "hour" in value and "day" not in value:
        yield Case(source, slot["text"], NLUPP_NOW, None, (time(value["hour"], value.get("minute", 0)), None))


if __name__ == "__main__":
    main()
