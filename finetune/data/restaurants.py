"""Messages of Restaurant-8k (CC BY 4.0), retold as ours: days and times, short replies, questions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.data import courtesies, retelling
from finetune.data.schema_guided import argument_name
from finetune.examples import Example

LICENCE = "CC BY 4.0"

_QUESTION = re.compile(
    r"^(?:and |hi,? |hello,? |ok,? |so,? )?(?:what|whats|what's|when|where|which|who|how|why|until what"
    r"|do you|does it|do they|does the|is there|are there|are you|is it|have you)\b",
    re.I,
)
_ENDS = re.compile(r"\bcancel\b(?! (?:my|the) (?:membership|order))", re.I)
_CHANGES = re.compile(r"\b(?:change|amend|move|modify|alter)\b.*\b(?:booking|reservation|table|it)\b", re.I)
_NOTHING_ELSE = re.compile(r"\b(?:else|all|it|done)\b", re.I)
_WISH = re.compile(
    r"\b(?:book\w*|reserv\w*|tables?|seat\w*|sit|inside|outside|indoors?|outdoors?|patio|avail\w*|looking for"
    r"|find|how are you|restaurants?|serve|cuisine|neighbou?rhood|rating|price range|other|else"
    r"|alternatives?)\b",
    re.I,
)
"""Words of a message that asks for a table or for another restaurant: no question to a practice."""


def read(folder: Path) -> Iterator[Example]:
    for row in retelling.rows(folder / "restaurant8k" / "train.jsonl.gz"):
        if found := _retold(row):
            turn, command = found
            yield Example(turn, (command,), "restaurant8k", licence=LICENCE)


def _retold(row: dict[str, Any]) -> tuple[Turn, Command] | None:
    try:
        return _with_values(row) if row["labels"] else _without(row["userInput"]["text"])
    except retelling.Scattered:
        return None


def _with_values(row: dict[str, Any]) -> tuple[Turn, Command] | None:
    """A day and a time alone are an answer to ours; with guests and names it stays a table."""
    text = row["userInput"]["text"]
    found: dict[str, list[str]] = {}
    for label in row["labels"]:
        found.setdefault(argument_name(label["slot"]), []).append(label["value"])
    arguments = retelling.spans(text, found)
    if len(arguments) < len(found):
        return None
    if arguments.keys() == {"slot"} and not _WISH.search(text):
        return retelling.slot_question(text), Command("set", arguments)
    if asked := [argument_name(slot) for slot in row["context"]["requested_slots"]]:
        return Turn(text, "reserve_restaurant", asked[0]), Command("set", arguments)
    if _ENDS.search(text) or _CHANGES.search(text):
        return _of_a_booking(text, arguments)
    return Turn(text), Command("reserve_restaurant", arguments)


def _of_a_booking(text: str, arguments: dict[str, str]) -> tuple[Turn, Command] | None:
    """A table that is given up is a visit that is: by its day and time, or by no more than "my booking"."""
    if arguments.keys() - {"slot"} or not _ENDS.search(text):
        return None
    which = {"appointment": arguments["slot"]} if arguments else {}
    return Turn(text), Command("cancel_appointment", which)


def _without(text: str) -> tuple[Turn, Command] | None:
    if name := courtesies.meaning(text):
        return _after(name, text), Command(name)
    if _ENDS.search(text):
        return _of_a_booking(text, {})
    if _QUESTION.search(text) and not _WISH.search(text):
        [asked] = retelling.question(text, is_alone=True)
        return Turn(text), asked
    return None


def _after(name: str, text: str) -> Turn:
    """Return the reply in a state in which it is given."""
    if name == "no" and _NOTHING_ELSE.search(text):
        return retelling.anything_else(text)
    if name in {"yes", "no"}:
        return retelling.confirmation(text)
    if name == "more":
        return retelling.slot_question(text)
    return Turn(text)
