"""What is said against another moment: "in an hour", "same time next week", "a day later"."""

import re
from datetime import datetime, time, timedelta
from functools import partial

from chatbot.when.days import one_day, week_of
from chatbot.when.scan import Scan, exactly, next_minute
from chatbot.when.wish import Days, Hours
from chatbot.when.words import MONTHS, WEEKDAYS

_COUNTS = {"a": 1.0, "an": 1.0, "half an": 0.5, "couple of": 2.0, "few": 3.0}
_COUNT = rf"(?P<count>\d{{1,2}}|{'|'.join(_COUNTS)})"
_SOMEWHAT = r"\b(?:a (?:bit|little) |some ?(?:time|thing|what) |any ?thing )?"
_A_DAY = re.compile(
    rf"\b(?:today|tomorrow|week|month|(?:{'|'.join(WEEKDAYS)})s?|(?:{'|'.join(MONTHS)}) \d|D\d+|"
    rf"\d{{1,2}}(?:st|nd|rd|th))\b"
)


def read(scan: Scan) -> None:
    """Replace what is said from now on and, where a visit is spoken of, against that visit."""
    scan.replace(
        rf"\b(?:in|within) (?:about )?{_COUNT} (?P<unit>minute|hour)s?\b",
        lambda match: scan.moment(scan.now + _stretch(match), "from"),
    )
    if scan.visit is not None:
        _read_against(scan.visit, scan)


def _read_against(visit: datetime, scan: Scan) -> None:
    scan.replace(
        rf"\b{_COUNT} (?P<unit>minute|hour|day|week)s? (?P<way>later|earlier|sooner|after|before)\b",
        lambda match: _shifted(visit, match, scan),
    )
    scan.replace(r"\bsame (?:day and )?time next week\b", lambda _: scan.moment(_next_week(visit, scan)))
    scan.replace(r"\bsame time\b", lambda _: scan.clock(exactly(visit.time())))
    scan.replace(
        r"\b(?:the )?(?:week after(?: that)?|following week)\b(?! (?:next|the|my|your|\d|[A-Z]))",
        lambda _: scan.day(week_of(visit.date() + timedelta(weeks=1))),
    )
    for words, days in (
        (r"\b(?:the )?same day\b|\bthat (?:same )?day\b", 0),
        (r"\b(?:the )?(?:next|following) day\b|\b(?:the )?day after$", 1),
        (r"\b(?:the )?day before$", -1),
    ):
        scan.replace(words, partial(_days_away, scan, visit, days))
    scan.replace(r"\b(?:an?other|different) day\b", lambda _: _another_day(visit, scan))
    scan.replace(rf"{_SOMEWHAT}later\b(?! (?:in|this|than|on \w))", lambda _: _later(visit, scan))
    scan.replace(rf"{_SOMEWHAT}earlier\b(?! (?:in|this|than))", lambda _: _earlier(visit, scan))
    scan.replace(r"\b(?:any ?thing )?sooner\b(?! than)", lambda _: _sooner(visit, scan))


def _days_away(scan: Scan, visit: datetime, days: int, _match: re.Match[str]) -> str:
    return scan.day(one_day(visit.date() + timedelta(days=days)))


def _stretch(match: re.Match[str]) -> timedelta:
    number = _COUNTS.get(match["count"]) or float(match["count"])
    return timedelta(**{f"{match['unit']}s": number})


def _shifted(visit: datetime, match: re.Match[str], scan: Scan) -> str:
    moment = visit + _stretch(match) * (1 if match["way"] in ("later", "after") else -1)
    return scan.day(one_day(moment.date())) if match["unit"] in ("day", "week") else scan.moment(moment)


def _next_week(visit: datetime, scan: Scan) -> datetime:
    day = week_of(scan.today).first + timedelta(days=7 + visit.weekday())
    return datetime.combine(day, visit.time(), visit.tzinfo)


def _another_day(visit: datetime, scan: Scan) -> str:
    scan.refused_days.append(one_day(visit.date()))
    return ""


def _later(visit: datetime, scan: Scan) -> str:
    scan.windows.append(Hours(next_minute(visit.time()), time.max))
    return _that_day(visit, scan)


def _earlier(visit: datetime, scan: Scan) -> str:
    scan.windows.append(Hours(time.min, visit.time().replace(second=0, microsecond=0)))
    return _that_day(visit, scan)


def _that_day(visit: datetime, scan: Scan) -> str:
    """Return the visit's day, unless another is named: "later on friday"."""
    return "" if _A_DAY.search(scan.text) else scan.day(one_day(visit.date()))


def _sooner(visit: datetime, scan: Scan) -> str:
    scan.soonest = True
    last = max(visit.date() - timedelta(days=1), scan.today)
    return scan.day(Days(scan.today, last, "sooner"))
