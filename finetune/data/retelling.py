"""How a turn of somebody else's dialogue is told as one of ours: spans, questions, and our own tasks."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from chatbot import prompt
from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.examples import trim

SPAN_GAP = 20
"""Characters that may stand between a day and a time that are read as one slot."""

TIMED = ("book_appointment", "reschedule_appointment", "book_appointment", "join_waitlist")
"""Our tasks that ask for a day and a time; booking is twice as common as the others."""

CONFIRMED = ("book_appointment", "reschedule_appointment", "cancel_appointment", "pay_balance")
"""Our tasks that ask for a yes before they act."""


class Scattered(ValueError):
    """Values of one argument that no single span holds: the label would tell half of the message."""


def rows(path: Path) -> Iterator[Any]:
    if not path.exists():
        print(f"{path.name} is not there; going on without it.")
        return
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def draw(choices: Sequence[str], message: str) -> str:
    """Return one of the choices: always the same one for the same message."""
    return choices[zlib.crc32(message.encode()) % len(choices)]


def slot_question(message: str) -> Turn:
    """Return the message as an answer to "when?" within a task of ours."""
    return Turn(message, draw(TIMED, message), "slot")


def confirmation(message: str, tasks: Sequence[str] = CONFIRMED) -> Turn:
    """Return the message as an answer to "shall I?" within a task of ours."""
    return Turn(message, draw(tasks, message), "confirmation")


def anything_else(message: str) -> Turn:
    """Return the message as what is said when a task of ours is over and more is offered."""
    return Turn(message, "", "anything_else", draw(CONFIRMED, message))


def spans(message: str, found: dict[str, list[str]]) -> dict[str, str]:
    """Return for each argument the one span of the message that holds its values."""
    said = prompt.normalise(message)
    covered = {name: cover(said, values) for name, values in found.items()}
    return {name: span for name, span in covered.items() if span}


def cover(said: str, values: Iterable[str]) -> str:
    """Return the one span that holds all values the message has; raises Scattered when they lie apart."""
    places = sorted(
        (match.start(), match.end())
        for value in values
        if (match := re.search(re.escape(prompt.normalise(value)), said, re.I))
    )
    if not places:
        return ""
    if any(later[0] - earlier[1] > SPAN_GAP for earlier, later in pairwise(places)):
        raise Scattered
    return trim(said[places[0][0] : max(end for _, end in places)])


def question(message: str, *, is_alone: bool) -> list[Command]:
    """Return the sentence that asks; with several, the span from the first to the last.

    Without a question mark, the whole message asks when it does nothing else.
    """
    said = prompt.normalise(message)
    asking = [sentence for sentence in re.findall(r"[^.!?]+[.!?]*", said) if sentence.strip().endswith("?")]
    if not asking:
        return [Command("ask_practice", {"question": trim(said)})] if is_alone else []
    span = said[said.index(asking[0]) : said.index(asking[-1]) + len(asking[-1])]
    return [Command("ask_practice", {"question": trim(span)})]
