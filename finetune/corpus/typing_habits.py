"""How people type: capitals or none, missing marks, slips of the finger, text-message words."""

import random
import re
from collections.abc import Callable, Sequence

Texts = list[list[str]]

_SHORT = {
    "you": "u",
    "are": "r",
    "your": "ur",
    "please": "pls",
    "thanks": "thx",
    "tomorrow": "tmrw",
    "tonight": "2nite",
    "appointment": "appt",
    "appointments": "appts",
    "before": "b4",
    "because": "cuz",
    "about": "abt",
    "want to": "wanna",
    "going to": "gonna",
    "got to": "gotta",
    "see": "c",
    "know": "kno",
    "what": "wat",
    "minutes": "mins",
    "someone": "some1",
    "glasses": "glases",
    "prescription": "rx",
    "message": "msg",
    "text": "txt",
    "though": "tho",
    "through": "thru",
    "okay": "ok",
    "today": "2day",
}
_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo",
    "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et",
    "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip
_PROPER = re.compile(
    r"\b(mon|tues?|wednes|thurs?|fri|satur|sun)day\b"
    r"|\b(january|february|march|april|june|july|august|september|october|november|december)\b",
)


def type_out(texts: Sequence[Sequence[str]], chance: random.Random) -> Texts:
    """Return the texts, grouped as before, as one person might type the whole message."""
    typed = [list(group) for group in texts]
    if chance.random() < 0.12:
        typed = _each(typed, lambda text: _shorten(text, chance))
    if chance.random() < 0.30:
        typed = _slip(typed, chance)
    if chance.random() < 0.25:
        typed = _each(typed, lambda text: text.replace("'", ""))
    if chance.random() < 0.15:
        typed = _each(typed, lambda text: re.sub(r"[,.?!](?=\s|$)", "", text))
    return _close(_capitals(typed, chance), chance)


def _each(texts: Texts, change: Callable[[str], str]) -> Texts:
    return [[change(text) for text in group] for group in texts]


def _shorten(text: str, chance: random.Random) -> str:
    for word, short in _SHORT.items():
        if chance.random() < 0.5:
            text = re.sub(rf"\b{word}\b", short, text)
    return text


def _slip(texts: Texts, chance: random.Random) -> Texts:
    """Misspell one or two of the longer words."""
    for _ in range(chance.choice([1, 1, 1, 2])):
        group = chance.choice(texts)
        if not group:
            continue
        position = chance.randrange(len(group))
        words = list(re.finditer(r"[A-Za-z]{4,}", group[position]))
        if words:
            word = chance.choice(words)
            text = group[position]
            group[position] = text[: word.start()] + _misspelt(word[0], chance) + text[word.end() :]
    return texts


def _misspelt(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    kind = chance.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    near = chance.choice(_NEIGHBOURS.get(word[at].lower(), word[at]))
    return word[:at] + near + word[at + 1 :]


def _capitals(texts: Texts, chance: random.Random) -> Texts:
    habit = chance.random()
    if habit < 0.03:
        return _each(texts, str.upper)
    if habit < 0.40:
        return _each(texts, str.lower)
    if habit < 0.55:
        return texts
    texts = _each(texts, _proper)
    first = next((group for group in texts if group and group[0]), None)
    if first:
        first[0] = first[0][0].upper() + first[0][1:]
    return texts


def _proper(text: str) -> str:
    text = re.sub(r"\bi\b(?!\.)", "I", text)
    text = _PROPER.sub(lambda match: match[0].capitalize(), text)
    return re.sub(r"(?<=[.!?] )[a-z]", lambda match: match[0].upper(), text)


def _close(texts: Texts, chance: random.Random) -> Texts:
    """End the message with a mark, or with none."""
    ending = chance.choices(["", ".", "?", "!", "..", "??", " :)"], [50, 24, 18, 4, 1, 1, 1])[0]
    if texts[-1] and texts[-1][-1] and texts[-1][-1][-1].isalnum():
        texts[-1][-1] += ending
    return texts
