"""The alphabet of text messages: 160 characters of GSM 03.38 travel as one part, 70 of any other."""

import math
import unicodedata

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ!\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")
"""These take the room of two."""
_PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " "}
)


def fold(text: str) -> str:
    """Return the text in the GSM alphabet as far as letters and marks have a plain form: José, a – b."""
    return "".join(_folded(character) for character in text.translate(_PLAIN))


def parts(text: str) -> int:
    """Return how many parts a text is sent, and paid for, in."""
    if any(character not in _BASIC | _EXTENDED for character in text):
        units, alone, joined = len(text.encode("utf-16-le")) // 2, 70, 67
    else:
        units, alone, joined = sum(2 if character in _EXTENDED else 1 for character in text), 160, 153
    return 1 if units <= alone else math.ceil(units / joined)


def _folded(character: str) -> str:
    if character in _BASIC or character in _EXTENDED:
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    return base if base in _BASIC else character
