"""Reads what stands between tokens: "not W0", "after T0", "D0 to D1", "late in D0"."""

import re
from collections.abc import Callable
from datetime import date, time, timedelta
from functools import partial

from chatbot.when.days import next_to_come, one_day, part_of, week_of
from chatbot.when.scan import Named, Scan, Unlikely, exactly, next_minute
from chatbot.when.wish import DAY_NAMES, Days, Hours, NotUnderstood

Relation = Callable[[Scan, re.Match[str]], str]
RELATIONS: list[tuple[re.Pattern[str], Relation]] = []
"""Every relation in the order of reading."""

_DAY = r"[WD]\d+"
_MENTION = r"[WDPT]\d+"
_TO = r" ?(?:-|to|through|until) ?(?:the )?"
_REFUSED = (
    rf"(?P<refused>{_MENTION}(?:(?: ?,? ?{_MENTION})* ?,? ?(?:or|and|nor|/|y|ni) (?:on |the |in "
    rf")?{_MENTION})?)"
)
_EXCEPT = (
    r"not|never|except|excluding|besides|other than|without|avoid|anything but|(?:any|every)(?: ?day|"
    r" ?time)?(?: at all)? but|any ?where but|but|(?:cant|cannot)(?: do| make| come)?|dont want|"
    r"no(?! ?,)|nor|unable to (?:do|make)|instead of|rather than"
)
_IS_OUT = (
    r"(?:doesnt|dont|does not|do not|wont|will not|isnt|arent|not) (?:work|suit|good|possible|great|do|"
    r"an option)|(?:is|are) (?:out|bad|no good|not good|not possible|impossible|difficult|busy|"
    r"not great|too (?:early|late|soon))"
)
PAST = "That day is past. Which day would suit you?"


def read(scan: Scan) -> None:
    """Work every relation into the scan; tokens that no relation takes stay in the text."""
    for pattern, relation in RELATIONS:
        scan.replace(pattern, partial(relation, scan))


def relates(*patterns: str) -> Callable[[Relation], Relation]:
    """Register a function as the reader of these relations."""

    def register(relation: Relation) -> Relation:
        RELATIONS.extend((re.compile(pattern), relation) for pattern in patterns)
        return relation

    return register


@relates(r"\bweek (?:of|beginning|starting|commencing) (?:the )?(?P<day>D\d+)")
def week_that_holds(scan: Scan, match: re.Match[str]) -> str:
    return scan.day(week_of(scan.days[match["day"]].first))


@relates(
    *(
        rf"\b(?:the |by |at |in |around |towards? )*(?P<{part}>{words}) (?:of |in |on )*(?:the "
        rf")?(?P<day>D\d+)"
        for part, words in (
            ("early", r"early|earlier|beginning|start|1st (?:part|half|thing)|top"),
            ("mid", r"mid|middle"),
            ("late", r"late|later|end|ending|last (?:part|half|days)|tail end|2nd half"),
        )
    )
)
def part_of_days(scan: Scan, match: re.Match[str]) -> str:
    days = scan.days[match["day"]]
    if days.is_one_day:
        raise Unlikely
    part = next(name for name in match.groupdict() if name != "day")
    return scan.day(part_of(part, _whole(days)))


def _whole(days: Days) -> Days:
    """Return the week or month whose rest is meant, so that "early" counts from its beginning."""
    if (days.last - days.first).days < 7:
        return week_of(days.last, days.label)
    return Days(days.last.replace(day=1), days.last, days.label)


@relates(rf"(?:from |between )?(W\d+){_TO}(W\d+)", r"between (W\d+) and (W\d+)")
def run_of_weekdays(scan: Scan, match: re.Match[str]) -> str:
    first, last = (scan.named[token] for token in match.groups())
    start, length = first.weekdays[0], (last.weekdays[-1] - first.weekdays[0]) % 7
    weekdays = tuple((start + number) % 7 for number in range(length + 1))
    return scan.weekdays(Named(weekdays, first.every and last.every))


@relates(r"(?P<name>W\d+) ?,? ?(?:the )?(?P<day>D\d+)")
def weekday_of_a_date(scan: Scan, match: re.Match[str]) -> str:
    """Raises NotUnderstood for "monday the 14th" when the 14th is a Saturday."""
    named, days = scan.named[match["name"]], scan.days[match["day"]]
    if not days.is_one_day or len(named.weekdays) > 1:
        raise Unlikely
    day = days.first
    if day.weekday() not in named.weekdays:
        raise NotUnderstood(
            f"{day:%B} {day.day} is a {DAY_NAMES[day.weekday()]}, not a {DAY_NAMES[named.weekdays[0]]}. "
            "Which day did you mean?"
        )
    return scan.day(one_day(day))


@relates(r"(?P<day>D\d+) ?,? ?(?P<name>W\d+)")
def date_with_its_weekday(scan: Scan, match: re.Match[str]) -> str:
    days = scan.days[match["day"]]
    if not days.is_one_day or days.first.weekday() not in scan.named[match["name"]].weekdays:
        raise Unlikely
    return match["day"]


@relates(
    rf"\b(?:{_EXCEPT})(?: for| on| in| at| the| any| do| make| this| that| between)* {_REFUSED}",
    rf"{_REFUSED}(?: \w+)? (?:{_IS_OUT})\b",
)
def refused(scan: Scan, match: re.Match[str]) -> str:
    for token in re.findall(_MENTION, match["refused"]):
        _refuse(token, scan)
    return ","


def _refuse(token: str, scan: Scan) -> None:
    if token in scan.named:
        scan.refused_weekdays.update(scan.named[token].weekdays)
    elif token in scan.days:
        scan.refused_days.append(scan.days[token])
    elif token in scan.parts:
        scan.refused_hours.append(scan.parts[token])
    else:
        moment = scan.clocks[token].moment
        scan.refused_hours.append(Hours(moment, next_minute(moment)))


def _run(scan: Scan, match: re.Match[str], group: str = "day") -> Days:
    token = match[group]
    if token in scan.days:
        return scan.days[token]
    return one_day(next_to_come(scan.named[token].weekdays[0], scan.today))


@relates(
    rf"(?:from |between )(?P<day>{_DAY}) ?(?:-|to|through|until|and) ?(?:the )?(?P<end>{_DAY})",
    rf"(?P<day>{_DAY}){_TO}(?P<end>{_DAY})",
)
def run_of_days(scan: Scan, match: re.Match[str]) -> str:
    first, last = _run(scan, match), _run(scan, match, "end")
    if last.last < first.first:
        raise Unlikely
    return scan.day(Days(first.first, last.last))


@relates(rf"\b(?:after|past|later than) (?:the )?(?P<day>{_DAY})(?! ?T)")
def after_days(scan: Scan, match: re.Match[str]) -> str:
    return scan.day(Days(_run(scan, match).last + timedelta(days=1), date.max))


@relates(
    rf"\bfrom (?:the )?(?P<day>{_DAY})(?: on(?:wards?)?| forward)?",
    rf"(?P<day>{_DAY}) (?:or (?:later|after)|onwards?|and (?:after|later))\b",
)
def from_a_day_on(scan: Scan, match: re.Match[str]) -> str:
    return scan.day(Days(_run(scan, match).first, date.max))


@relates(
    rf"\b(?:before|earlier than|prior to) (?:the )?(?P<day>{_DAY})",
    rf"(?P<day>{_DAY}) or (?:earlier|sooner|before)\b",
)
def before_a_day(scan: Scan, match: re.Match[str]) -> str:
    return _until(_run(scan, match).first - timedelta(days=1), scan)


@relates(rf"\b(?:by|until|up to) (?:the )?(?P<day>{_DAY})")
def by_a_day(scan: Scan, match: re.Match[str]) -> str:
    return _until(_run(scan, match).last, scan)


def _until(last: date, scan: Scan) -> str:
    if last < scan.today:
        raise NotUnderstood(PAST)
    return scan.day(Days(scan.today, last, f"by {last:%A, %B} {last.day}"))


@relates(
    r"(?P<time>T\d+)(?: ?,| at| in| on)? (?P<part>P\d+)",
    r"(?P<part>P\d+) ?,? (?P<word>at |say |around |about |like )?(?P<time>T\d+)",
)
def time_in_its_part_of_the_day(scan: Scan, match: re.Match[str]) -> str:
    """The part of the day tells am from pm."""
    moment = scan.clocks[match["time"]].within(scan.parts[match["part"]])
    if moment is None:
        raise Unlikely
    return f"{match.groupdict().get('word') or ''} {scan.clock(exactly(moment))}"


@relates(r"\b(?:from |between |at )?(?P<first>T\d+) ?(?:-|to|until|through|and) ?(?P<time>T\d+)")
def between_times(scan: Scan, match: re.Match[str]) -> str:
    earliest, latest = scan.clocks[match["first"]].until(scan.clocks[match["time"]])
    if earliest >= latest:
        raise Unlikely
    scan.windows.append(Hours(earliest, latest))
    return ""


@relates(
    r"\b(?:after|past|from|later than|since)(?: about)? (?P<time>T\d+)",
    r"(?P<time>T\d+) (?:or (?:later|after)|on ?wards?|and (?:later|after)|on$)",
)
def from_a_time_on(scan: Scan, match: re.Match[str]) -> str:
    scan.windows.append(Hours(scan.clocks[match["time"]].moment, time.max))
    return ""


@relates(
    r"\b(?:before|until|earlier than|up to|prior to)(?: about)? (?P<time>T\d+)",
    r"(?P<time>T\d+) or (?:earlier|before)",
)
def before_a_time(scan: Scan, match: re.Match[str]) -> str:
    scan.windows.append(Hours(time.min, scan.clocks[match["time"]].moment))
    return ""


@relates(r"\b(?:by|at the latest) (?P<time>T\d+)")
def by_a_time(scan: Scan, match: re.Match[str]) -> str:
    scan.windows.append(Hours(time.min, next_minute(scan.clocks[match["time"]].moment)))
    return ""


@relates(
    r"\b(?:around|about|round|near|approximately|approx|close to|circa|roughly|say|like|at around|"
    r"at about) (?P<time>T\d+)",
    r"(?P<time>T\d+) ?(?:ish|or so|or thereabouts|roughly|more or less)\b",
)
def around_a_time(scan: Scan, match: re.Match[str]) -> str:
    scan.around = scan.clocks[match["time"]].moment
    scan.windows.append(_hour_around(scan.around))
    return ""


def _hour_around(moment: time) -> Hours:
    middle = moment.hour * 60 + moment.minute
    first, last = max(middle - 60, 0), min(middle + 61, 24 * 60 - 1)
    return Hours(time(*divmod(first, 60)), time(*divmod(last, 60)))
