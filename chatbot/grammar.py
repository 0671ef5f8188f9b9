"""What a model is allowed to say: a GBNF grammar for llama.cpp, a JSON Schema for other servers."""

import json
import re
from collections.abc import Sequence
from typing import Any

from chatbot.commands import ToolOutline
from chatbot.prompt import COMMAND_LIMIT, allowed_arguments, normalise

WORD_LIMIT = 80
"""Words of a message that can start a span; it keeps the grammar small."""


def command_grammar(tools: Sequence[ToolOutline], message: str) -> str:
    """Return a GBNF grammar whose every argument is a run of whole words of the message.

    The model cannot write a value that the patient did not: each word of the message is a rule
    that may be followed by the next word only.
    """
    spans = _span_rules(normalise(message))
    opening = _literal('{"commands":[')
    further = COMMAND_LIMIT - 1
    rules = {"root": f'{opening} command ("," command){{0,{further}}} "]}}"'}
    names = []
    for position, (name, arguments) in enumerate(allowed_arguments(tools).items()):
        if name == "set" and not spans:
            continue
        names.append(f"command-{position}")
        rules[names[-1]] = _command(name, arguments if spans else (), rules)
    rules["command"] = " | ".join(names)
    return "\n".join(f"{name} ::= {body}" for name, body in (rules | spans).items())


def _command(name: str, arguments: Sequence[str], rules: dict[str, str]) -> str:
    opening = _literal(json.dumps({"name": name}, separators=(",", ":"))[:-1] + ',"arguments":{')
    if not arguments:
        return f'{opening} "}}}}"'
    optional = "" if name == "set" else "?"
    return f'{opening} {_arguments(arguments, rules)}{optional} "}}}}"'


def _arguments(arguments: Sequence[str], rules: dict[str, str]) -> str:
    """Return a group that reads one or more of the arguments, each at most once, in order."""
    starts = []
    for position, name in enumerate(arguments):
        rules[f"argument-{name.replace('_', '-')}"] = f'{_literal(json.dumps(name) + ":")} "\\"" span "\\""'
        later = [f'("," argument-{other.replace("_", "-")})?' for other in arguments[position + 1 :]]
        starts.append(" ".join([f"argument-{name.replace('_', '-')}", *later]))
    return f"({' | '.join(starts)})"


def _span_rules(message: str) -> dict[str, str]:
    words = [match.groups() for match in re.finditer(r"(\W*)(\S*\w|\S)(\W*?)(?=\s|$)", message)][:WORD_LIMIT]
    rules = {}
    for position, (_, core, trail) in enumerate(words):
        follow = ""
        if position + 1 < len(words):
            joint = f"{trail}{words[position + 1][0] or ' '}"
            follow = f" ({_literal(joint)} word-{position + 1})?"
        rules[f"word-{position}"] = f"{_literal(core)}{follow}"
    if rules:
        rules["span"] = " | ".join(rules)
    return rules


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def command_schema(tools: Sequence[ToolOutline]) -> dict[str, Any]:
    """Return the same closed list as JSON Schema; spans are checked afterwards by `prompt.read`."""
    variants = [_schema_of(name, arguments) for name, arguments in allowed_arguments(tools).items()]
    return {
        "type": "object",
        "properties": {
            "commands": {
                "type": "array",
                "minItems": 1,
                "maxItems": COMMAND_LIMIT,
                "items": {"anyOf": variants},
            }
        },
        "required": ["commands"],
        "additionalProperties": False,
    }


def _schema_of(name: str, arguments: Sequence[str]) -> dict[str, Any]:
    span = {"type": "string", "minLength": 1, "maxLength": 120}
    return {
        "type": "object",
        "properties": {
            "name": {"const": name},
            "arguments": {
                "type": "object",
                "properties": dict.fromkeys(arguments, span),
                "additionalProperties": False,
            },
        },
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
