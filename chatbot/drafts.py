"""A reply while it is being put together."""

from dataclasses import dataclass, field

from chatbot.arguments import Choice
from chatbot.commands import Command
from chatbot.tools import Card, Effect, Reply, Source


@dataclass
class Draft:
    """What one turn says and what it did; stored as one ChatMessage.

    `context` is what was open when the message came; `handoff` is the reason why a person is needed,
    empty when none is.
    """

    parts: list[str] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    context: dict[str, str] = field(default_factory=dict)
    engine: str = ""
    urgent: bool = False
    handoff: str = ""

    @property
    def text(self) -> str:
        return "\n".join(dict.fromkeys(self.parts))

    def say(self, sentence: str) -> None:
        self.parts.append(sentence)

    def add(self, reply: Reply) -> None:
        self.say(reply.text)
        self.cards += reply.cards
        self.sources += reply.sources
        self.effects += reply.effects
        self.handoff = self.handoff or reply.handoff
