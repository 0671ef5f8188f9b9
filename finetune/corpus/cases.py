"""Messages written by hand to score a model: none of them is ever trained on."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.examples import Example

DEVELOPMENT = Path(__file__).parent / "development.jsonl"
"""Looked at while the frames were written; its score flatters."""

HELD_OUT = Path(__file__).parent / "held_out.jsonl"
"""Written after the frames and not looked at again; its score is the honest one."""

ROOT = Path(__file__).parents[2]
SCORED_ELSEWHERE = (ROOT / "tests" / "assistant", ROOT / "workshop" / "gate_cases")
"""Folders of lines that score the whole assistant. They are read by programs alone, to be left out."""

COMMON_WORDS = 6
"""A message of at most so many words, such as "yes please", is everybody's and may be trained on."""


def read_cases(path: Path) -> list[Example]:
    """Read cases: one JSON object a line, the state's fields beside `message` and `commands`."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Example(
            Turn(row["message"], row.get("task", ""), row.get("asked", ""), row.get("last", "")),
            tuple(Command(command["name"], command.get("arguments", {})) for command in row["commands"]),
            "written",
        )
        for row in rows
    ]


def is_case(message: str) -> bool:
    """Whether the message is one that something is scored with, capitals and marks aside."""
    return _letters(message) in _messages()


@cache
def _messages() -> frozenset[str]:
    cases = [*read_cases(DEVELOPMENT), *read_cases(HELD_OUT)]
    return frozenset(_letters(case.turn.message) for case in cases) | frozenset(_scored_elsewhere())


def _scored_elsewhere() -> Iterator[str]:
    for path in (path for folder in SCORED_ELSEWHERE for path in sorted(folder.glob("*.jsonl"))):
        for line in path.read_text(encoding="utf-8").splitlines():
            said = _letters(json.loads(line).get("text", "")) if line.strip() else ""
            if len(said.split()) > COMMON_WORDS:
                yield said


def _letters(message: str) -> str:
    return re.sub(r"\W+", " ", message).strip().casefold()
