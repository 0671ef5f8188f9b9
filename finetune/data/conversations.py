"""Labelled conversations as examples: each of the patient's lines, in the state it was said in.

JSON Lines, an object for each line of a conversation, in order (broken here to be read):

    {"conversation": "c1", "who": "patient", "text": "i need an exam",
     "commands": [{"name": "book_appointment", "arguments": {"visit_type": "exam"}}]}
    {"conversation": "c1", "who": "assistant", "text": "When would you like to come?", "asked": "slot"}
    {"conversation": "c1", "who": "patient", "text": "friday",
     "commands": [{"name": "set", "arguments": {"slot": "friday"}}]}
    {"conversation": "c1", "who": "assistant", "text": "Booked.", "done": true}

The state is followed from line to line: a command that is a task opens it, "done" closes it, a "stop" gives
it up. A line of the patient that names `task`, `asked` or `last` itself is taken at its word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chatbot.commands import ToolOutline
from chatbot.prompt import Turn
from finetune.data import DataRefused, files, labelled
from finetune.examples import Example
from finetune.tasks import TOOLS

_FORM = 'Each line needs "conversation", "who" (patient or assistant) and "text".'


@dataclass(frozen=True)
class _State:
    """Where a conversation stands when the patient speaks."""

    task: str = ""
    asked: str = ""
    last: str = ""
    reply: str = ""

    def after(self, example: Example, tasks: frozenset[str]) -> "_State":
        """Return the state once the patient has spoken."""
        names = [command.name for command in example.commands]
        opened = [name for name in names if name in tasks]
        if opened:
            return _State(task=opened[-1])
        if "stop" in names:
            return _State(last=self.task or self.last)
        return replace(self, asked="", reply="")

    def answered(self, fields: Mapping[str, Any], line: int) -> "_State":
        """Return the state once the assistant has spoken."""
        asked, reply = (_text(fields, name, line) for name in ("asked", "text"))
        if fields.get("done") is True:
            return _State(asked=asked, last=self.task or self.last, reply=reply)
        return replace(self, asked=asked, reply=reply)


def read(path: Path, *, licence: str = "", tools: Sequence[ToolOutline] = TOOLS) -> list[Example]:
    """Return the patient's lines as examples; raises DataRefused with the line's number."""
    tasks = frozenset(tool.name for tool in tools)
    states: dict[str, _State] = {}
    examples = []
    for line, fields in files.rows(path):
        name, who = _text(fields, "conversation", line), _text(fields, "who", line)
        state = states.get(name, _State())
        if who == "assistant":
            states[name] = state.answered(fields, line)
        elif who == "patient":
            examples.append(_example(fields, state, line=line, source=path.stem, licence=licence))
            states[name] = state.after(examples[-1], tasks)
        else:
            raise DataRefused(f'line {line}: "who" is neither patient nor assistant.', hint=_FORM)
    return examples


def _example(fields: Mapping[str, Any], state: _State, *, line: int, source: str, licence: str) -> Example:
    example = labelled.example(fields, line=line, source=source, licence=licence)
    if any(name in fields for name in labelled.STATE):
        return example
    return replace(example, turn=Turn(example.turn.message, state.task, state.asked, state.last, state.reply))


def _text(fields: Mapping[str, Any], name: str, line: int) -> str:
    value = fields.get(name, "" if name == "asked" else None)
    if not isinstance(value, str):
        raise DataRefused(f'line {line}: "{name}" is missing or is not a text.', hint=_FORM)
    return value
