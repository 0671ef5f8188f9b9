"""Understands a message by the nearest of a few hand-written examples, for comparison with the model."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from operator import mul
from pathlib import Path

from chatbot import rules
from chatbot.backends.base import Embedder
from chatbot.commands import Command, ToolOutline
from chatbot.prompt import Turn

EXAMPLES = Path(__file__).with_name("examples.jsonl")
NEIGHBOURS = 5
FLOOR = 0.5
"""The cosine below which an example says nothing."""

NOTHING = frozenset({"unclear", "set"})
"""Examples of messages that ask for nothing: they outvote what only sounds like a request."""


@dataclass(frozen=True)
class Example:
    """A message with the command that it asks for."""

    text: str
    command: str


@dataclass(frozen=True)
class Neighbourhood:
    """The examples with their vectors, in the space of one embedder."""

    embedder: Embedder
    examples: tuple[tuple[Example, list[float]], ...]

    def intent(self, text: str, among: Collection[str]) -> str:
        """Return the command that the nearest examples vote for; empty when none is near."""
        vector = self.embedder.embed([text])[0]
        near = sorted(
            ((_cosine(vector, known), example.command) for example, known in self.examples), reverse=True
        )
        votes: defaultdict[str, float] = defaultdict(float)
        for likeness, command in near[:NEIGHBOURS]:
            if likeness >= FLOOR and command in among:
                votes[command] += likeness
        winner = max(votes, key=votes.__getitem__, default="")
        return "" if winner in NOTHING else winner


def _cosine(one: list[float], other: list[float]) -> float:
    """Return the likeness of two vectors of length one."""
    return sum(map(mul, one, other))


def understand(turn: Turn, tools: Sequence[ToolOutline], *, embedder: Embedder) -> list[Command]:
    """Return commands: what is asked for by the nearest examples, its details by the same rules as keywords.

    Raises ModelUnavailable when the embedder cannot be reached.
    """
    near = neighbourhood(embedder)  # type: ignore[arg-type]  # every object of ours is hashable
    return rules.understand(turn, tools, classify=near.intent)


@cache
def neighbourhood(embedder: Embedder) -> Neighbourhood:
    """Return the examples in an embedder's space; they are embedded once."""
    bank = examples()
    vectors = embedder.embed([example.text for example in bank])
    return Neighbourhood(embedder, tuple(zip(bank, vectors, strict=True)))


@cache
def examples() -> tuple[Example, ...]:
    """Return the hand-written examples."""
    lines = EXAMPLES.read_text(encoding="utf-8").splitlines()
    return tuple(Example(**json.loads(line)) for line in lines if line.strip())
