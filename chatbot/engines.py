"""Who understands a message: the model, keywords, or the nearest example; a setting decides."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings

from chatbot import assistants, backends, bank, grammar, prompt, retrieval, rules
from chatbot.backends.base import ModelRefused, ModelUnavailable
from chatbot.commands import Command, ToolOutline
from chatbot.models import Assistant
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


@dataclass(frozen=True)
class Listener:
    """Who a message is understood for: by whose model and examples, in which conversation, how soon."""

    assistant: Assistant
    conversation: str = ""
    deadline_seconds: float | None = None


def understand(
    turn: prompt.Turn,
    tools: Outlines,
    *,
    engine: str = "",
    assistant: Assistant | None = None,
    conversation: str = "",
    deadline_seconds: float | None = None,
) -> Understood:
    """Return the commands in a message; a plain answer needs no engine, its name is "".

    Keywords stand in when the model is down, late or unreadable. Without an assistant the settings'
    model answers, and the examples that hold for every one are its hints. Without a deadline the
    settings' holds.
    """
    listener = Listener(assistant or Assistant(), conversation, deadline_seconds)
    if answer := rules.plainly(turn):
        return Understood([answer], "")
    name = engine or settings.ASSISTANT_ENGINE
    try:
        return Understood(_ENGINES[name](turn, tools, listener), name)
    except (ModelUnavailable, ModelRefused, prompt.Unreadable) as error:
        logger.warning("The %s engine gave no commands: %s", name, type(error).__name__)
        return Understood(rules.understand(turn, tools), "rules")


def _by_model(turn: prompt.Turn, tools: Outlines, listener: Listener) -> list[Command]:
    style = assistants.style(listener.assistant)
    told = bank.told(turn, style, assistant=listener.assistant, among=prompt.allowed_arguments(tools))
    answer = backends.chat_backend().complete(
        prompt.render(told, tools, style),
        schema=grammar.command_schema(tools),
        grammar=grammar.command_grammar(tools, turn.message),
        max_tokens=ANSWER_TOKENS,
        deadline_seconds=listener.deadline_seconds or settings.LLM_DEADLINE_SECONDS,
        model=listener.assistant.model_name,
        user=listener.conversation,
    )
    return proofread(prompt.read(answer, message=turn.message, tools=tools), turn, tools)


def _by_keywords(turn: prompt.Turn, tools: Outlines, _: Listener) -> list[Command]:
    return rules.understand(turn, tools)


def _by_examples(turn: prompt.Turn, tools: Outlines, listener: Listener) -> list[Command]:
    return retrieval.understand(turn, tools, assistant=listener.assistant)


_ENGINES: dict[str, Callable[[prompt.Turn, Outlines, Listener], list[Command]]] = {
    "model": _by_model,
    "rules": _by_keywords,
    "retrieval": _by_examples,
}
