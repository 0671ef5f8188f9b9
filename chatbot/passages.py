"""Cuts a document into passages, and a passage into the sentences that answer. Pure; no I/O."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PASSAGE_WORDS = 100
"""A passage is closed before it grows past this; a paragraph alone may be as long again by a fifth."""

QUOTE_WORDS = 55
"""Words of a quotation: what fits in a text message with its source."""

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bSt\.)\s+(?=[A-Z0-9\"“(¿¡])")
_LIST_ENTRY = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


@dataclass(frozen=True)
class Piece:
    """A stretch of a document under one heading."""

    heading: str
    text: str


def clean(text: str) -> str:
    """Return the text without characters that no reader sees but a model might obey.

    Control and format characters, variation selectors and tag characters go; line breaks and tabs
    stay (OWASP LLM01:2026, mitigation 6).
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(character for character in text if _is_seen(character))


def _is_seen(character: str) -> bool:
    if character in "\n\t":
        return True
    if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn", "Cs"}:
        return False
    return not ("\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef")


def split(body: str) -> list[Piece]:
    """Return the passages of a document: never across headings, about a hundred words each."""
    pieces: list[Piece] = []
    for heading, paragraphs in _sections(clean(body)):
        gathered: list[str] = []
        for block in paragraphs:
            if gathered and _words([*gathered, block]) > PASSAGE_WORDS:
                pieces.append(Piece(heading, "\n\n".join(gathered)))
                gathered = []
            gathered.append(block)
        if gathered:
            pieces.append(Piece(heading, "\n\n".join(gathered)))
    return pieces


def _sections(body: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each heading with its paragraphs, long ones cut at sentences."""
    heading, lines = "", list[str]()
    for line in [*body.split("\n"), "# "]:
        match = _HEADING.match(line.strip())
        if match is None and line != "# ":
            lines.append(line)
            continue
        if blocks := list(_paragraphs("\n".join(lines))):
            yield heading, blocks
        heading, lines = (match.group(1)[:160] if match else ""), []


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        if stripped := paragraph.strip():
            yield from _short_enough(stripped)


def _short_enough(paragraph: str) -> Iterator[str]:
    if _words([paragraph]) <= PASSAGE_WORDS * 1.2:
        yield paragraph
        return
    gathered: list[str] = []
    for sentence in sentences(paragraph):
        if gathered and _words([*gathered, sentence]) > PASSAGE_WORDS:
            yield " ".join(gathered)
            gathered = []
        gathered.append(sentence)
    yield " ".join(gathered)


def sentences(text: str) -> list[str]:
    """Return the sentences of a passage; each entry of a list counts as one."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        for line in _lines(paragraph):
            found += [part.strip() for part in _SENTENCE_END.split(line) if part.strip()]
    return found


def _lines(paragraph: str) -> list[str]:
    """Return the lines that stand alone: list entries do, wrapped prose does not."""
    lines = paragraph.split("\n")
    if any(_LIST_ENTRY.match(line) for line in lines):
        return [line.strip() for line in lines]
    return [" ".join(line.strip() for line in lines)]


def quote(parts: Sequence[str], *, best: int) -> str:
    """Return the run of sentences around the best one, as long as a quotation may be.

    What follows belongs to it more often than what goes before, so it grows forward first.
    """
    first, last = best, best
    while last + 1 < len(parts) and _words(parts[first : last + 2]) <= QUOTE_WORDS:
        last += 1
    while first > 0 and _words(parts[first - 1 : last + 1]) <= QUOTE_WORDS:
        first -= 1
    return " ".join(parts[first : last + 1])


def _words(parts: Sequence[str]) -> int:
    return sum(len(part.split()) for part in parts)
