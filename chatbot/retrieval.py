"""Understands a message by the nearest examples of the bank, for comparison with the model."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chatbot import backends, bank, nearest, rules
from chatbot.backends.base import ModelUnavailable
from chatbot.bank import Bank
from chatbot.commands import Command, ToolOutline
from chatbot.models import Assistant
from chatbot.prompt import Turn, normalise

NEIGHBOURS = 5
FLOOR = 0.5
"""The cosine below which an example says nothing."""

NOTHING = frozenset({"unclear", "set"})
"""Examples of messages that ask for nothing: they outvote what only sounds like a request."""


@dataclass(frozen=True)
class Neighbourhood:
    """The bank, and the vectors of one message and of its clauses."""

    bank: Bank
    assistant: Assistant
    vectors: dict[str, list[float]]

    def intent(self, text: str, among: Collection[str]) -> str:
        """Return the command that the nearest examples vote for; empty when none is near."""
        likeness = self.bank.likeness(self.vectors[text], assistant=self.assistant, among=among)
        votes: defaultdict[str, float] = defaultdict(float)
        for place in nearest.likeliest(likeness, NEIGHBOURS, FLOOR):
            votes[self.bank.names[place]] += float(likeness[place])
        winner = max(votes, key=votes.__getitem__, default="")
        return "" if winner in NOTHING else winner


def understand(turn: Turn, tools: Sequence[ToolOutline], *, assistant: Assistant) -> list[Command]:
    """Return commands: what is asked for by the nearest examples, its details by the same rules as keywords.

    Raises ModelUnavailable when the embedder cannot be reached, or the bank is empty.
    """
    known = bank.current()
    if not known.samples:
        raise ModelUnavailable("The example bank is empty.")
    near = Neighbourhood(known, assistant, _vectors(normalise(turn.message)))
    return rules.understand(turn, tools, classify=near.intent)


def _vectors(message: str) -> dict[str, list[float]]:
    """Return the vectors of a message and of its clauses, by one request."""
    texts = list(dict.fromkeys([message, *(message[start:end] for start, end in rules.pieces(message))]))
    return dict(zip(texts, backends.embedder().embed(texts), strict=True))
