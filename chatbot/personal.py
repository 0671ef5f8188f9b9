"""Takes what tells who wrote out of a message, before it is kept as an example.

By rule: the names that the record knows, names that a message announces, phone numbers, e-mail
addresses, street addresses, dates of birth, long numbers. What stands in their place has the same form,
so that the message stays one that a patient could have written. No rule finds everything: a person looks
at the result before it is kept. Plain Python: no database.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import phonenumbers

REGION = "US"
"""How a phone number without a country code is read."""

_FIRST_NAME, _LAST_NAME = "Alex", "Morgan"
STAND_INS = {
    "e-mail": "patient@example.com",
    "phone": "555-0100",
    "date of birth": "1/1/1970",
    "address": "12 Maple Street",
    "number": "12345678",
}
"""What takes the place of each kind; 555-01xx is kept free for fiction."""

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NUMBER = re.compile(
    r"(?<![\w$/.:-])(?=[A-Za-z]{0,4}(?:[ -]?\d){6})[\dA-Za-z]*\d(?:[\dA-Za-z]|[ -](?=\d)){4,}(?![\w/:-])"
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|dic)[a-z]*\.?"
_LONG_PAST = r"(?:19\d\d|20(?:0\d|1[0-5]))"
_BIRTH_DATE = re.compile(
    rf"(?<![\w/.-])(?:\d{{1,2}}[/.-]\d{{1,2}}[/.-]{_LONG_PAST}|{_LONG_PAST}-\d\d?-\d\d?"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? {_LONG_PAST}|\d{{1,2}}(?:st|nd|rd|th)?(?: of| de)? {_MONTH},?"
    rf"(?: de| del)? {_LONG_PAST})(?![\w/-])",
    re.IGNORECASE,
)
_BORN = re.compile(
    r"\b(?:born|birth ?day|birth ?date|date of birth|d\.?o\.?b\.?|nac[ií]\w*|nacimiento)\b\W{0,3}"
    r"(?:(?:is|on|es|was|el)\W)?\s*(?P<value>\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4})",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?<![\w/:$.-])\d{1,5} (?:[\w']+\.? ){1,3}?(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive"
    r"|parkway|pkwy|terrace|circle|court|highway|hwy)\b\.?(?:,? (?:apt|apartment|unit|suite|ste)\.? ?#?\w+)?",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(
    r"(?:\b[Mm]y name(?: is|'s)|\b[Tt]his is|\b[Mm]e llamo|\b[Mm]i nombre es|\b[Ss]oy)"
    r" (?P<value>[A-ZÁÉÍÓÚÑ][\w'’-]+(?: [A-ZÁÉÍÓÚÑ][\w'’-]+){0,2})"
)
_ANNOUNCED_SMALL = re.compile(
    r"\b(?:my name(?: is|'s)|me llamo|mi nombre es) (?P<value>[a-záéíóúñ][\w'’-]+)", re.IGNORECASE
)
_PATTERNS = (
    ("e-mail", _EMAIL),
    ("date of birth", _BIRTH_DATE),
    ("date of birth", _BORN),
    ("address", _ADDRESS),
)
_SHORTEST_NAME = 2


@dataclass(frozen=True)
class Finding:
    """A place in a text that tells who wrote, and how."""

    start: int
    end: int
    kind: str


def found(text: str, names: Iterable[str] = ()) -> list[Finding]:
    """Return what tells who wrote, in order; `names` are those that the record knows of the household."""
    kept: list[Finding] = []
    for finding in _candidates(text, names):
        if not any(finding.start < other.end and other.start < finding.end for other in kept):
            kept.append(finding)
    return sorted(kept, key=lambda finding: finding.start)


def replaced(text: str, names: Iterable[str] = ()) -> str:
    """Return the text with something made up in the place of each finding."""
    for finding in reversed(found(text, names)):
        said = text[finding.start : finding.end]
        text = text[: finding.start] + _stand_in(finding.kind, said) + text[finding.end :]
    return text


def _candidates(text: str, names: Iterable[str]) -> Iterator[Finding]:
    """Yield the surer kinds first."""
    for kind, pattern in _PATTERNS:
        yield from _matches(kind, pattern, text)
    for match in phonenumbers.PhoneNumberMatcher(text, REGION, leniency=phonenumbers.Leniency.POSSIBLE):
        if sum(map(str.isdigit, match.raw_string)) >= 7:
            begins_outside = match.raw_string.startswith("(") and ")" not in match.raw_string
            yield Finding(match.start + begins_outside, match.end, "phone")
    yield from _matches("number", _NUMBER, text)
    known = "|".join(re.escape(name) for name in _words(names))
    if known:
        run = rf"\b(?:{known})(?:[ -](?:{known}))*(?=\b|'s)"
        yield from _matches("name", re.compile(run, re.IGNORECASE), text)
    yield from _matches("name", _ANNOUNCED, text)
    yield from _matches("name", _ANNOUNCED_SMALL, text)


def _matches(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[Finding]:
    group = "value" if "value" in pattern.groupindex else 0
    return (Finding(*match.span(group), kind) for match in pattern.finditer(text))


def _words(names: Iterable[str]) -> list[str]:
    """Return the single names, longest first."""
    words = {word for name in names for word in name.split() if len(word) >= _SHORTEST_NAME}
    return sorted(words, key=lambda word: (-len(word), word))


def _stand_in(kind: str, said: str) -> str:
    if kind != "name":
        return STAND_INS[kind]
    name = f"{_FIRST_NAME} {_LAST_NAME}" if " " in said else _FIRST_NAME
    return name.lower() if said.islower() else name
