"""Messages of NLU++ (CC BY 4.0), retold as ours: several intents are one command where they mean one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chatbot import prompt
from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.data import retelling
from finetune.examples import Example

LICENCE = "CC BY 4.0"

_ALONE = {
    frozenset({"affirm"}): "yes",
    frozenset({"affirm", "thank"}): "yes",
    frozenset({"deny"}): "no",
    frozenset({"deny", "thank"}): "no",
    frozenset({"greet"}): "greet",
    frozenset({"thank"}): "thanks",
    frozenset({"acknowledge", "thank"}): "thanks",
    frozenset({"greet", "thank"}): "thanks",
    frozenset({"end_call"}): "goodbye",
    frozenset({"end_call", "thank"}): "goodbye",
    frozenset({"acknowledge", "end_call"}): "goodbye",
    frozenset({"acknowledge", "end_call", "thank"}): "goodbye",
    frozenset({"repeat"}): "repeat",
    frozenset({"dont_know"}): "unclear",
}
_POLITE = {"greet", "thank", "acknowledge", "affirm", "how", "request_info", "existing"}
_OPENING = {"make_open_apply_setup_get_activate", "new"}
_FACTS = {
    "parking", "gym", "pets", "wifi", "accesibility", "swimming_pool", "check_in", "check_out", "spa", "when",
    "how_much", "how_long", "request_info", "restaurant", "limits", "fees_interests", "how", "international",
}  # fmt: skip
_OTHER_TRADE = re.compile(
    r"\b(?:rooms?|hotel|restaurant|table|suite|guests?|check ?(?:in|out)|bank\w*|card|loans?|account|transfer"
    r"|payments?|mortgage|overdraft|direct debit|standing order|adults?|kids|people|manicure|massage|spa"
    r"|nights?|stay\w*|leav\w*|cash|location|branch manager)\b",
    re.I,
)
_TARGET = re.compile(r"\b(?:to|until|till|make it)(?: the| next| this)? ?$", re.I)
_NOTHING_ELSE = re.compile(r"\b(?:else|that'?s (?:all|it)|that is (?:all|it))\b", re.I)
_CANCELS = re.compile(r"\b(?:cancel\w*|call(?:ing)? off)\b", re.I)
_ASKS = re.compile(r"^(?:what|when|where|which|who|how|why|do|does|is|are|can|any)\b", re.I)


@dataclass(frozen=True)
class _Row:
    """A message with its intents and the words that say when."""

    text: str
    intents: frozenset[str]
    slots: dict[str, str]

    @classmethod
    def of(cls, row: dict[str, Any]) -> "_Row":
        words = {name: slot["text"] for name, slot in row.get("slots", {}).items()}
        return cls(row["text"], frozenset(row.get("intents", ())), words)

    @cached_property
    def when(self) -> str:
        """The span with every day and time; empty when there is none."""
        times = [words for name, words in self.slots.items() if name.startswith(("date", "time"))]
        return retelling.cover(prompt.normalise(self.text), times)

    @property
    def has_only_times(self) -> bool:
        return all(name.startswith(("date", "time")) for name in self.slots)

    def is_target(self, span: str) -> bool:
        """Whether the words before the span say that something is moved there."""
        said = prompt.normalise(self.text)
        return bool(_TARGET.search(said[: said.index(span)]))


def read(folder: Path) -> Iterator[Example]:
    for name in ("banking.jsonl", "hotels.jsonl"):
        for row in retelling.rows(folder / "nlupp" / name):
            if found := _retold(_Row.of(row)):
                turn, command = found
                yield Example(turn, (command,), "nlupp", licence=LICENCE)


def _retold(row: _Row) -> tuple[Turn, Command] | None:
    if "handoff" in row.intents:
        return Turn(row.text), Command("handoff")
    if not row.slots and not _OTHER_TRADE.search(row.text) and (name := _ALONE.get(row.intents)):
        return _after(name, row.text), Command(name)
    try:
        return _times(row) or _visit(row) or _question(row)
    except retelling.Scattered:
        return None


def _after(name: str, text: str) -> Turn:
    if name == "no" and _NOTHING_ELSE.search(text):
        return retelling.anything_else(text)
    if name in {"yes", "no"}:
        return retelling.confirmation(text)
    return retelling.slot_question(text) if name == "unclear" else Turn(text)


def _times(row: _Row) -> tuple[Turn, Command] | None:
    """Days and times with nothing else are an answer; with a "no" or a change, a correction."""
    if (
        not row.when
        or _OTHER_TRADE.search(row.text)
        or row.intents - {"affirm", "deny", "change", "acknowledge", "arrival", "thank"}
    ):
        return None
    if not row.intents & {"deny", "change"}:
        return retelling.slot_question(row.text), Command("set", {"slot": row.when})
    if "change" in row.intents and not row.is_target(row.when):
        return None
    turn = retelling.confirmation(row.text, retelling.TIMED)
    return turn, Command("set", {"slot": row.when})


def _visit(row: _Row) -> tuple[Turn, Command] | None:
    """Appointments, and bookings of no certain trade: made, moved, cancelled, asked for."""
    about, rest = row.intents & {"appointment", "booking"}, row.intents - {"appointment", "booking"} - _POLITE
    if not about or not row.has_only_times or _OTHER_TRADE.search(row.text) or (row.slots and not row.when):
        return None
    when = row.when
    if "booking" in about and not rest:
        return None
    if rest == {"change"} and not _CANCELS.search(row.text):
        return Turn(row.text), Command("reschedule_appointment", _moved(row, when))
    if rest == {"cancel_close_leave_freeze"}:
        return Turn(row.text), Command("cancel_appointment", {"appointment": when} if when else {})
    if "appointment" in about and rest and rest <= _OPENING:
        return Turn(row.text), Command("book_appointment", {"slot": when} if when else {})
    if "appointment" in about and rest == {"when"}:
        return Turn(row.text), Command("list_appointments")
    return None


def _moved(row: _Row, when: str) -> dict[str, str]:
    if not when:
        return {}
    return {"slot": when} if row.is_target(when) else {"appointment": when}


def _question(row: _Row) -> tuple[Turn, Command] | None:
    """What guests ask of a house, patients ask as well: where to park, what it costs, when it opens."""
    asks = row.intents & {"request_info", "when", "how_much", "how_long", "how"}
    if not asks or row.intents - _FACTS or not _ASKS.search(row.text):
        return None
    [asked] = retelling.question(row.text, is_alone=True)
    return Turn(row.text), asked
