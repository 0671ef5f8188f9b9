"""Labelled messages as files hold them, and what must be true of one.

JSON Lines, or a table with a column for each argument. Plain Python: no Django, no database.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.commands import Command, ToolOutline
from chatbot.prompt import COMMAND_LIMIT, MESSAGE_LIMIT, allowed_arguments, tidied

LANGUAGE_LIMIT, LICENCE_LIMIT, PLACE_LIMIT = 8, 60, 60
"""Characters of a language, of a licence, and of what names a place in a conversation."""

ASKED_BESIDES = ("confirmation", "anything_else", "date_of_birth", "person")
"""What can be asked for besides the arguments of a task."""

_WORD = re.compile(r"(\W*)(?P<core>\S*\w|\S)(\W*?)(?=\s|$)")
_COLUMNS = ("task", "asked", "last", "language", "source", "licence")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a cell instead of showing it."""


class NotLabelled(ValueError):
    """A message whose label cannot be used; the sentence says why."""


@dataclass(frozen=True)
class Labelled:
    """A message in its place in a conversation, with what it asks for."""

    text: str
    commands: tuple[Command, ...]
    task: str = ""
    asked: str = ""
    last: str = ""
    language: str = "en"
    source: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a file: what it holds, or why it holds nothing."""

    number: int
    labelled: Labelled | None
    problem: str = ""


def checked(labelled: Labelled, tools: Sequence[ToolOutline]) -> Labelled:
    """Return the message as the model will see it; raises NotLabelled where the answer could not be given."""
    text = tidied(labelled.text)
    if not text:
        raise NotLabelled("There is no message.")
    if len(text) > MESSAGE_LIMIT:
        raise NotLabelled(f"The message is longer than the {MESSAGE_LIMIT} characters that are read of one.")
    if not 1 <= len(labelled.commands) <= COMMAND_LIMIT:
        raise NotLabelled(f"A message asks for one to {COMMAND_LIMIT} things.")
    commands = tuple(_checked_command(command, text, tools) for command in labelled.commands)
    _check_place(labelled, tools)
    return Labelled(text, commands, **{name: getattr(labelled, name) for name in _COLUMNS})


def _checked_command(command: Command, text: str, tools: Sequence[ToolOutline]) -> Command:
    allowed = allowed_arguments(tools)
    if command.name not in allowed:
        raise NotLabelled(f"The assistant knows no “{command.name}”.")
    said = {name: tidied(words) for name, words in command.arguments.items() if words.strip()}
    if unknown := next((name for name in said if name not in allowed[command.name]), ""):
        raise NotLabelled(f"“{command.name}” takes no “{unknown}”.")
    given = {name: run_of_words(words, text) for name, words in said.items()}
    if missing := next((words for name, words in said.items() if not given[name]), ""):
        raise NotLabelled(f"“{missing}” does not stand in the message as whole words.")
    if command.name == "set" and not given:
        raise NotLabelled("“set” gives details, so it needs at least one.")
    return Command(command.name, {name: given[name] for name in allowed[command.name] if name in given})


def _check_place(labelled: Labelled, tools: Sequence[ToolOutline]) -> None:
    names = {tool.name for tool in tools}
    for place, name in (("open task", labelled.task), ("last task", labelled.last)):
        if name and name not in names:
            raise NotLabelled(f"No task is called “{name}”, so it cannot be the {place}.")
    arguments = {argument.name for tool in tools for argument in tool.arguments}
    if labelled.asked and labelled.asked not in {*arguments, *ASKED_BESIDES}:
        raise NotLabelled(f"Nobody is ever asked for “{labelled.asked}”.")
    if len(labelled.language) > LANGUAGE_LIMIT or len(labelled.licence) > LICENCE_LIMIT:
        raise NotLabelled("The language or the licence is too long.")


def run_of_words(span: str, text: str) -> str:
    """Return the run of whole words of a message that a span is, as it stands there; "" for none.

    Nothing else can be an argument: the grammar lets a model write such runs only.
    """
    found = [match.span("core") for match in _WORD.finditer(text)]
    starts, ends = {start for start, _ in found}, {end for _, end in found}
    for run in re.finditer(f"(?={re.escape(span)})", text, re.IGNORECASE):
        if run.start() in starts and run.start() + len(span) in ends:
            return text[run.start() : run.start() + len(span)]
    return ""


# Reading


def read(text: str, tools: Sequence[ToolOutline]) -> Iterator[Line]:
    """Yield every line of a file that holds something; a table is told by its first line."""
    rows = _objects(text) if text.lstrip("\ufeff \r\n\t").startswith("{") else _table(text)
    for number, fields in rows:
        try:
            if isinstance(fields, str):
                raise NotLabelled(fields)
            yield Line(number, checked(_labelled(fields), tools))
        except NotLabelled as problem:
            yield Line(number, None, str(problem))


def _objects(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            fields = None
        yield number, fields if isinstance(fields, dict) else "This is not a JSON object."


def _table(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    rows = csv.reader(io.StringIO(text.lstrip("\ufeff").replace("\0", ""), newline=""))
    try:
        head = [name.strip() for name in next(rows, [])]
        if "text" not in head or "command" not in head:
            yield 1, "The first line must name the columns, “text” and “command” among them."
            return
        for cells in rows:
            if any(cells):
                yield rows.line_num, _of_cells(dict(zip(head, map(_without_apostrophe, cells), strict=False)))
    except csv.Error as error:
        yield rows.line_num, f"This is no table: {error}."


def _of_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of a table in the shape of a JSON line; a second command has columns that end in _2."""
    commands = []
    for suffix in ("", *(f"_{place}" for place in range(2, COMMAND_LIMIT + 1))):
        if name := cells.get(f"command{suffix}", "").strip():
            commands.append({"name": name, "arguments": _arguments_of(cells, suffix)})
    named = {name: cells.get(name, "").strip() for name in _COLUMNS}
    return {"text": cells["text"], "commands": commands, **named}


def _arguments_of(cells: Mapping[str, str], suffix: str) -> dict[str, str]:
    known = {"text", "command", *_COLUMNS}
    return {
        name.removesuffix(suffix): words
        for name, words in cells.items()
        if words.strip() and _suffix_of(name) == suffix and name.removesuffix(suffix) not in known
    }


def _suffix_of(name: str) -> str:
    found = re.search(r"_[2-9]$", name)
    return found.group() if found else ""


def _labelled(fields: Mapping[str, Any]) -> Labelled:
    listed = fields.get("commands")
    if not isinstance(listed, list):
        raise NotLabelled("There is no list of commands.")
    return Labelled(
        _word(fields, "text"),
        tuple(_command(entry) for entry in listed),
        **{name: _word(fields, name) for name in _COLUMNS} | {"language": _word(fields, "language") or "en"},
    )


def _command(entry: object) -> Command:
    name = entry.get("name") if isinstance(entry, dict) else None
    arguments = (entry.get("arguments") or {}) if isinstance(entry, dict) else None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise NotLabelled("A command needs a name, and its arguments by their names.")
    if not all(isinstance(words, str) for words in arguments.values()):
        raise NotLabelled("An argument is words of the message.")
    return Command(name, arguments)


def _word(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name) or ""
    if not isinstance(value, str):
        raise NotLabelled(f"“{name}” must be text.")
    return value if name == "text" else value.strip()


# Writing


def as_object(labelled: Labelled) -> dict[str, Any]:
    """Return one message as one object of the exchange format."""
    commands = [{"name": said.name, "arguments": dict(said.arguments)} for said in labelled.commands]
    return {
        "text": labelled.text,
        "commands": commands,
        **{name: getattr(labelled, name) for name in _COLUMNS},
    }


def as_lines(messages: Iterable[Labelled]) -> Iterator[str]:
    """Yield JSON Lines."""
    return (json.dumps(as_object(labelled), ensure_ascii=False) + "\n" for labelled in messages)


def as_table(messages: Iterable[Labelled], arguments: Sequence[str]) -> Iterator[str]:
    """Yield a table, line by line, with a column for each argument of each command."""
    suffixes = ("", *(f"_{place}" for place in range(2, COMMAND_LIMIT + 1)))
    columns = ["text", *(f"{name}{suffix}" for suffix in suffixes for name in ("command", *arguments))]
    buffer = io.StringIO()
    table = csv.DictWriter(buffer, [*columns, *_COLUMNS], restval="")
    table.writeheader()
    yield _taken(buffer)
    for labelled in messages:
        table.writerow({name: _with_apostrophe(words) for name, words in _cells(labelled).items()})
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    written = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return written


def _cells(labelled: Labelled) -> dict[str, str]:
    cells = {"text": labelled.text, **{name: getattr(labelled, name) for name in _COLUMNS}}
    for place, said in enumerate(labelled.commands, start=1):
        suffix = f"_{place}" if place > 1 else ""
        cells[f"command{suffix}"] = said.name
        cells |= {f"{name}{suffix}": words for name, words in said.arguments.items()}
    return cells


def _with_apostrophe(words: str) -> str:
    return f"'{words}" if words.startswith(_FORMULA) else words


def _without_apostrophe(words: str) -> str:
    return words[1:] if words.startswith("'") and words[1:].startswith(_FORMULA) else words
