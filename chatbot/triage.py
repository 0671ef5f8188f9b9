"""Looks for signs that must not wait in every message, before anything else is done with it.

Matching is by code alone. A clinician of the practice owns the list (`RedFlag` rows); the list that
ships in `red_flags.toml` is a proposal until they have signed it.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from chatbot.when.words import bare, listed

NEAR = 12
"""Words that a sign may be spread over; the end of a sentence counts as SENTENCE_GAP words."""

SENTENCE_GAP = 4
SHORTEST_MISSPELT = 6
"""Letters that a word must have before a near miss counts as a slip of the finger."""

DEFAULT_LIST = Path(__file__).with_name("red_flags.toml")

Pattern = Sequence[str]
"""Word groups that must stand near each other, in any order. A group is "this|that|begin*"."""


class Sign(Protocol):
    """What triage needs to know of a red flag; a `RedFlag` row has it."""

    @property
    def name(self) -> str: ...

    @property
    def level(self) -> str:
        """Return "emergency" or "urgent"."""
        ...

    @property
    def patterns(self) -> Sequence[Pattern]: ...

    @property
    def exclusions(self) -> Sequence[Pattern]: ...

    @property
    def advice(self) -> str:
        """Return what the patient is told, word for word."""
        ...


@dataclass(frozen=True)
class Flag:
    """A red flag that does not stand in the database."""

    name: str
    level: str
    patterns: tuple[tuple[str, ...], ...]
    advice: str
    exclusions: tuple[tuple[str, ...], ...] = ()
    source: str = ""


_NEGATED = re.compile(
    r"\b(?:no|not|without|never had|dont have|do not have|doesnt have|havent had|have not had|isnt|"
    r"arent|wasnt|nothing like|free of|denies|sin|no tengo)(?: (?:any|a|the|more|really|new|sudden|real|"
    r"actual|signs? of|other|much|having|severe|bad))* (?!(?:only|just|able|see|sure)\b)\w+(?: (?:loss|"
    r"pains?|problems?|changes?|issues?|trouble|injury))?(?:(?: (?:or|nor|and no|ni|o))? (?:floaters?|"
    r"flash(?:es)?|pain|redness|itch\w*|discharge|swelling|blurr\w*|loss))*"
)
_OWN_NEGATION = re.compile(r"\b(?:no|not|cant|cannot|dont|wont|couldnt|without)\b")
_LONG_AGO = re.compile(
    r"\b(?:(?:\d+|a|two|three|four|five|six|seven|ten|few|many|several|couple(?: of)?) (?:years?|yrs?|"
    r"decades?) (?:ago|back)|last year|years ago|back in (?:19|20)\d\d|when i was (?:a |\d|little|young|"
    r"in)|as a (?:kid|child|teen\w*)|hace \w+ anos?)\b"
)
_AND_NOW = re.compile(
    r"\b(?:now|today|tonight|again|sudden\w*|just|since (?:yesterday|this|last night)|this (?:morning|"
    r"afternoon|evening|week)|yesterday|ahora|hoy|worse|worsening|started)\b"
)
_IN_GENERAL = re.compile(
    r"\b(?:what (?:are|is) (?:the )?(?:symptoms?|signs?|cause)|(?:symptoms|signs) of|what causes|"
    r"do you (?:treat|see people|handle)|difference between|risk (?:of|for)|is it true|"
    r"should i worry if i ever|read (?:about|that)|brochure|article)\b"
)

_REAL_WORDS = frozenset(
    listed("""
    certain certainly captain version versions splash-proof painting painted paints blinds swelling
    dropping dropped droplet droplets flashy flasher floats floated sparky shadows shadowy severed
    server several bleached bleachers headband glasses pencil doubles doubled chemist chemistry injure
    punches seconds
""")
)


def words_of(text: str) -> list[str]:
    """Return the words as patterns are written; the end of a sentence leaves a gap."""
    text = re.sub(r"['’`]", "", bare(text))
    text = re.sub(r"[.!?;\n]+(?=\s|$)", f" {'. ' * SENTENCE_GAP}", text)
    return re.findall(r"[\w/]+|\.", text)


class Triage:
    """The practice's list, ready to be held against messages."""

    def __init__(self, flags: Iterable[Sign]) -> None:
        """Emergencies are looked for first, so that the gravest sign of a message is the one told."""
        self._flags = sorted(flags, key=lambda flag: flag.level != "emergency")
        groups = [group for flag in self._flags for pattern in flag.patterns for group in pattern]
        self._known = frozenset(word for group in groups for word in re.split(r"[| ]", group))
        self._misspelt = sorted(
            word for word in self._known if len(word) >= SHORTEST_MISSPELT and word.isalpha()
        )

    def check(self, text: str) -> Sign | None:
        """Return the gravest red flag that a message shows, if any."""
        words = [self._spelled(word) for word in words_of(text)]
        said = " ".join(words)
        if _IN_GENERAL.search(said) or (_LONG_AGO.search(said) and not _AND_NOW.search(said)):
            return None
        return next((flag for flag in self._flags if _shows(flag, said)), None)

    def _spelled(self, word: str) -> str:
        """Return the word of the list that this one is a slip of; the word itself when there is none."""
        if len(word) < SHORTEST_MISSPELT - 1 or word in self._known or word in _REAL_WORDS:
            return word
        return next((known for known in self._misspelt if _is_slip(word, known)), word)


def _is_slip(word: str, known: str) -> bool:
    """Say whether one letter was left out, added, changed or swapped with its neighbour."""
    if word[0] != known[0] or abs(len(word) - len(known)) > 1 or word in (f"{known}s", f"{known}d"):
        return False
    start = next(
        (place for place, pair in enumerate(zip(word, known, strict=False)) if pair[0] != pair[1]), None
    )
    if start is None:
        return len(word) < len(known)
    rest, known_rest = word[start:], known[start:]
    swapped = rest[:2] == known_rest[1::-1] and rest[2:] == known_rest[2:]
    return swapped or known_rest[1:] in (rest, rest[1:]) or rest[1:] == known_rest


def _shows(flag: Sign, said: str) -> bool:
    for exclusion in flag.exclusions:
        for first, last in _places(exclusion, said, said):
            said = _blanked(said, first, last)
    asserted = _NEGATED.sub(lambda match: " ".join("_" for _ in match.group().split()), said)
    return any(True for pattern in flag.patterns for _ in _places(pattern, said, asserted))


def _places(pattern: Pattern, said: str, asserted: str) -> Iterator[tuple[int, int]]:
    """Yield the first and last word of every place where all groups stand near each other."""
    anchors, *others = [_finds(group, said, asserted) for group in pattern]
    for anchor in anchors:
        near = [[place for place in places if abs(place[0] - anchor[0]) < NEAR] for places in others]
        for places in product([anchor], *near):
            first, last = min(place[0] for place in places), max(place[1] for place in places)
            if last - first < NEAR:
                yield first, last


def _finds(group: str, said: str, asserted: str) -> list[tuple[int, int]]:
    """Return where a group stands, as word numbers; a phrase that denies is looked for as it was said."""
    affirming, denying = _compiled(group)
    found = [
        match
        for form, text in ((affirming, asserted), (denying, said))
        if form
        for match in form.finditer(text)
    ]
    return [(_word_number(said, match.start()), _word_number(said, match.end() - 1)) for match in found]


def _word_number(text: str, position: int) -> int:
    return text.count(" ", 0, position)


@cache
def _compiled(group: str) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    alternatives = group.split("|")
    denying = [words for words in alternatives if _OWN_NEGATION.search(words)]
    affirming = [words for words in alternatives if words not in denying]
    return _any_of(affirming), _any_of(denying)


def _any_of(alternatives: Sequence[str]) -> re.Pattern[str] | None:
    if not alternatives:
        return None
    forms = (re.escape(words.strip()).replace(r"\*", r"\w*") for words in alternatives)
    return re.compile(rf"(?<!\S)(?:{'|'.join(forms)})(?!\S)")


def _blanked(said: str, first: int, last: int) -> str:
    words = said.split(" ")
    return " ".join("_" if first <= number <= last else word for number, word in enumerate(words))


@cache
def default_flags() -> tuple[Flag, ...]:
    """Return the list that ships with the project, its word sets written out."""
    document = tomllib.loads(DEFAULT_LIST.read_text(encoding="utf-8"))
    return tuple(_flag(entry, document) for entry in document["flags"])


def _flag(entry: dict[str, Any], document: dict[str, Any]) -> Flag:
    look_alikes = [] if entry.get("looks_past_look_alikes") else document["look_alikes"]
    return Flag(
        name=entry["name"],
        level=entry["level"],
        patterns=_written_out(entry["patterns"], document["words"]),
        exclusions=_written_out([*look_alikes, *entry.get("exclusions", [])], document["words"]),
        advice=entry["advice"],
        source=entry["source"],
    )


def _written_out(patterns: Iterable[Sequence[str]], sets: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(group.format_map(sets) for group in pattern) for pattern in patterns)


@cache
def by_default() -> Triage:
    """Return the triage of the list that ships with the project."""
    return Triage(default_flags())


def load_defaults(model: Any) -> int:
    """Add the shipped flags that a table of red flags does not have by name; return how many were added.

    Rows that the practice changed or switched off stay as they are. `model` is RedFlag, or its
    historical form in a migration.
    """
    added = 0
    for flag in default_flags():
        row = asdict(flag)
        _, is_new = model.objects.get_or_create(name=row.pop("name"), defaults=row)
        added += is_new
    return added
