"""Puts an example into the form the model sees, or says why it cannot be trained on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chatbot import prompt
from chatbot.commands import Command
from chatbot.prompt import COMMAND_LIMIT, MESSAGE_LIMIT
from finetune.examples import Example, trim

EMPTY = "no words"
TOO_LONG = f"longer than {MESSAGE_LIMIT} characters"
TOO_MANY = f"more than {COMMAND_LIMIT} commands"
UNKNOWN_COMMAND = "a command that the assistant does not have"
UNKNOWN_ARGUMENT = "an argument that the command does not take"
NOTHING_SET = "sets nothing"
NOT_IN_MESSAGE = "an argument that is not a run of words of the message"
UNKNOWN_STATE = "a state of the conversation that does not occur"

_LONGEST_STATE = 60
_STATE_NAME = re.compile(r"[a-z][a-z0-9_]*")

Allowed = Mapping[str, Sequence[str]]
"""Every command name with the arguments that it takes, as `prompt.allowed_arguments` gives them."""


class Unusable(ValueError):
    """An example that cannot be trained on; the message says why, without its words."""


def clean(example: Example, allowed: Allowed) -> Example:
    """Return the example as the model would read and answer it; raises Unusable."""
    if len(" ".join(example.turn.message.split())) > MESSAGE_LIMIT:
        raise Unusable(TOO_LONG)
    tidy = _tidy(example, allowed)
    if fault := _fault(tidy, allowed):
        raise Unusable(fault)
    return tidy


def _tidy(example: Example, allowed: Allowed) -> Example:
    """Normalise the message; trim the arguments, in the message's capitals and the tool's order."""
    said = prompt.normalise(example.turn.message)
    commands = tuple(_tidy_command(command, said, allowed) for command in example.commands)
    return replace(example, turn=replace(example.turn, message=said), commands=commands)


def _tidy_command(command: Command, said: str, allowed: Allowed) -> Command:
    order = list(allowed.get(command.name, ()))
    spans = {name: _as_said(trim(span), said) for name, span in command.arguments.items()}
    return Command(
        command.name, {name: spans[name] for name in sorted(spans, key=lambda name: _rank(name, order))}
    )


def _rank(name: str, order: list[str]) -> int:
    return order.index(name) if name in order else len(order)


def _as_said(span: str, said: str) -> str:
    if span in said:
        return span
    found = re.search(re.escape(span), said, re.I)
    return found[0] if found else span


def _fault(example: Example, allowed: Allowed) -> str:
    """Return why a tidy example cannot be used; empty when it can."""
    if not example.turn.message:
        return EMPTY
    if len(example.commands) > COMMAND_LIMIT:
        return TOO_MANY
    if not _is_state(example):
        return UNKNOWN_STATE
    faults = filter(None, (_command_fault(command, allowed) for command in example.commands))
    return next(faults, "" if example.fits else NOT_IN_MESSAGE)


def _is_state(example: Example) -> bool:
    """Whether the state is made of names: free text there would reach the prompt unchecked."""
    turn = example.turn
    return all(
        len(name) <= _LONGEST_STATE and _STATE_NAME.fullmatch(name)
        for name in (turn.task, turn.asked, turn.last)
        if name
    )


def _command_fault(command: Command, allowed: Allowed) -> str:
    if command.name not in allowed:
        return UNKNOWN_COMMAND
    if any(name not in allowed[command.name] for name in command.arguments):
        return UNKNOWN_ARGUMENT
    if command.name == "set" and not command.arguments:
        return NOTHING_SET
    return "" if all(command.arguments.values()) else NOT_IN_MESSAGE
