"""Reads a date of birth as people write one."""

import re
from datetime import date

from chatbot.when.days import checked
from chatbot.when.wish import NotUnderstood
from chatbot.when.words import MONTHS, plain

OLDEST_YEARS = 120

_MONTH = rf"(?P<name>{'|'.join(MONTHS)})"
_YEAR = r"(?P<year>(?:18|19|20)\d{2}|\d{2})"
_FORMS = tuple(
    re.compile(rf"(?<!\d){pattern}(?!\d)")
    for pattern in (
        r"(?P<year>\d{4}) ?[-/. ] ?(?P<month>\d{1,2}) ?[-/. ] ?(?P<day>\d{1,2})",
        rf"(?P<month>\d{{1,2}}) ?[-/. ] ?(?P<day>\d{{1,2}}) ?[-/. ] ?{_YEAR}",
        rf"{_MONTH} ?,? (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[ ,/-]+(?:of |in )?{_YEAR}",
        rf"(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[ -](?:of )?{_MONTH}[ ,/-]+(?:of |in )?{_YEAR}",
        r"(?P<month>\d{2})(?P<day>\d{2})(?P<year>(?:18|19|20)\d{2})",
        r"(?P<month>\d{2})(?P<day>\d{2})(?P<year>\d{2})",
    )
)


def read_birth_date(text: str, today: date) -> date:
    """Return a date of birth; `today` settles the century of "3/14/60" and refuses the future.

    The month comes first, unless only the other order exists (25/12/1960). Raises NotUnderstood.
    """
    said = plain(text)
    match = next((match for form in _FORMS if (match := form.search(said))), None)
    if match is None:
        raise NotUnderstood("Please give the date of birth with month, day and year, such as 03/14/1960.")
    born = _date(match.groupdict(), today)
    if not today.year - OLDEST_YEARS <= born.year or born > today:
        raise NotUnderstood("That cannot be a date of birth. Please give it as month, day and year.")
    return born


def _date(said: dict[str, str], today: date) -> date:
    month = MONTHS.index(said["name"]) + 1 if said.get("name") else int(said["month"])
    day = int(said["day"])
    if month > 12 >= day:
        month, day = day, month
    return checked(_year(said["year"], today), month, day)


def _year(said: str, today: date) -> int:
    if len(said) == 4:
        return int(said)
    this_century = today.year // 100 * 100 + int(said)
    return this_century if this_century <= today.year else this_century - 100
