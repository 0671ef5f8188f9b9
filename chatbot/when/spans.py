"""Finds the words of a message that speak of days and times, as a span of the message itself."""

import re

from chatbot.when.words import MONTHS, WEEKDAYS, listed, plain

_CORE = re.compile(
    rf"(?:{'|'.join(WEEKDAYS)}|{'|'.join(month for month in MONTHS if month != 'may')})s?|"
    r"today|tomorrow|tonight|mornings?|afternoons?|evenings?|nights?|weeks?|weekends?|weekdays?|months?|"
    r"days?|noon|midday|"
    r"lunch(?:time)?|lunchtimes?|asap|soonest|earliest|anytime|whenever|oclock|later|earlier|sooner|"
    r"thanksgiving|christmas|"
    r"\d{1,2}(?:st|nd|rd|th)|\d{1,2}[:.]\d{2}(?:am|pm)?|\d{1,4}(?:am|pm)|\d{1,2}/\d{1,2}(?:/\d{2,4})?|"
    r"\d{4}-\d\d-\d\d|am|pm|"
    r"\d{1,2}ish|\d{1,2}(?:[:.]\d\d)?-\d{1,2}(?:[:.]\d\d)?(?:am|pm)?|noonish|tardes?|noche|semana|"
    r"mediodia|mes|cuanto"
)
"""A word that alone speaks of a time."""

_NTH = re.compile(r"\d{1,2}(?:st|nd|rd|th)")
_NEEDS = re.compile(r"\d{1,4}|\d{1,2}-\d{1,2}")
"""A word that speaks of a time beside another such word, or after "at", "after" and the like."""

_BEFORE = frozenset(listed("at after before around about by between from until past next las"))
_GLUE = frozenset(
    listed("""
        a an the at on in of or and to for by from after before around about between until next this
        coming any every some sometime early late mid middle end beginning start first 1st last half
        quarter past thing not except but as soon possible second 2nd 3rd 4th few couple within through
        available following same time week's other than , - ish so sharp no preferably maybe either y o
        la el las los de por en que 1 2 3 4 5 6 7 8 9 10 11 12 hour hours minutes now rest only later
        earlier anything pasado proxima proximo viene media cuarto antes despues entre al dia
    """)
)
_NOT_AT_THE_END = frozenset(
    listed("""
        a an the at on in of or and to for by from after before around about between until not except
        but any some every as no , - either preferably maybe que y o de la el en por than other
    """)
)
_OPENERS = frozenset(
    listed("""
        at after before around about by between from until next this coming any every sometime early
        late mid middle end beginning start first 1st last half quarter not except as anything the on
        within later earlier following same only a an 1 2 3 4 5 6 7 8 9 10 11 12 either preferably maybe
        few couple rest por la el las al pasado proxima proximo antes despues entre no 2nd 3rd 4th
    """)
)

_LIMITS = frozenset({"earlier", "later", "sooner", "before", "after"})
"""What follows "no" when it belongs to the time: "no later than 3", but not "no, wednesday"."""

_AFTER_IN = frozenset(listed("a about the early late mid march may")) | frozenset(MONTHS)
"""What follows "in" when it belongs to the time: "in the morning", but not "come in tuesday"."""


def find(message: str) -> str | None:
    """Return the longest run of words about days and times, exactly as it stands in the message."""
    return max(find_all(message), key=lambda run: len(run.split()), default=None)


def find_all(message: str) -> list[str]:
    """Return every run of words about days and times, in the order of the message."""
    return [span for sentence in re.split(r"(?<=[.?!;])\s", message) for span in _found_in(sentence)]


def _found_in(sentence: str) -> list[str]:
    words = [(match.start(), match.end(), _word(match.group())) for match in re.finditer(r"\S+", sentence)]
    spelled = [word for _, _, word in words]
    spans = (sentence[words[first][0] : words[last][1]] for first, last in _runs(_kinds(spelled), spelled))
    return [span.strip(" ,.;:!?-") for span in spans]


def _word(written: str) -> str:
    """Return a word in the one spelling; "first" is no date by itself, but "1st" is."""
    return written.casefold() if written[:1].isalpha() and _NTH.fullmatch(plain(written)) else plain(written)


def _kinds(words: list[str]) -> list[str]:
    kinds: list[str] = []
    for place, word in enumerate(words):
        pieces = [piece for piece in word.split() if piece != ","]
        before = words[place - 1].split()[-1:] if place else []
        kinds.append(_kind(pieces, _in_company(before, kinds)))
    return kinds


def _kind(pieces: list[str], in_company: bool) -> str:
    """Say whether a word speaks of a time, only joins words that do, or neither."""
    if any(_CORE.fullmatch(piece) for piece in pieces):
        return "core"
    if not all(piece in _GLUE or _NEEDS.fullmatch(piece) for piece in pieces) or not pieces:
        return ""
    return "core" if in_company and all(_NEEDS.fullmatch(piece) for piece in pieces) else "glue"


def _in_company(before: list[str], kinds: list[str]) -> bool:
    return bool(before) and (before[0] in _BEFORE or kinds[-1] == "core")


def _runs(kinds: list[str], words: list[str]) -> list[tuple[int, int]]:
    """Return runs of core and glue words, cut back to where they begin and end sensibly."""
    runs: list[tuple[int, int]] = []
    start = None
    for place, kind in enumerate([*kinds, ""]):
        if kind and start is None:
            start = place
        if not kind and start is not None:
            runs += _trimmed(start, place - 1, kinds, words)
            start = None
    return runs


def _trimmed(first: int, last: int, kinds: list[str], words: list[str]) -> list[tuple[int, int]]:
    cores = [place for place in range(first, last + 1) if kinds[place] == "core"]
    if not cores:
        return []
    while first < cores[0] and not _opens(words[first].split()[0], words[first + 1].split()[0]):
        first += 1
    while last > cores[-1] and words[last].split()[-1] in _NOT_AT_THE_END:
        if words[last].split()[0] == "after" and words[last - 1] in ("day", "week"):
            break
        last -= 1
    return [(first, last)]


def _opens(word: str, following: str) -> bool:
    if word == "no":
        return following in _LIMITS
    if word in ("in", "about"):
        return following in _AFTER_IN or following[0].isdigit()
    if word == "coming":
        return following not in ("in", "on", "at", "to")
    return word in _OPENERS
