"""Matches what patients write with what the practice calls its visits, people and places."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TypeVar

from appointments.models import VisitType

Known = TypeVar("Known")

LIKENESS = 0.75
"""How alike a slip of the pen and a name must be (difflib's ratio)."""

_ENDING = re.compile(r"(?:(?<=\w{4})(?:ing|ed)|s)$")
"""Of a plural or a verb: "tightening" and "tightened" are the practice's "tighten"."""

GENERIC = frozenset(
    re.findall(
        r"\w+",
        """a an and appointment appt at book come doctor dr eye for get have i id im in is it just like
        location make me my need new next of office on one our please schedule see some that the this to up
        upcoming visit want we with would you your""",
    )
)
"""Words that name nothing in particular."""


def words(text: str) -> frozenset[str]:
    """Return the words of a text: small, without accents, without a plural's ending."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("’", "'").replace("'", ""))
    found = re.findall(
        r"[a-z0-9]+", "".join(filter(lambda sign: not unicodedata.combining(sign), decomposed))
    )
    return frozenset(word if len(word) < 4 else _ENDING.sub("", word) for word in found)


def telling(text: str) -> frozenset[str]:
    """Return the words that name something."""
    return words(text) - GENERIC


def visit_types(text: str, known: Iterable[VisitType]) -> list[VisitType]:
    """Return the kinds of visit that fit the words best, several when they fit equally, or none."""
    fits = {
        visit_type: max(_fit(text, phrase) for phrase in (visit_type.name, *visit_type.also_called))
        for visit_type in known
    }
    best = max(fits.values(), default=(0, 0))
    return [visit_type for visit_type, fit in fits.items() if fit == best and any(best)]


def _fit(text: str, phrase: str) -> tuple[int, int]:
    """Return the length of a phrase that was said in full, and how many of its telling words were said."""
    said, known = words(text), words(phrase)
    return (len(known) if known <= said else 0), len(telling(text) & known)


def named(text: str, known: Iterable[Known], names: Callable[[Known], Iterable[str]]) -> list[Known]:
    """Return those one of whose names was said; failing that, those whose name was nearly said."""
    listed, said = list(known), telling(text)
    exact = [one for one in listed if any(words(name) <= said for name in names(one))]
    nearly = [one for one in listed if any(_nearly_said(name, said) for name in names(one))]
    return exact or nearly


def _nearly_said(name: str, said: frozenset[str]) -> bool:
    return bool(get_close_matches(name.casefold(), sorted(said), n=1, cutoff=LIKENESS))
