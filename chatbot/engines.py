"""Who understands a message: the model, keywords, or the nearest example; a setting decides."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings

from chatbot import backends, grammar, prompt, retrieval, rules
from chatbot.backends.base import ModelRefused, ModelUnavailable
from chatbot.commands import Command, ToolOutline
from chatbot.proofreading import proofread

logger = logging.getLogger(__name__)

ANSWER_TOKENS = 192
"""Tokens of a model's answer: three commands with their spans; ours makes a token of each blank."""

Outlines = Sequence[ToolOutline]


@dataclass(frozen=True)
class Understood:
    """What a message means, and who said so."""

    commands: list[Command]
    engine: str


def understand(turn: prompt.Turn, tools: Outlines, *, engine: str = "") -> Understood:
    """Return the commands in a message; a plain answer needs no engine, its name is "".

    Keywords stand in when the model is down, late or unreadable.
    """
    if answer := rules.plainly(turn):
        return Understood([answer], "")
    name = engine or settings.ASSISTANT_ENGINE
    try:
        return Understood(_ENGINES[name](turn, tools), name)
    except (ModelUnavailable, ModelRefused, prompt.Unreadable) as error:
        logger.warning("The %s engine gave no commands: %s", name, type(error).__name__)
        return Understood(rules.understand(turn, tools), "rules")


def _by_model(turn: prompt.Turn, tools: Outlines) -> list[Command]:
    answer = backends.chat_backend().complete(
        prompt.render(turn, tools, prompt.Style(settings.LLM_PROMPT_STYLE)),
        schema=grammar.command_schema(tools),
        grammar=grammar.command_grammar(tools, turn.message),
        max_tokens=ANSWER_TOKENS,
        deadline_seconds=settings.LLM_DEADLINE_SECONDS,
    )
    return proofread(prompt.read(answer, message=turn.message, tools=tools), turn, tools)


def _by_examples(turn: prompt.Turn, tools: Outlines) -> list[Command]:
    return retrieval.understand(turn, tools, embedder=backends.embedder())


_ENGINES: dict[str, Callable[[prompt.Turn, Outlines], list[Command]]] = {
    "model": _by_model,
    "rules": rules.understand,
    "retrieval": _by_examples,
}
