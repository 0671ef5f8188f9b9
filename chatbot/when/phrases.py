"""Replaces every phrase that names a day, a weekday, a time or a part of the day by its token."""

import re
from functools import partial

from chatbot.when import days, moves
from chatbot.when.hours import AFTERNOON, CLOCKS, DAY_PARTS, EVENING, MORNING, clock, read_clock
from chatbot.when.scan import Named, Scan, Unlikely
from chatbot.when.wish import Hours
from chatbot.when.words import WEEKDAYS

_PLAINER = tuple(
    (re.compile(pattern), plainer)
    for pattern, plainer in (
        (r"\b(?:not|no|nothing|never) (?:before|earlier than|sooner than|until)\b", "from"),
        (r"\b(?:not|no|nothing|never) (?:after|later than|past)\b", "by"),
        (r"\b(?:any ?time|some ?time|starting|beginning|as of|whenever) (?=after|from|before)\b", ""),
        (r"\b(?:starting|beginning|as of)(?: on| from)?\b", "from"),
        (r"\b(?:in )?between\b", "between"),
        (r"\btonight\b", "today evening"),
    )
)
_FREE = (
    r"(?:available|openings?|open|free|possible|slots?|spots?|time|appointments?|appts?|dates?|"
    r"availability|one)"
)
_SOONEST = re.compile(
    r"\b(?:asap|a s a p|(?:as )?(?:soon|early|quick(?:ly)?) as (?:possible|you can|u can|i can|"
    r"you could)|soonest|"
    rf"(?:the |your |ur |at the |very )*(?:1st|next|earliest|soonest) {_FREE}(?: {_FREE})?|"
    r"(?:the |your )?earliest(?: (?:you|u) (?:have|can|got))?|right away|immediately|any ?time|"
    r"when ?ever|any (?:day|date|slot|one|of them)|no preference|(?:im |i am )?(?:flexible|easy)|"
    r"doesnt matter|dont (?:care|mind)|first come|(?:the )?(?:sooner|earlier) the better|"
    r"soon|sooner(?! than))\b"
)
_WIDE_PARTS = (MORNING, AFTERNOON, EVENING)
_ANY = r"(?:any |every |all )?"

_NO_HOUR = r"(?![\d:/%$]|st|nd|rd|th)\b(?! (?:days?|weeks?|months?|people|minutes?|hours?))"
_HOUR = rf"(?P<hour>\d{{1,2}}){_NO_HOUR}"
_MENTION = r"[DWP]\d+"
_SPREAD = (
    r"(?P<first>\d{1,2}|T\d+) ?(?:-|to|and|through|until) ?(?P<second>\d{1,2}|T\d+)(?![\d/]| (?:days|"
    r"weeks|people))"
)
_HOUR_SPREADS = (
    rf"\b(?P<word>between|from|at|around|about|{_MENTION}),? {_SPREAD}",
    rf"^{_SPREAD}$",
    r"\b(?P<first>\d{1,2}) ?(?:-|to|through|until) ?(?P<second>T\d+)",
    rf"(?<!/)\b(?P<first>\d{{1,2}}) ?(?:-|to) ?(?P<second>\d{{1,2}})(?= ?,? ?(?:on )?{_MENTION})",
)
_BEFORE_HOUR = r"at|after|before|around|about|by|past|from|until|or|for|[DWPT]\d+"
_BARE_HOURS = (
    *[rf"(?P<word>\b(?:{_BEFORE_HOUR})(?: ,| on| at)*) {_HOUR}"] * 3,
    r"\b(?P<word>)(?P<hour>\d{1,2})(?= ?ish)",
    rf"\b(?P<word>){_HOUR}(?= ?,? ?(?:or later|or after|or earlier|onwards?|{_MENTION}|today))",
    rf"^(?P<word>){_HOUR}$",
)


def read(scan: Scan) -> None:
    """Replace the phrases, the most telling first; a later one sees only what the earlier ones left."""
    for pattern, plainer in _PLAINER:
        scan.text = pattern.sub(plainer, scan.text)
    _read_parts(scan, narrow=True)
    moves.read(scan)
    scan.text, found = _SOONEST.subn(" ", scan.text)
    scan.soonest = scan.soonest or bool(found)
    _read_clocks(scan, CLOCKS[:-1])
    for pattern, reader in days.READERS:
        scan.replace(pattern, partial(_day, scan, reader))
    _read_weekdays(scan)
    _read_clocks(scan, CLOCKS[-1:])
    _read_parts(scan, narrow=False)
    _read_bare_hours(scan)


def _read_parts(scan: Scan, *, narrow: bool) -> None:
    for pattern, hours in DAY_PARTS:
        if narrow == (hours not in _WIDE_PARTS):
            scan.replace(rf"\b(?:{pattern})\b", partial(_part, scan, hours))


def _part(scan: Scan, hours: Hours, _match: re.Match[str]) -> str:
    return scan.part(hours)


def _day(scan: Scan, reader: days.Reader, match: re.Match[str]) -> str:
    return scan.day(reader(match, scan.today))


def _read_clocks(scan: Scan, patterns: tuple[re.Pattern[str], ...]) -> None:
    for pattern in patterns:
        scan.replace(pattern, lambda match: scan.clock(read_clock(match)))


def _read_weekdays(scan: Scan) -> None:
    scan.replace(
        rf"\b(?P<every>(?:any|every|all|most|a|on a) )?(?P<weekday>{'|'.join(WEEKDAYS)})(?P<plural>s)?\b",
        lambda match: scan.weekdays(
            Named((days.weekday_number(match),), every=bool(match["every"] or match["plural"]))
        ),
    )
    scan.replace(
        rf"\b{_ANY}(?:week ?days?|work(?:ing)? days?)\b",
        lambda _: scan.weekdays(Named((0, 1, 2, 3, 4), True)),
    )
    scan.replace(rf"\b{_ANY}weekends\b", lambda _: scan.weekdays(Named((5, 6), every=True)))


def _read_bare_hours(scan: Scan) -> None:
    """A number is an hour only where nothing else can be meant: after "at", beside a day, alone."""
    for pattern in _HOUR_SPREADS:
        scan.replace(pattern, partial(_spread, scan))
    for pattern in _BARE_HOURS:
        scan.replace(pattern, partial(_bare_hour, scan))


def _spread(scan: Scan, match: re.Match[str]) -> str:
    ends = (end if end[0] == "T" else scan.clock(clock(int(end))) for end in match.group("first", "second"))
    word = match.groupdict().get("word") or ""
    return f"{word if word[:1].isupper() else ''} between {' and '.join(ends)}"


def _bare_hour(scan: Scan, match: re.Match[str]) -> str:
    if not 1 <= int(match["hour"]) <= 23:
        raise Unlikely
    return f"{match['word']} {scan.clock(clock(int(match['hour'])))}"
