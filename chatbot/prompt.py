"""One renderer for the live prompt and for the training data, so that the two cannot drift apart.

Pure Python: the training scripts in `finetune/` import it without Django.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chatbot.commands import GENERAL_COMMANDS, Command, ToolOutline

MESSAGE_LIMIT = 400
"""Characters of a message that the model reads; a longer one is cut at the last whole word."""

COMMAND_LIMIT = 3
"""Commands that one message can hold."""

_QUOTES = str.maketrans(
    {"‘": "'", "’": "'", "“": "'", "”": "'", '"': "'", "`": "'", "\\": " ", "–": "-", "—": "-"}
)


class Style(StrEnum):
    """How much a model has to be told."""

    COMPACT = "compact"
    """The state and the message alone: for a model that was trained on exactly this."""

    HINTED = "hinted"
    """Compact with the nearest examples' commands: for a model that was trained with that line."""

    FULL = "full"
    """Instructions, every tool and the last reply as well: for a general instruction-tuned model."""


@dataclass(frozen=True)
class Sample:
    """A message of the example bank with its right answer."""

    text: str
    commands: tuple[Command, ...]


@dataclass(frozen=True)
class Turn:
    """What the model is shown of a conversation.

    `task` is the open task, `asked` the argument that was just asked for (or "confirmation"),
    `last` the task that was finished just before, `reply` the assistant's last words.
    `near` holds what the likeliest examples of the bank ask for, as `nearest.hints` counts it;
    `samples` the likeliest examples themselves, for a model that was trained on none.
    """

    message: str
    task: str = ""
    asked: str = ""
    last: str = ""
    reply: str = ""
    near: tuple[tuple[str, int], ...] = ()
    samples: tuple[Sample, ...] = ()


class Unreadable(ValueError):
    """The model's answer is not a list of known commands with spans of the message."""


def normalise(text: str) -> str:
    """Return the message as the model sees it; every span is a substring of this."""
    text = tidied(text)
    return text if len(text) <= MESSAGE_LIMIT else text[:MESSAGE_LIMIT].rsplit(" ", 1)[0]


def tidied(text: str) -> str:
    """Return the whole message in the characters that the model knows, on one line."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = "".join(character if unicodedata.category(character)[0] not in "CZ" else " " for character in text)
    return re.sub(r"\s+", " ", text).strip()


def render(
    turn: Turn, tools: Sequence[ToolOutline] = (), style: Style = Style.COMPACT
) -> list[dict[str, str]]:
    """Return OpenAI-shaped chat messages for one turn; the stable part comes first."""
    if style is not Style.FULL:
        return [{"role": "user", "content": _state(turn, hinted=style is Style.HINTED)}]
    told = [*_samples(turn), f"assistant said: {turn.reply or 'nothing yet'}", _state(turn)]
    return [
        {"role": "system", "content": instructions(tools)},
        {"role": "user", "content": "\n".join(told)},
    ]


def _state(turn: Turn, *, hinted: bool = False) -> str:
    lines = [
        f"task: {turn.task or 'none'}",
        f"asked: {turn.asked or 'none'}",
        f"last: {turn.last or 'none'}",
        *([f"near: {_near(turn)}"] if hinted else []),
        f"patient: {normalise(turn.message)}",
    ]
    return "\n".join(lines)


def _near(turn: Turn) -> str:
    return " ".join(f"{name} {tenths}" for name, tenths in turn.near) or "none"


def _samples(turn: Turn) -> list[str]:
    """Return examples before the state: the system prompt must stay the same for every message."""
    if not turn.samples:
        return []
    shown = [f"patient: {normalise(sample.text)}\n{answer(sample.commands)}" for sample in turn.samples]
    return ["Messages like this one, each with its right answer:", *shown, "", "Now:"]


def instructions(tools: Sequence[ToolOutline]) -> str:
    """Return the system prompt of the full style: the closed list and how to answer."""
    lines = [
        "You read what a patient of an eye-care practice writes and turn it into commands.",
        'Answer with JSON only: {"commands":[{"name":"…","arguments":{"…":"…"}}]}.',
        f"One to {COMMAND_LIMIT} commands, from this list only.",
        "Copy every argument word for word from the patient's message.",
        "Leave out what the patient did not say.",
        "",
        "Tasks:",
    ]
    for tool in tools:
        lines.append(f"- {tool.name}: {tool.description}")
        lines += [f"    {argument.name}: {argument.description}" for argument in tool.arguments]
    lines += ["", "Always possible:"]
    lines += [f"- {name}: {meaning}" for name, meaning in GENERAL_COMMANDS.items()]
    return "\n".join(lines)


def answer(commands: Iterable[Command]) -> str:
    """Return the text a model should answer with: the form that `read` reads."""
    listed = [{"name": command.name, "arguments": dict(command.arguments)} for command in commands]
    return json.dumps({"commands": listed}, ensure_ascii=False, separators=(",", ":"))


def read(text: str, *, message: str, tools: Sequence[ToolOutline]) -> list[Command]:
    """Return the commands in a model's answer.

    Raises Unreadable for anything else than known commands whose arguments are spans of the
    message: constrained decoding can fail open, and a remote server may ignore a schema.
    """
    try:
        listed = json.loads(text)["commands"]
        commands = [Command(entry["name"], dict(entry.get("arguments") or {})) for entry in listed]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable("not a list of commands") from error
    if not 1 <= len(commands) <= COMMAND_LIMIT:
        raise Unreadable(f"{len(commands)} commands")
    allowed = allowed_arguments(tools)
    said = normalise(message).casefold()
    for command in commands:
        _check(command, allowed, said)
    return commands


def allowed_arguments(tools: Sequence[ToolOutline]) -> dict[str, tuple[str, ...]]:
    """Return every command name with the arguments it may carry, in the order they are written."""
    by_tool = {tool.name: tuple(argument.name for argument in tool.arguments) for tool in tools}
    every = tuple(dict.fromkeys(name for names in by_tool.values() for name in names))
    general = {name: every if name == "set" else () for name in GENERAL_COMMANDS}
    return by_tool | general


def _check(command: Command, allowed: dict[str, tuple[str, ...]], said: str) -> None:
    if command.name not in allowed:
        raise Unreadable(f"no command {command.name!r}")
    for name, span in command.arguments.items():
        if name not in allowed[command.name]:
            raise Unreadable(f"{command.name} takes no {name!r}")
        if not isinstance(span, str) or not span.strip() or span.casefold() not in said:
            raise Unreadable(f"{name} is not a span of the message")
