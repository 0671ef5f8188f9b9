"""The last look at words that a model wrote: no figure may leave that our own sources do not hold.

An airline was held to what its chatbot made up (Moffatt v. Air Canada, 2024 BCCRT 149).
"""

import re
from collections.abc import Iterable

_FIGURE = re.compile(r"\$?\d(?:[\d,.:/-]*\d)?\s*(?:%|[ap]\.?\s?m\b\.?)?", re.IGNORECASE)
_NUMBER_WORDS = (
    "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty "
    "ninety hundred thousand half noon midnight"
)
_CALENDAR_WORDS = (
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august "
    "september october november december today tomorrow"
)
_WORDS = re.compile(
    rf"\b(?:{'|'.join([*_NUMBER_WORDS.split(), *_CALENDAR_WORDS.split()])})s?\b", re.IGNORECASE
)
_ADDRESS = re.compile(r"(?:https?:|www\.)\S+|\S+@\S+\.\w+|[<>]|!?\[[^\]]*\]\(", re.IGNORECASE)
"""Links, addresses and mark-up: nothing that a model writes may point anywhere."""


def is_backed(text: str, sources: Iterable[str]) -> bool:
    """Say whether every number, amount, date, time and phone number of a text stands in a source."""
    return not unbacked(text, sources) and not _ADDRESS.search(text)


def unbacked(text: str, sources: Iterable[str]) -> set[str]:
    """Return the figures of a text that no source holds."""
    known = set().union(*(_figures(source) for source in sources))
    return _figures(text) - known


def _figures(text: str) -> set[str]:
    """Return every figure in one spelling: "$1,200.00" as "$1200", "9:00 a.m." as "9am"."""
    figures = {_one_spelling(match.group()) for match in _FIGURE.finditer(text)}
    return figures | {match.group().casefold().removesuffix("s") for match in _WORDS.finditer(text)}


def _one_spelling(figure: str) -> str:
    figure = re.sub(r"[\s,]|(?<=[apAP])\.|\.$", "", figure).casefold()
    figure = re.sub(r"\.00(?!\d)|:00(?=[ap]m|$)", "", figure)
    return re.sub(r"[^\d$%:/apm.]", "", figure)
