"""Search by words: BM25 over a few hundred passages, in memory. Pure; no I/O."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

K1 = 1.2
B = 0.75
"""The usual constants of BM25 (Robertson and Zaragoza, 2009)."""

_COMMON = """
    a about after all also am an and any are as at be been before but by can could did do does doing for from
    get give go going had has have he hello her hi his how i if in into is it its just know let like long make
    many may me more most much my need no not now of off on one or our out please put say see she should so
    some such take tell than thank thanks that the their them then there these they thing this those to too
    up us use want was we were what when where which while who whom why will with would yes you your
    s t m re ve ll d im ive dont cant id
"""
_STOP_WORDS = frozenset(_COMMON.split())
_ALIKE = {
    "specs": "glasses",
    "spectacles": "glasses",
    "eyeglasses": "glasses",
    "glass": "glasses",
    "contact": "lens",
    "kid": "child",
    "children": "child",
    "son": "child",
    "daughter": "child",
    "toddler": "child",
    "cost": "price",
    "fee": "price",
    "charge": "price",
    "bill": "pay",
    "payment": "pay",
    "money": "pay",
    "weekend": "saturday",
    "dilate": "dilation",
    "pupil": "dilation",
    "rx": "prescription",
    "script": "prescription",
    "checkup": "exam",
    "test": "exam",
    "opening": "open",
    "hour": "open",
    "close": "open",
    "park": "parking",
    "urgent": "emergency",
    "return": "refund",
    "broke": "break",
    "broken": "break",
    "breakage": "break",
    "diabetic": "diabetes",
    "cancell": "cancel",
    "cancellation": "cancel",
    "privacy": "private",
    "private": "private",
    "reschedule": "move",
    "change": "move",
}
"""Words of the practice that mean the same to a patient."""


def words(text: str) -> list[str]:
    """Return the words that carry meaning, reduced to a rough stem."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    found = re.findall(r"[a-z0-9]+", plain.replace("'", ""))
    return [stem(word) for word in found if word not in _STOP_WORDS]


def stem(word: str) -> str:
    """Return a rough stem: plural, -ing and -ed fall off, and words that mean the same meet."""
    if word in _ALIKE:
        return _ALIKE[word]
    for ending, least in (("ing", 6), ("ed", 5), ("es", 5), ("s", 4), ("e", 5), ("y", 5)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            bare = word.removesuffix(ending)
            return _ALIKE.get(bare, _ALIKE.get(bare + "e", bare))
    return word


@dataclass
class WordIndex(Generic[Key]):
    """Counts of words in texts, searched by BM25."""

    counts: dict[Key, Counter[str]] = field(default_factory=dict)
    appearances: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, texts: Mapping[Key, str]) -> "WordIndex[Key]":
        index = cls()
        for key, text in texts.items():
            index.counts[key] = Counter(words(text))
            index.appearances.update(index.counts[key].keys())
        return index

    def search(self, question: str, limit: int) -> list[tuple[Key, float]]:
        """Return the texts that share words with the question, best first, with their BM25 score."""
        asked = set(words(question))
        average = sum(count.total() for count in self.counts.values()) / max(len(self.counts), 1)
        scored = [(key, self._score(asked, count, average)) for key, count in self.counts.items()]
        found = [(key, score) for key, score in scored if score > 0]
        return sorted(found, key=lambda entry: -entry[1])[:limit]

    def overlap(self, question: str, key: Key) -> float:
        """Return which share of the question's meaning, by rarity of its words, a text holds: 0 to 1."""
        asked = set(words(question))
        total = sum(self.rarity(word) for word in asked)
        if not total:
            return 0.0
        return sum(self.rarity(word) for word in asked if word in self.counts[key]) / total

    def rarity(self, word: str) -> float:
        """Return the inverse document frequency of a word."""
        seen = self.appearances[word]
        return math.log(1 + (len(self.counts) - seen + 0.5) / (seen + 0.5))

    def _score(self, asked: set[str], count: Counter[str], average: float) -> float:
        length = K1 * (1 - B + B * count.total() / average) if average else K1
        return sum(
            self.rarity(word) * count[word] * (K1 + 1) / (count[word] + length)
            for word in asked
            if count[word]
        )
