"""Turns of the Schema-Guided Dialogue training split (CC BY-SA 4.0), retold as ours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chatbot.commands import Command
from chatbot.prompt import COMMAND_LIMIT, Turn
from finetune.data import retelling
from finetune.examples import Example

LICENCE = "CC BY-SA 4.0"

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


@dataclass(frozen=True)
class _Dialogue:
    """How far a dialogue has come: the open task, or the one just finished."""

    identity: str = ""
    task: str = ""
    last: str = ""


def read(folder: Path) -> Iterator[Example]:
    dialogue = _Dialogue()
    for row in retelling.rows(folder / "sgd_train" / "user_turns.jsonl.gz"):
        if row["dialogue"] != dialogue.identity:
            dialogue = _Dialogue(row["dialogue"])
        asked = _asked(row)
        if asked == "anything_else":
            dialogue = _Dialogue(dialogue.identity, last=dialogue.task or dialogue.last)
        turn = Turn(row["user"], dialogue.task, asked, "" if dialogue.task else dialogue.last)
        commands = tuple(_commands(row))
        if 1 <= len(commands) <= COMMAND_LIMIT and len(row["turn_services"]) == 1:
            yield Example(
                _as_ours(turn, commands), commands, "sgd", conversation=row["dialogue"], licence=LICENCE
            )
        if opened := _intent(row):
            dialogue = replace(dialogue, task=opened, last="")


def _as_ours(turn: Turn, commands: tuple[Command, ...]) -> Turn:
    """Put every second turn that says nothing of its trade into a task of ours.

    Correcting a time, agreeing, and asking for other choices go alike everywhere; the other half keeps
    the task it was said in, so that the model learns to go by the message.
    """
    if not turn.task or retelling.draw(("ours", "theirs"), turn.message[::-1]) == "theirs":
        return turn
    names, arguments = {command.name for command in commands}, commands[0].arguments.keys()
    if names == {"set"} and arguments == {"slot"}:
        asked = "confirmation" if turn.asked == "confirmation" else "slot"
        return replace(turn, task=retelling.draw(retelling.TIMED, turn.message), asked=asked)
    if names <= {"yes", "no"} and turn.asked == "confirmation":
        return replace(turn, task=retelling.draw(retelling.CONFIRMED, turn.message))
    if names == {"more"}:
        return replace(turn, task=retelling.draw(retelling.TIMED, turn.message), asked="slot")
    return turn


def _intent(row: dict[str, Any]) -> str:
    intents = [second for act, second, _ in row["acts"] if act == "INFORM_INTENT"]
    return _task_name(intents[-1]) if intents else ""


def _task_name(intent: str) -> str:
    return _TASKS.get(intent) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", intent).lower()


def argument_name(slot: str) -> str:
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
    return argument_name(informed[0]) if informed else "confirmation"


def _commands(row: dict[str, Any]) -> list[Command]:
    acts = [act for act, _, _ in row["acts"]]
    try:
        arguments = _arguments(row)
    except retelling.Scattered:
        return []
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
        commands += retelling.question(row["user"], is_alone=len(acts) == 1)
    return commands or _courtesies(acts)


def _courtesies(acts: list[str]) -> list[Command]:
    if "GOODBYE" in acts:
        return [Command("goodbye")]
    return [Command("thanks")] if "THANK_YOU" in acts else []


def _arguments(row: dict[str, Any]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for act, slot, values in row["acts"]:
        if act == "INFORM" and slot and values:
            found.setdefault(argument_name(slot), []).append(values[0])
    return retelling.spans(row["user"], found)
