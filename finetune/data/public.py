"""Public task dialogues, retold as turns and commands of our shape.

Reads the Schema-Guided Dialogue training turns (CC BY-SA 4.0), Restaurant-8k (CC BY 4.0) and NLU++
(CC BY 4.0) from a folder given on the command line. Nothing of them is ever written into the
repository; what the model learns from them is how people answer, correct and change the subject.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from chatbot import prompt
from chatbot.commands import Command
from chatbot.prompt import COMMAND_LIMIT, Turn
from finetune.examples import Example, fitting, trim

SPAN_GAP = 20
"""Characters that may stand between a day and a time that are read as one slot."""

_ARGUMENTS = {
    "dentist_name": "provider",
    "doctor_name": "provider",
    "stylist_name": "provider",
    "type": "visit_type",
    "event_type": "visit_type",
    "subcategory": "visit_type",
    "city": "location",
    "location": "location",
    "area": "location",
    "where_to": "location",
    "to_location": "location",
    "first_name": "name",
    "last_name": "name",
}
_TASKS = {"BookAppointment": "book_appointment"}
_SIMPLE_ACTS = {
    "AFFIRM": "yes",
    "SELECT": "yes",
    "AFFIRM_INTENT": "yes",
    "NEGATE": "no",
    "NEGATE_INTENT": "no",
    "REQUEST_ALTS": "more",
}
_CONFIRMING = re.compile(
    r"\b(confirm|correct|is (that|this) (right|ok|okay|alright)|shall i|should i)\b", re.I
)
_NLUPP = {
    "affirm": "yes",
    "deny": "no",
    "greet": "greet",
    "thank": "thanks",
    "end_call": "goodbye",
    "repeat": "repeat",
    "handoff": "handoff",
}


def read(folder: Path | None) -> list[Example]:
    """Return every usable turn under `folder`; say plainly when there is none to read."""
    if folder is None or not folder.is_dir():
        print(f"No public dialogues at {folder or '(no --data given)'}: using our own corpus only.")
        return []
    examples = [*_schema_guided(folder), *_restaurants(folder), *_nlupp(folder)]
    print(f"{len(examples)} public turns from {folder}")
    return list(fitting(examples))


def _rows(path: Path) -> Iterator[Any]:
    if not path.exists():
        print(f"{path.name} is not there; going on without it.")
        return
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


@dataclass(frozen=True)
class _Dialogue:
    """How far a dialogue has come: the open task, or the one just finished."""

    identity: str = ""
    task: str = ""
    last: str = ""


def _schema_guided(folder: Path) -> Iterator[Example]:
    dialogue = _Dialogue()
    for row in _rows(folder / "sgd_train" / "user_turns.jsonl.gz"):
        if row["dialogue"] != dialogue.identity:
            dialogue = _Dialogue(row["dialogue"])
        asked = _asked(row)
        if asked == "anything_else":
            dialogue = _Dialogue(dialogue.identity, last=dialogue.task or dialogue.last)
        turn = Turn(row["user"], dialogue.task, asked, "" if dialogue.task else dialogue.last)
        commands = _schema_guided_commands(row, asked)
        if 1 <= len(commands) <= COMMAND_LIMIT and len(row["turn_services"]) == 1:
            yield Example(turn, tuple(commands), "sgd")
        opened = [command.name for command in commands if command.name == _intent(row)]
        if opened:
            dialogue = replace(dialogue, task=opened[-1], last="")


def _intent(row: dict[str, Any]) -> str:
    intents = [second for act, second, _ in row["acts"] if act == "INFORM_INTENT"]
    return _task_name(intents[-1]) if intents else ""


def _task_name(intent: str) -> str:
    return _TASKS.get(intent) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", intent).lower()


def _argument_name(slot: str) -> str:
    if "date" in slot or slot.endswith("time") or slot in {"check_in", "check_out", "pickup_time"}:
        return "slot"
    return _ARGUMENTS.get(slot, slot)


def _asked(row: dict[str, Any]) -> str:
    """Guess what had been asked: the outlines of the system's turns are not in the data."""
    before = row["previous_system"]
    if re.search(r"(any|some)thing else|else i can|other way", before, re.I):
        return "anything_else"
    if _CONFIRMING.search(before):
        return "confirmation"
    if "?" not in before:
        return ""
    informed = [slot for act, slot, _ in row["acts"] if act == "INFORM" and slot]
    return _argument_name(informed[0]) if informed else "confirmation"


def _schema_guided_commands(row: dict[str, Any], asked: str) -> list[Command]:
    acts = [act for act, _, _ in row["acts"]]
    arguments = _arguments(row)
    commands = []
    if intent := _intent(row):
        commands.append(Command(intent, arguments))
    elif arguments:
        commands.append(Command("set", arguments))
    elif "INFORM" in acts:
        return []
    if not arguments:
        said = dict.fromkeys(_SIMPLE_ACTS[act] for act in acts if act in _SIMPLE_ACTS)
        commands = [Command(name) for name in said if not (name == "yes" and commands)] + commands
    if "REQUEST" in acts:
        commands += _question(row)
    return commands or _courtesies(acts)


def _courtesies(acts: list[str]) -> list[Command]:
    if "GOODBYE" in acts:
        return [Command("goodbye")]
    return [Command("thanks")] if "THANK_YOU" in acts else []


def _question(row: dict[str, Any]) -> list[Command]:
    """The sentence that asks; with several, the span from the first to the last."""
    said = prompt.normalise(row["user"])
    asking = [sentence for sentence in re.findall(r"[^.!?]+[.!?]*", said) if sentence.strip().endswith("?")]
    if not asking:
        return [Command("ask_practice", {"question": trim(said)})] if len(row["acts"]) == 1 else []
    span = said[said.index(asking[0]) : said.index(asking[-1]) + len(asking[-1])]
    return [Command("ask_practice", {"question": trim(span)})]


def _arguments(row: dict[str, Any]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for act, slot, values in row["acts"]:
        if act == "INFORM" and slot and values:
            found.setdefault(_argument_name(slot), []).append(values[0])
    return _spans(row["user"], found)


def _spans(message: str, found: dict[str, list[str]]) -> dict[str, str]:
    said = prompt.normalise(message)
    spans = {name: _cover(said, values) for name, values in found.items()}
    return {name: span for name, span in spans.items() if span}


def _cover(said: str, values: Iterable[str]) -> str:
    """Return one span that holds all the values, or nothing when they lie too far apart."""
    places = sorted(
        (match.start(), match.end())
        for value in values
        if (match := re.search(re.escape(prompt.normalise(value)), said, re.I))
    )
    gaps = pairwise(places)
    if not places or any(later[0] - earlier[1] > SPAN_GAP for earlier, later in gaps):
        return ""
    return trim(said[places[0][0] : max(end for _, end in places)])


def _restaurants(folder: Path) -> Iterator[Example]:
    for row in _rows(folder / "restaurant8k" / "train.jsonl.gz"):
        found: dict[str, list[str]] = {}
        for label in row["labels"]:
            found.setdefault(_argument_name(label["slot"]), []).append(label["value"])
        arguments = _spans(row["userInput"]["text"], found)
        if not arguments:
            continue
        asked = [_argument_name(slot) for slot in row["context"]["requested_slots"]]
        name = "set" if asked else "reserve_restaurant"
        turn = Turn(
            row["userInput"]["text"], "reserve_restaurant" if asked else "", asked[0] if asked else ""
        )
        yield Example(turn, (Command(name, arguments),), "restaurant8k")


def _nlupp(folder: Path) -> Iterator[Example]:
    for name in ("banking.jsonl", "hotels.jsonl"):
        for row in _rows(folder / "nlupp" / name):
            intents = row.get("intents", [])
            if len(intents) == 1 and intents[0] in _NLUPP and not row.get("slots"):
                yield Example(Turn(row["text"]), (Command(_NLUPP[intents[0]]),), "nlupp")
            elif slot := _nlupp_slot(row):
                yield Example(Turn(row["text"], "book", "slot"), (Command("set", {"slot": slot}),), "nlupp")


def _nlupp_slot(row: dict[str, Any]) -> str:
    if set(row.get("intents", [])) - {"affirm", "deny", "change", "acknowledge"}:
        return ""
    times = [slot["text"] for name, slot in row.get("slots", {}).items() if name.startswith(("date", "time"))]
    return _cover(prompt.normalise(row["text"]), times)
