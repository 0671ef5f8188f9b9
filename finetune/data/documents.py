"""A practice's documents as questions with answers, for a model that writes.

By rule, and no more than rules can do: "Q:" and "A:", a heading or a bold line that asks, and what stands
under it, are taken as they are. A heading that does not ask ("Parking") gets a question made for it, which
is marked so: nobody asked it in those words. Nothing is put in other words, and no answer is invented.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.data import DataRefused, files

ANSWER_LIMIT = 1200
"""Characters of an answer; a longer one ends with its last whole sentence."""
SHORTEST_ANSWER = 20

_HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *#*$")
_BOLD_QUESTION = re.compile(r"^(?:\*\*|__)(?P<title>.+\?)(?:\*\*|__)$")
_ASKED = re.compile(
    r"^(?:\*\*|__)?(?:q|question)(?:\*\*|__)?[.:)] *(?:\*\*|__)?(?P<title>.+?)(?:\*\*|__)?$", re.I
)
_ANSWERED = re.compile(r"^(?:\*\*|__)?(?:a|answer)(?:\*\*|__)?[.:)] *(?:\*\*|__)?(?P<words>.*)$", re.I)
_LINE_QUESTION = re.compile(r"^[^.!?]{8,120}\?$")
_MARKUP = re.compile(r"\*\*|__|`|^[-*+] +|^\d+[.)] +|^> *", re.M)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_FORMS = (
    (re.compile(r"\b(?:hours|times)\b", re.I), "What are your {title}?"),
    (re.compile(r"\b(?:fees?|prices?|costs?|charges)\b", re.I), "What are the {title}?"),
    (re.compile(r"^how to\b", re.I), "{title}?"),
    (re.compile(r"^(?:before|after|during)\b", re.I), "What do I need to know {title}?"),
    (re.compile(r""), "What can you tell me about {title}?"),
)


@dataclass(frozen=True)
class Pair:
    """A question and its answer; `is_made` when the question's words are ours."""

    question: str
    answer: str
    is_made: bool
    source: str


@dataclass(frozen=True)
class _Passage:
    """A line that begins something, and the lines under it."""

    title: str
    asks: bool
    lines: tuple[str, ...] = ()


def read(path: Path) -> list[Pair]:
    """Return the pairs of a Markdown or text file; raises DataRefused when there are none."""
    pairs = list(from_text(files.read_text(path), source=path.name))
    if not pairs:
        raise DataRefused(
            f"{path.name} has neither headings nor questions.",
            hint="Give it headings, or write the questions and answers that patients should get.",
        )
    return pairs


def from_text(text: str, *, source: str = "") -> Iterator[Pair]:
    """Yield each question once, with the first answer that it gets."""
    known: set[str] = set()
    for passage in _passages(text):
        question = passage.title if passage.asks else _question_about(passage.title)
        answer = _answer(passage.lines)
        if len(answer) >= SHORTEST_ANSWER and question.casefold() not in known:
            known.add(question.casefold())
            yield Pair(question, answer, not passage.asks, source)


def _passages(text: str) -> Iterator[_Passage]:
    """Cut the text at its headings and questions; what stands before the first one asks nothing."""
    passage: _Passage | None = None
    for line in map(str.strip, text.splitlines()):
        if begun := _begins(line):
            if passage:
                yield passage
            passage = begun
        elif passage:
            passage = replace(passage, lines=(*passage.lines, line))
    if passage:
        yield passage


def _begins(line: str) -> _Passage | None:
    if match := _ASKED.match(line) or _BOLD_QUESTION.match(line):
        return _Passage(_plain(match["title"]), asks=True)
    if match := _HEADING.match(line):
        title = _plain(match["title"])
        return _Passage(title, asks=title.endswith("?"))
    return _Passage(_plain(line), asks=True) if _LINE_QUESTION.match(line) else None


def _question_about(title: str) -> str:
    """Return a question for a heading that asks none."""
    form = next(form for pattern, form in _FORMS if pattern.search(title))
    words = title if form.startswith("{title}") or title[:2].isupper() else title[0].lower() + title[1:]
    return form.format(title=words.rstrip(".:"))


def _answer(lines: tuple[str, ...]) -> str:
    """Return the lines as one text without markup; tables are left out, their cells tell nothing alone."""
    kept = [match["words"] if (match := _ANSWERED.match(line)) else line for line in lines]
    text = " ".join(_plain(line) for line in kept if line and not line.startswith(("|", "---", "***", "```")))
    if len(text) <= ANSWER_LIMIT:
        return text
    whole = re.match(rf"(?s).{{1,{ANSWER_LIMIT - 1}}}[.!?](?=\s)", text)
    return whole[0] if whole else ""


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub("", _LINK.sub(r"\1", text)).split())
