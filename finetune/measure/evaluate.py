"""Scores a GGUF on hand-written messages that no frame of the corpus produced."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chatbot import grammar, prompt
from chatbot.commands import Command
from chatbot.modelhost.llama import GgufModel, NothingFits, Prompt, Tally
from chatbot.prompt import Style, Turn, Unreadable
from finetune.examples import Example
from finetune.tasks import TOOLS

ANSWER_TOKENS = 160
"""Enough for three commands with long spans."""


@dataclass(frozen=True)
class Miss:
    """A message that was understood otherwise than its writer meant it."""

    example: Example
    understood: tuple[Command, ...]

    def __str__(self) -> str:
        turn = self.example.turn
        state = " ".join(filter(None, (turn.task, turn.asked, turn.last and f"after {turn.last}")))
        meant, understood = _short(self.example.commands), _short(self.understood)
        return f"[{state}] {turn.message}\n    meant      {meant}\n    understood {understood}"


@dataclass(frozen=True)
class Score:
    """How many messages were understood, and how long an answer took."""

    total: int
    misses: tuple[Miss, ...]
    wrong_names: int
    milliseconds: float

    @property
    def exact(self) -> float:
        """Share of messages with every command and every span as meant, ignoring case."""
        return 1 - len(self.misses) / self.total

    def __str__(self) -> str:
        right = self.total - len(self.misses)
        return (
            f"{right}/{self.total} exactly right ({self.exact:.1%}); right commands, spans aside: "
            f"{(self.total - self.wrong_names) / self.total:.1%}; {self.milliseconds:.0f} ms an answer"
        )


def evaluate(model: GgufModel, cases: Sequence[Example], *, style: Style = Style.COMPACT) -> Score:
    """Answer every case under the grammar and compare commands and spans."""
    started = time.perf_counter()
    understood = [understand(model, case.turn, style) for case in cases]
    seconds = time.perf_counter() - started
    pairs = list(zip(cases, understood, strict=True))
    return Score(
        total=len(cases),
        misses=tuple(Miss(case, said) for case, said in pairs if _key(said) != _key(case.commands)),
        wrong_names=sum(_names(said) != _names(case.commands) for case, said in pairs),
        milliseconds=1000 * seconds / len(cases),
    )


def understand(model: GgufModel, turn: Turn, style: Style = Style.COMPACT) -> tuple[Command, ...]:
    """Return the commands the model reads in one message; none when its answer is no answer."""
    try:
        return tuple(prompt.read(answer(model, turn, style), message=turn.message, tools=TOOLS))
    except (Unreadable, NothingFits):
        return ()


def answer(model: GgufModel, turn: Turn, style: Style = Style.COMPACT) -> str:
    """Return the text of the answer, generated as the model host generates it."""
    rules = grammar.command_grammar(TOOLS, turn.message)
    asked = Prompt(messages=prompt.render(turn, TOOLS, style), grammar=rules, max_tokens=ANSWER_TOKENS)
    return "".join(model.generate(asked, Tally()))


def load(path: Path) -> GgufModel:
    return GgufModel(path, context_tokens=512)


def _names(commands: Sequence[Command]) -> list[str]:
    return sorted(command.name for command in commands)


def _key(commands: Sequence[Command]) -> list[tuple[str, list[tuple[str, str]]]]:
    return sorted(
        (command.name, sorted((name, span.casefold()) for name, span in command.arguments.items()))
        for command in commands
    )


def _short(commands: Sequence[Command]) -> str:
    return ", ".join(f"{command.name}{dict(command.arguments) or ''}" for command in commands) or "nothing"
