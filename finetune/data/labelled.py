"""The one exchange format of labelled messages: JSON Lines, or a table with a column for each argument."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chatbot.commands import Command
from chatbot.prompt import COMMAND_LIMIT, Turn
from finetune.data import DataRefused, files
from finetune.examples import Example
from finetune.tasks import ARGUMENTS

STATE = ("task", "asked", "last")
_COLUMNS = 'A table needs the columns "text" and "command", and one for each argument, such as "slot".'


def read(path: Path, *, licence: str = "") -> list[Example]:
    """Read labelled messages; `licence` is that of rows which name none.

    Raises DataRefused, with the line's number, for what has not the form. What has it and still cannot be
    used, such as an unknown command, is left to `prepare`.
    """
    return [
        example(fields, line=line, source=path.stem, licence=licence) for line, fields in files.rows(path)
    ]


def example(fields: Mapping[str, Any], *, line: int, source: str, licence: str = "") -> Example:
    """Return one row as an example."""
    task, asked, last = (_text(fields, name, line) for name in STATE)
    return Example(
        Turn(_text(fields, "text", line, required=True), task, asked, last, _text(fields, "reply", line)),
        _commands(fields, line),
        _text(fields, "source", line) or source,
        conversation=_text(fields, "conversation", line),
        language=_text(fields, "language", line) or "en",
        licence=_text(fields, "licence", line) or licence,
    )


def write(path: Path, examples: Iterable[Example]) -> None:
    """Write examples as JSON Lines; an unfinished file never has the name."""
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row(example), ensure_ascii=False) + "\n" for example in examples)
    unfinished.replace(path)


def row(example: Example) -> dict[str, Any]:
    """Return an example as one object of the exchange format."""
    turn = example.turn
    commands = [{"name": command.name, "arguments": dict(command.arguments)} for command in example.commands]
    reply = {"reply": turn.reply} if turn.reply else {}
    return {
        "text": turn.message,
        "commands": commands,
        "task": turn.task,
        "asked": turn.asked,
        "last": turn.last,
        **reply,
        "language": example.language,
        "conversation": example.conversation,
        "source": example.source,
        "licence": example.licence,
    }


def _text(fields: Mapping[str, Any], name: str, line: int, *, required: bool = False) -> str:
    value = fields.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        problem = "is missing" if value is None else "is not a text"
        raise DataRefused(f'line {line}: "{name}" {problem}.', hint=_COLUMNS)
    return value if name == "text" else value.strip()


def _commands(fields: Mapping[str, Any], line: int) -> tuple[Command, ...]:
    if "command" in fields:
        return tuple(_from_columns(fields, line))
    listed = _listed(fields.get("commands"), line)
    if not isinstance(listed, list) or not listed:
        raise DataRefused(f'line {line}: "commands" is not a list of commands.', hint=_COLUMNS)
    return tuple(_command(entry, line) for entry in listed)


def _from_columns(fields: Mapping[str, Any], line: int) -> Iterator[Command]:
    """Yield the command of the columns "command", "slot" …, then that of "command_2", "slot_2" …"""
    for ending in ("", *(f"_{number}" for number in range(2, COMMAND_LIMIT + 1))):
        name = _text(fields, f"command{ending}", line, required=not ending).strip()
        spans = {name: _text(fields, f"{name}{ending}", line) for name in ARGUMENTS}
        if name or not ending:
            yield Command(name, {name: span for name, span in spans.items() if span})


def _listed(commands: object, line: int) -> object:
    """Return the list; in a table it stands in the cell as JSON."""
    if not isinstance(commands, str):
        return commands
    try:
        return json.loads(commands)
    except (ValueError, RecursionError) as error:
        raise DataRefused(f'line {line}: "commands" is not JSON.', hint=_COLUMNS) from error


def _command(entry: object, line: int) -> Command:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise DataRefused(f'line {line}: a command needs a "name".')
    arguments = entry.get("arguments") or {}
    if not isinstance(arguments, dict) or not all(isinstance(span, str) for span in arguments.values()):
        raise DataRefused(f"line {line}: the arguments of {entry['name']!r} are not words by name.")
    return Command(entry["name"], arguments)
