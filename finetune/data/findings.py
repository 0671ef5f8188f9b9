"""Finds personal data in a message by its form: numbers, addresses, dates of birth, names."""

import re
from collections.abc import Callable, Iterator, Sequence

import phonenumbers

from finetune.data import names
from finetune.data.months import MONTH
from finetune.data.names import Finding

REGION = "US"
"""How a phone number without a country code is read."""


def find(text: str, *, asked: str = "") -> list[Finding]:
    """Return the findings in order; where two overlap, the surer kind is kept."""
    kept: list[Finding] = []
    for search in _SEARCHES:
        for finding in search(text, asked):
            if finding.start < finding.end and not any(
                finding.overlaps(other.start, other.end) for other in kept
            ):
                kept.append(finding)
    return sorted(kept, key=lambda finding: finding.start)


_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PERSON_NUMBER = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_CARD = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
_LOCAL_PHONE = re.compile(r"(?<![\w/-])\d{3}[-.]\d{4}(?![\w/-])")
_IDENTIFIER = re.compile(
    r"\b(?:member|policy|insurance|account|acct|group|subscriber|medicare|medicaid|mrn|patient|claim|invoice"
    r"|reference|ref|order|licen[sc]e|passport|id|p[oó]liza|cuenta|seguro)\b"
    r"[ ]*(?:id|number|num|no|nr|n[uú]mero)?[ .:#]*(?:is|es)?[ .:#]*"
    r"(?P<value>(?=[\w-]*\d{3})(?=(?:[\w-]*\d){4})[A-Za-z0-9][\w-]*\w)",
    re.I,
)
_LONG_NUMBER = re.compile(r"(?<![\w/.:-])\d{6,}(?![\w/:-])")
_POSTCODE = re.compile(r"\b[A-Z]{2},? (?P<value>\d{5}(?:-\d{4})?)\b")
_NO_STREET = (
    r"(?!(?:on|with|at|or|pm|am|to|the|for|and|in|of|is|my|dr|from|by|near|past|days?|weeks?|o'clock)\b)"
)
STREET = (
    r"(?i:street|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|parkway|pkwy|terrace|circle|court"
    r"|highway|hwy)"
)
_ADDRESS = re.compile(
    rf"(?<![\w/:$.-])\d{{1,5}}[A-Za-z]? (?:(?:{_NO_STREET}(?i:[a-z][\w']*\.?) ){{1,3}}{STREET}\b"
    r"|(?:[A-Z][\w']*\.? ){1,3}(?:St|Dr|Way|Pl|Ct|Cir|Sq)\b)\.?"
    r"(?:,? (?i:apt|apartment|unit|suite|ste)\.? ?#?\w+)?"
)


def _by_pattern(kind: str, pattern: re.Pattern[str]) -> Callable[[str, str], Iterator[Finding]]:
    group = "value" if "value" in pattern.groupindex else 0

    def search(text: str, asked: str) -> Iterator[Finding]:
        return (Finding(kind, *match.span(group)) for match in pattern.finditer(text))

    return search


def _cards(text: str, asked: str) -> Iterator[Finding]:
    return (
        Finding("card number", *match.span()) for match in _CARD.finditer(text) if _has_check_digit(match[0])
    )


def _has_check_digit(number: str) -> bool:
    """Whether the last digit is right (ISO/IEC 7812-1, the Luhn algorithm)."""
    digits = [int(digit) for digit in reversed(number) if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _phones(text: str, asked: str) -> Iterator[Finding]:
    matcher = phonenumbers.PhoneNumberMatcher(text, REGION, leniency=phonenumbers.Leniency.POSSIBLE)
    for match in matcher:
        if sum(map(str.isdigit, match.raw_string)) >= 9:
            yield Finding("phone", match.start, match.end)


_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:19|20)\d\d"
_DATE = re.compile(
    rf"(?<![\w/.-])(?:(?P<numbers>\d{{1,2}}(?P<mark>[/.-])\d{{1,2}}(?P=mark)(?:{_YEAR}|\d\d)|{_YEAR}-\d\d?-\d\d?)"
    rf"|{MONTH},? {_DAY}(?:,? {_YEAR})?|{_DAY} (?:of |de )?{MONTH}(?:,?(?: de| del)? {_YEAR})?)(?![\w/-])",
    re.I,
)
_BIRTH = re.compile(r"\b(?:born|birth|birthday|birthdate|dob|d\.o\.b|bday|nac[ií]\w*|nacimiento)\b", re.I)
_NEAR = 30
"""Characters that may stand between "born" and the date."""
LATEST_BIRTH_YEAR = 2015
"""A complete date up to here is one of birth without further words: nobody books a visit for it."""


def _births(text: str, asked: str) -> Iterator[Finding]:
    for match in _DATE.finditer(text):
        announced = _BIRTH.search(text, max(0, match.start() - _NEAR), match.start())
        if announced or asked == "date_of_birth" or _is_long_past(match[0]):
            yield Finding("date of birth", *match.span())


def _is_long_past(date: str) -> bool:
    year = re.search(_YEAR, date)
    return bool(year and int(year[0]) <= LATEST_BIRTH_YEAR)


_SEARCHES: Sequence[Callable[[str, str], Iterator[Finding]]] = (
    _by_pattern("e-mail", _EMAIL),
    _by_pattern("person number", _PERSON_NUMBER),
    _cards,
    _births,
    _by_pattern("account number", _IDENTIFIER),
    _phones,
    _by_pattern("phone", _LOCAL_PHONE),
    _by_pattern("address", _ADDRESS),
    _by_pattern("postcode", _POSTCODE),
    _by_pattern("number", _LONG_NUMBER),
    names.search,
)
