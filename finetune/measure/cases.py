"""Reads what models are scored on: cases of the corpus, labelled messages, the hand-written ones."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chatbot import evaluation
from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.examples import Example


def read(paths: Sequence[Path]) -> list[Example]:
    """Return every single message of the files that says which commands it means.

    A line of a played conversation is left out: what it means depends on what was answered before.
    """
    return [example for path in paths for example in _cases(path)]


def _cases(path: Path) -> Iterator[Example]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line) if line.strip() else {}
        wanted = row.get("commands") or (row.get("expect") or {}).get("commands")
        message = row.get("message") or row.get("text")
        if wanted and message and _stands_alone(row):
            yield Example(_turn(message, row), tuple(map(_command, wanted)), path.stem)


def _stands_alone(row: Mapping[str, Any]) -> bool:
    return "expect" not in row or "context" in row


def _turn(message: str, row: Mapping[str, Any]) -> Turn:
    state = row.get("context") or row
    return Turn(message, state.get("task") or "", state.get("asked") or "", state.get("last") or "")


def _command(said: Mapping[str, Any]) -> Command:
    return Command(said["name"], said.get("arguments") or {})


def is_right(case: Example, commands: Sequence[Command]) -> bool:
    """Whether these are the commands that were meant, judged as `evaluate_assistant` does."""
    wanted = {"expect": {"commands": [_told(command) for command in case.commands]}}
    return evaluation.judge(wanted, {"commands": [_told(command) for command in commands]}).is_right


def are_names_right(case: Example, commands: Sequence[Command]) -> bool:
    """Whether the commands are those meant, whatever their arguments."""
    return sorted(command.name for command in commands) == sorted(command.name for command in case.commands)


def _told(command: Command) -> dict[str, Any]:
    return {"name": command.name, "arguments": dict(command.arguments)}
