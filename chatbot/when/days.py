"""Days on the calendar: "tomorrow", "next week", "dec 3rd", "the 14th", "in two weeks"."""

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta

from chatbot.when.scan import Unlikely
from chatbot.when.wish import DAY_NAMES, Days, NotUnderstood
from chatbot.when.words import MONTHS, WEEKDAYS

WEEKDAY = rf"(?P<weekday>{'|'.join(WEEKDAYS)})s?"
_MONTH = rf"(?P<month>{'|'.join(MONTHS)})"
_NTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)"
_MAYBE_NTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\b(?![:\d]| ?(?:am|pm|oclock)\b)"
_YEAR = r"(?: ?[,.]? ?(?:of )?(?P<year>(?:19|20)\d{2})\b)?"
_GAP = r"(?: ?[,.] ?| ?[-/] ?| )"
_RANGE = r" ?(?:-|to|and|through|until) ?(?:the )?"
_COUNT = r"(?P<count>\d{1,3}|a|an|couple|few|several)"
_COUNTS = {"a": 1, "an": 1, "couple": 2, "few": 3, "several": 4}

Reader = Callable[[re.Match[str], date], Days]
READERS: list[tuple[re.Pattern[str], Reader]] = []
"""Every form of a day, most telling first: a later one sees only what the earlier ones left."""


def reads(*patterns: str) -> Callable[[Reader], Reader]:
    """Register a function as the reader of these patterns."""

    def register(reader: Reader) -> Reader:
        READERS.extend((re.compile(rf"(?<![\w/]){pattern}(?![\w/])"), reader) for pattern in patterns)
        return reader

    return register


def one_day(day: date, label: str = "") -> Days:
    return Days(day, day, label)


def week_of(day: date, label: str = "") -> Days:
    """Return the Monday-to-Sunday week that holds a day."""
    monday = day - timedelta(days=day.weekday())
    return Days(monday, monday + timedelta(days=6), label)


def month_of(year: int, month: int) -> Days:
    """Return a calendar month; months past the twelfth run on into the next years."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    last = calendar.monthrange(year, month)[1]
    return Days(date(year, month, 1), date(year, month, last), f"in {MONTHS[month - 1].title()}")


def next_to_come(weekday: int, today: date) -> date:
    """Return the next day of that name after today."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def days_from(today: date, days: int) -> date:
    """Return the day so many days from today; raises NotUnderstood past the end of the calendar."""
    try:
        return today + timedelta(days=days)
    except OverflowError as error:
        raise NotUnderstood("That is too far away. Which day would suit you?") from error


def checked(year: int, month: int, day: int) -> date:
    """Return a date; raises NotUnderstood when the calendar has no such day."""
    try:
        return date(year, month, day)
    except ValueError as error:
        name = f"{MONTHS[month - 1].title()} {day}" if 1 <= month <= 12 else f"{month}/{day}"
        leap_day = f", {year}" if (month, day) == (2, 29) else ""
        raise NotUnderstood(f"There is no {name}{leap_day}. Which day did you mean?") from error


def coming(month: int, day: int, today: date) -> date:
    """Return the next such day from today on; raises NotUnderstood when no year has it."""
    if (month, day) == (2, 29):
        return next_leap_day(today)
    this_year = checked(today.year, month, day)
    return this_year if this_year >= today else checked(today.year + 1, month, day)


def coming_days_of_month(day: int, today: date) -> list[date]:
    """Return the next two such days from today on; months too short for it are passed over."""
    if not 1 <= day <= 31:
        raise NotUnderstood(f"No month has a day {day}. Which day did you mean?")
    months = (month_of(today.year, today.month + number) for number in range(5))
    days = [month.first.replace(day=day) for month in months if day <= month.last.day]
    return [found for found in days if found >= today][:2]


def next_leap_day(today: date) -> date:
    years = (year for year in range(today.year, today.year + 9) if calendar.isleap(year))
    return next(day for year in years if (day := date(year, 2, 29)) >= today)


def with_year(year: str | None, month: int, day: int, today: date) -> Days:
    if year is None:
        return one_day(coming(month, day, today))
    number = int(year)
    return one_day(checked(number + 2000 if number < 100 else number, month, day))


def month_number(match: re.Match[str]) -> int:
    return MONTHS.index(match["month"]) + 1


def weekday_number(match: re.Match[str]) -> int:
    return WEEKDAYS.index(match["weekday"])


def count(match: re.Match[str]) -> int:
    said = match["count"]
    return _COUNTS.get(said) or int(said)


@reads(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})")
def iso_date(match: re.Match[str], today: date) -> Days:
    return with_year(match["year"], int(match["month"]), int(match["day"]), today)


@reads(
    r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}|\d{2})",
    r"(?P<month>\d{1,2})[-.](?P<day>\d{1,2})[-.](?P<year>\d{4}|\d{2})",
    r"(?P<month>\d{1,2})/(?P<day>\d{1,2})(?P<year>)",
)
def american_date(match: re.Match[str], today: date) -> Days:
    """Month first; 25/12 can only be day first."""
    month, day = int(match["month"]), int(match["day"])
    if month > 12 >= day:
        month, day = day, month
    return with_year(match["year"] or None, month, day, today)


@reads(
    rf"(?:from |between )?{_MONTH} (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|"
    rf"th)?{_RANGE}(?P<last>\d{{1,2}})(?:st|nd|rd|"
    rf"th)?\b(?![:\d]| ?(?:am|pm))",
    rf"(?:from |between )?(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?{_RANGE}(?P<last>\d{{1,2}})(?:st|nd|"
    rf"rd|th)? (?:of "
    rf")?{_MONTH}",
)
def days_of_month(match: re.Match[str], today: date) -> Days:
    first = coming(month_number(match), int(match["day"]), today)
    last = checked(first.year, first.month, int(match["last"]))
    if "and" in match.group() and last > first + timedelta(days=1):
        return Days(first, last)
    return Days(min(first, last), max(first, last))


@reads(
    rf"{_MONTH}{_GAP}(?:the )?{_MAYBE_NTH}{_YEAR}",
    rf"(?:the )?{_MAYBE_NTH}{_GAP}(?:day )?(?:of )?{_MONTH}{_YEAR}",
)
def named_date(match: re.Match[str], today: date) -> Days:
    return with_year(match["year"], month_number(match), int(match["day"]), today)


_NTHS = {"1st": 1, "first": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": -1}
_NTH_WORD = rf"(?P<nth>{'|'.join(_NTHS)})"
_OF_MONTH = rf"(?:of|in) (?:(?:the month of )?{_MONTH}|(?P<relative>(?:the|this|next)(?: coming)? month))"


def _month_meant(match: re.Match[str], today: date) -> Days:
    if match["month"]:
        number = month_number(match)
        return month_of(today.year + (number < today.month), number)
    return month_of(today.year, today.month + match["relative"].startswith("next"))


@reads(rf"(?:the )?{_NTH_WORD} (?:full )?week {_OF_MONTH}")
def week_of_month(match: re.Match[str], today: date) -> Days:
    """A week belongs to the month that its Thursday lies in (ISO 8601)."""
    thursdays = [day for day in _month_meant(match, today) if day.weekday() == 3]
    nth = _NTHS[match["nth"]]
    return week_of(thursdays[min(nth, len(thursdays)) - 1 if nth > 0 else nth])


@reads(rf"(?:the )?{_NTH_WORD} {WEEKDAY} {_OF_MONTH}")
def weekday_of_month(match: re.Match[str], today: date) -> Days:
    month = _month_meant(match, today)
    named = [day for day in month if day.weekday() == weekday_number(match)]
    nth = _NTHS[match["nth"]]
    if nth > len(named):
        raise NotUnderstood(f"There is no such {DAY_NAMES[weekday_number(match)]} in that month.")
    return one_day(named[nth - 1 if nth > 0 else nth])


@reads(rf"(?:the )?{_NTH} (?:of|in|day of) (?P<which>this|next|the)(?: coming)? month")
def day_of_relative_month(match: re.Match[str], today: date) -> Days:
    month = month_of(today.year, today.month + (match["which"] == "next")).first
    return one_day(checked(month.year, month.month, int(match["day"])))


@reads(rf"{WEEKDAY}(?: ?, ?| )(?:the )?{_NTH}", rf"{WEEKDAY} the (?P<day>\d{{1,2}})")
def weekday_the_nth(match: re.Match[str], today: date) -> Days:
    """The coming such day, or the one a month later if that has the right name."""
    wanted = [
        day
        for day in coming_days_of_month(int(match["day"]), today)
        if day.weekday() == weekday_number(match)
    ]
    if wanted:
        return one_day(wanted[0])
    day = coming_days_of_month(int(match["day"]), today)[0]
    raise NotUnderstood(
        f"{day:%B} {day.day} is a {DAY_NAMES[day.weekday()]}, not a {DAY_NAMES[weekday_number(match)]}. "
        "Which day did you mean?"
    )


@reads(
    rf"(?:the )?{_NTH}(?! (?:1|option|slot|time|choice|appointment|available)\b)",
    r"the (?P<day>\d{1,2})(?![:\d]| ?(?:am|pm|oclock|slot|one|option)\b)",
)
def day_of_month(match: re.Match[str], today: date) -> Days:
    return one_day(coming_days_of_month(int(match["day"]), today)[0])


@reads(rf"(?:early|mid|late) {_MONTH}", rf"(?:in |during |this |next |the month of |by )?{_MONTH}{_YEAR}")
def whole_month(match: re.Match[str], today: date) -> Days:
    number, said = month_number(match), match.group()
    if said == "may" and match.string.strip() != "may":
        raise Unlikely
    year = match.groupdict().get("year")
    month = month_of(int(year) if year else today.year + (number < today.month), number)
    third = said.split()[0]
    return part_of(third, month) if third in ("early", "mid", "late") else month


def part_of(part: str, days: Days) -> Days:
    """Return the early, mid or late part of a week or a month."""
    length = (days.last - days.first).days + 1
    if length <= 7:
        first, last = {"early": (0, 1), "mid": (1, 3), "late": (3, length - 1)}[part]
    else:
        first, last = {"early": (0, 9), "mid": (10, 19), "late": (20, length - 1)}[part]
    names = {"early": "early", "mid": "in the middle of", "late": "late"}
    label = f"{names[part]} {days.label.removeprefix('in ') or days.describe()}"
    return Days(days.first + timedelta(days=first), days.first + timedelta(days=last), label)


@reads(r"(?:the )?day after tomorrow", r"(?:the )?day after (?:the )?next")
def day_after_tomorrow(match: re.Match[str], today: date) -> Days:
    return one_day(today + timedelta(days=2))


@reads(rf"{_COUNT} days? (?:from|after) tomorrow", rf"{_COUNT} weeks? (?:from|after) tomorrow")
def after_tomorrow(match: re.Match[str], today: date) -> Days:
    days = count(match) * (7 if "week" in match.group() else 1)
    return one_day(days_from(today, days + 1))


@reads(
    rf"(?:exactly )?{_COUNT} weeks? (?:from|after) (?:today|now)",
    rf"{_COUNT} (?P<unit>day|month|year)s? (?:from|after) (?:today|now)",
    rf"in (?:a )?{_COUNT}(?: of)? days?(?: time)?(?! or so)",
)
def so_far_from_today(match: re.Match[str], today: date) -> Days:
    return one_day(_later(match, today))


@reads(r"today", r"this(?= (?:morning|afternoon|evening|night|lunch))", r"(?:later|still) today")
def on_the_day(match: re.Match[str], today: date) -> Days:
    return one_day(today, "today")


@reads(r"(?:the )?(?:very )?next day")
def next_day(match: re.Match[str], today: date) -> Days:
    return one_day(today + timedelta(days=1))


@reads(r"tomorrow")
def tomorrow(match: re.Match[str], today: date) -> Days:
    return one_day(today + timedelta(days=1), "tomorrow")


@reads(
    r"(?:the day before )?yesterday",
    rf"(?:last|previous) (?:week|month|year|weekend|{WEEKDAY})",
    r"\d+ (?:days?|weeks?|months?|years?) ago",
)
def over(match: re.Match[str], today: date) -> Days:
    raise NotUnderstood("That day is past. Which day would suit you?")


@reads(
    rf"(?:in|within|over|during|inside) (?:the )?(?:next |coming )?(?:a )?{_COUNT}(?: of)? (?P<unit>day|"
    rf"week|month)s? or so",
    rf"(?:(?:in|within|over|during|inside|any time) )?(?:the |these )?(?:next|coming|following) (?:a "
    rf")?{_COUNT}(?: of)? (?P<unit>day|week|month)s?",
    rf"(?:within|inside) (?:the )?(?:a )?{_COUNT}(?: of)? (?P<unit>day|week|month)s?",
)
def within(match: re.Match[str], today: date) -> Days:
    return Days(today, _later(match, today), f"within {match['count']} {match['unit']}s")


@reads(
    rf"in (?:about |around )?(?:a )?{_COUNT}(?: of)? (?P<unit>week|month)s?(?: time)?",
    rf"{_COUNT} (?P<unit>week|month)s? (?:out|away|later|hence|on)",
    rf"(?:a )?{_COUNT}(?: of)? weeks? (?:time|from now)",
)
def week_so_far_from_today(match: re.Match[str], today: date) -> Days:
    """ "In two weeks" is a week, not a day: the one that the day two weeks away lies in."""
    day = _later(match, today)
    return week_of(day, f"in the week of {day - timedelta(days=day.weekday()):%B %-d}")


def _later(match: re.Match[str], today: date) -> date:
    unit, number = (
        match.groupdict().get("unit") or ("week" if "week" in match.group() else "day"),
        count(match),
    )
    if unit in ("day", "week"):
        return days_from(today, number * (7 if unit == "week" else 1))
    month = month_of(today.year, today.month + number * (12 if unit == "year" else 1))
    return month.first.replace(day=min(today.day, month.last.day))


@reads(r"(?:the )?week after next", r"next next week", r"the following week after next")
def week_after_next(match: re.Match[str], today: date) -> Days:
    return week_of(today + timedelta(days=14), "the week after next")


@reads(r"(?:the )?(?:next|following|coming) (?:\d )?week", r"week after(?: this)?", r"a week from now")
def next_week(match: re.Match[str], today: date) -> Days:
    return week_of(today + timedelta(days=7), "next week")


@reads(
    r"(?:(?:the )?(?:rest|remainder) of )?(?:this|the|current) (?:current |"
    r"same )?(?:working )?week(?! (?:of|beginning|starting|commencing)\b)",
    r"(?<=later in )week",
)
def this_week(match: re.Match[str], today: date) -> Days:
    return Days(today, week_of(today).last, "this week")


@reads(r"next (?:coming )?weekend", r"(?:the )?weekend after (?:this|next)?")
def next_weekend(match: re.Match[str], today: date) -> Days:
    saturday = week_of(today).first + timedelta(days=12)
    return Days(saturday, saturday + timedelta(days=1), "next weekend")


@reads(r"(?:on |at )?(?:this |the |a |coming |this coming )*weekend")
def this_weekend(match: re.Match[str], today: date) -> Days:
    saturday = week_of(today).first + timedelta(days=5)
    return Days(max(saturday, today), saturday + timedelta(days=1), "this weekend")


@reads(r"(?:the )?(?:next|following|coming) (?:\d )?month")
def next_month(match: re.Match[str], today: date) -> Days:
    month = month_of(today.year, today.month + 1)
    return Days(month.first, month.last, "next month")


@reads(r"(?:(?:the )?(?:rest|remainder) of )?(?:this|the) (?:current |same )?month")
def this_month(match: re.Match[str], today: date) -> Days:
    return Days(today, month_of(today.year, today.month).last, "this month")


@reads(rf"(?:a |1 )week from (?P<weekday>{'|'.join(WEEKDAYS)})", rf"(?P<weekday>{'|'.join(WEEKDAYS)}) week")
def week_from_weekday(match: re.Match[str], today: date) -> Days:
    return one_day(next_to_come(weekday_number(match), today) + timedelta(days=7))


@reads(rf"{WEEKDAY} after next", rf"next next {WEEKDAY}")
def weekday_after_next(match: re.Match[str], today: date) -> Days:
    return one_day(week_of(today).first + timedelta(days=14 + weekday_number(match)))


@reads(rf"(?:next|the following) (?:weeks )?{WEEKDAY}", rf"{WEEKDAY} next")
def next_weekday(match: re.Match[str], today: date) -> Days:
    """That weekday of the next Monday-to-Sunday week, as SGD, NLU++ and Recognizers agree."""
    return one_day(week_of(today).first + timedelta(days=7 + weekday_number(match)))


@reads(rf"this (?!coming){WEEKDAY}")
def this_weekday(match: re.Match[str], today: date) -> Days:
    day = week_of(today).first + timedelta(days=weekday_number(match))
    return one_day(day if day >= today else day + timedelta(days=7))


@reads(rf"(?:this |the )?coming {WEEKDAY}")
def coming_weekday(match: re.Match[str], today: date) -> Days:
    return one_day(next_to_come(weekday_number(match), today))


_FIXED = {
    "new years eve": (12, 31), "new years day": (1, 1), "new years": (1, 1), "new year": (1, 1),
    "valentines day": (2, 14), "valentines": (2, 14), "st patricks day": (3, 17), "juneteenth": (6, 19),
    "independence day": (7, 4), "halloween": (10, 31), "veterans day": (11, 11),
    "christmas eve": (12, 24), "christmas day": (12, 25), "christmas": (12, 25), "xmas": (12, 25),
}  # fmt: skip
_FLOATING = {
    "martin luther king day": (1, 0, 3), "mlk day": (1, 0, 3), "presidents day": (2, 0, 3),
    "mothers day": (5, 6, 2), "memorial day": (5, 0, -1), "fathers day": (6, 6, 3), "labor day": (9, 0, 1),
    "columbus day": (10, 0, 2), "thanksgiving day": (11, 3, 4), "thanksgiving": (11, 3, 4),
}  # fmt: skip
"""Holidays by month, weekday and which of them."""


@reads(rf"(?P<name>{'|'.join(_FIXED)})")
def fixed_holiday(match: re.Match[str], today: date) -> Days:
    return one_day(coming(*_FIXED[match["name"]], today))


@reads(rf"(?P<name>{'|'.join(_FLOATING)})")
def floating_holiday(match: re.Match[str], today: date) -> Days:
    this_year = _floating(match["name"], today.year)
    return one_day(this_year if this_year >= today else _floating(match["name"], today.year + 1))


def _floating(name: str, year: int) -> date:
    month, weekday, nth = _FLOATING[name]
    named = [day for day in month_of(year, month) if day.weekday() == weekday]
    return named[nth - 1 if nth > 0 else nth]
