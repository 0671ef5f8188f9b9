"""Finds people's names: after words that announce one, and by lists of names."""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from faker.providers.person import en_GB, en_IN, en_US, es_ES, es_MX


@dataclass(frozen=True)
class Finding:
    """A piece of a message that could tell who wrote it."""

    kind: str
    start: int
    end: int

    def overlaps(self, start: int, end: int) -> bool:
        return self.start < end and start < self.end


_WORDS = Path(__file__).parent / "words"


def _words(name: str) -> frozenset[str]:
    return frozenset((_WORDS / f"{name}.txt").read_text(encoding="utf-8").split())


_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_ANNOUNCED = re.compile(
    r"\b(?:name(?:'?s| is| was|:)|me llamo|nombre es|(?:on|in) behalf of|calling for|signed,)[ ]+", re.I
)
_TITLE = re.compile(r"\b(?:mr|mrs|mx|sra?|srta|señora?)\b\.? +", re.I)
_MAYBE_TITLE = re.compile(r"\b(?:ms|miss)\b\.? +", re.I)
"""Patients miss visits and have MS: what follows must look like a name."""
_MAYBE_ANNOUNCED = re.compile(
    r"\b(?:this is|it'?s|i am|i'?m|soy|hi|hello|hey|dear|for|"
    r"(?:my|our|his|her) (?:daughter|son|wife|husband|mother|mom|mum|father|dad|kid|child|partner|friend"
    r"|sister|brother|grandmother|grandfather|grandma|grandpa|aunt|uncle|niece|nephew),?"
    r"|mi (?:hij[ao]|espos[ao]|madre|mamá|padre|papá|herman[ao]))[ ]+",
    re.I,
)
_SIGNED = re.compile(
    r"\b(?:thanks|thank you|thx|regards|cheers|sincerely|gracias|best)[,.!]* *[-–]* *(?=\w+(?: \w+)?\W*$)",
    re.I,
)
_TITLED = re.compile(r"\b(?:dr|doctor|doctora|dra|prof)\.? ?$", re.I)
_ENDS_NAME = _words("ends_name")
EVERYDAY = _words("everyday_names")
"""Names that are words as well: they count only where something announces a name."""


@dataclass(frozen=True)
class _NameList:
    first: frozenset[str]
    last: frozenset[str]


@cache
def _names() -> _NameList:
    providers = [locale.Provider for locale in (en_US, en_GB, en_IN, es_ES, es_MX)]
    first = {name for provider in providers for name in provider.first_names}
    last = {name for provider in providers for name in provider.last_names}
    return _NameList(
        *(frozenset(_plain(word) for name in names for word in name.split()) for names in (first, last))
    )


def _plain(word: str) -> str:
    """Return a word without capitals and accents."""
    parts = unicodedata.normalize("NFD", word.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


@dataclass(frozen=True)
class _Said:
    """A text as words, with where each stands."""

    text: str
    words: tuple[re.Match[str], ...]

    def name_at(self, start: int) -> Finding | None:
        """Return up to three words from there on, as far as they can be a name."""
        taken: list[re.Match[str]] = []
        for word in self.words:
            if word.start() < start:
                continue
            gap = self.text[taken[-1].end() : word.start()] if taken else self.text[start : word.start()]
            if gap not in {"", " ", ". "} or word[0].casefold() in _ENDS_NAME or len(taken) == 3:
                break
            if taken and gap == ". " and len(taken[-1][0]) > 1:
                break
            if (
                taken
                and taken[0][0][0].isupper()
                and word[0].islower()
                and _plain(word[0]) not in _names().last
            ):
                break
            taken.append(word)
        return self.of(taken[0].start(), taken[-1].end()) if taken else None

    def of(self, start: int, end: int) -> Finding:
        """Return the finding there, without the ending of "Ana's"."""
        return Finding("name", start, end - 2 if self.text[start:end].endswith("'s") else end)


def search(text: str, asked: str) -> Iterator[Finding]:
    said = _Said(text, tuple(_WORD.finditer(text)))
    if asked in {"name", "first_name", "last_name", "patient"} and 1 <= len(said.words) <= 3:
        yield Finding("name", said.words[0].start(), said.words[-1].end())
    cues = (
        (_ANNOUNCED, said.name_at),
        (_TITLE, partial(_surname, said)),
        (_MAYBE_TITLE, partial(_surname, said, is_sure=False)),
        (_MAYBE_ANNOUNCED, partial(_listed, said)),
        (_SIGNED, partial(_listed, said)),
    )
    for cue, name_after in cues:
        yield from filter(None, (name_after(match.end()) for match in cue.finditer(text)))
    yield from _unannounced(said)


def _surname(said: _Said, start: int, *, is_sure: bool = True) -> Finding | None:
    """Return the one word after a title, and what is capitalised as it is."""
    finding = said.name_at(start)
    if not finding:
        return None
    words = said.text[finding.start : finding.end].split()
    known = _names()
    if not is_sure and not words[0].istitle() and _plain(words[0]) not in known.last | known.first:
        return None
    kept = itertools.takewhile(lambda word: _goes_on(words[0], word), words[1:])
    return said.of(finding.start, finding.start + len(" ".join([words[0], *kept])))


def _goes_on(first: str, word: str) -> bool:
    """Whether a name after a title goes on with this word."""
    if first.istitle() and word.istitle():
        return True
    return _plain(first) in _names().first and _plain(word) in _names().last


def _listed(said: _Said, start: int) -> Finding | None:
    """Return the name there when its first word is in the list; an everyday word needs a capital."""
    finding = said.name_at(start)
    if not finding:
        return None
    words = said.text[finding.start : finding.end].split()
    is_name = _plain(words[0]) in _names().first
    if not is_name or (words[0].casefold() in EVERYDAY and not (words[0].istitle() and len(words) > 1)):
        return None
    kept = itertools.takewhile(lambda word: _is_surname(word, words[0]), words[1:])
    return said.of(finding.start, finding.start + len(" ".join([words[0], *kept])))


def _is_surname(word: str, first: str) -> bool:
    """Whether a word can be a surname: a capitalised one after a capitalised name, or a listed one."""
    if word.istitle() and first.istitle():
        return True
    return _plain(word) in _names().last and word.casefold() not in EVERYDAY


def _unannounced(said: _Said) -> Iterator[Finding]:
    """First and last name together, or a capitalised first name within a sentence."""
    for word, following in zip(said.words, (*said.words[1:], None), strict=False):
        if _TITLED.search(said.text, 0, word.start()) or not _is_first_name(word[0]):
            continue
        if following and _is_surname_of(word, following, said.text):
            yield said.of(word.start(), following.end())
        elif word[0].istitle() and re.search(r"[\w,] $", said.text[: word.start()]):
            yield said.of(*word.span())


def _is_first_name(word: str) -> bool:
    return _plain(word) in _names().first and word.casefold() not in EVERYDAY


def _is_surname_of(word: re.Match[str], following: re.Match[str], text: str) -> bool:
    if text[word.end() : following.start()] != " ":
        return False
    if word[0].istitle():
        return following[0].istitle() and following[0].casefold() not in _ENDS_NAME
    return _plain(following[0]) in _names().last and following[0].casefold() not in EVERYDAY
