"""What a message says in the light of what was asked and offered last: plainly first, else by an engine."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from chatbot import engines, plain, rules, stack
from chatbot.arguments import Choice
from chatbot.commands import GENERAL_COMMANDS, Command
from chatbot.models import Assistant, ChatMessage, Conversation
from chatbot.prompt import Turn as Prompt
from chatbot.stack import Stack
from chatbot.tools import Registry, registry
from chatbot.work import YES_OR_NO

_SPEAKS_AGAINST_YES = frozenset({"set", "no", "stop", "more", "urgent", "handoff"})


@dataclass
class Hearing:
    """Reads one message. What stands beside the tasks is remembered as it was when the message came."""

    conversation: Conversation
    stack: Stack
    message: str
    last_reply: ChatMessage | None
    engine: str = ""
    assistant: Assistant | None = None
    tools: Registry = field(default_factory=lambda: registry)

    def __post_init__(self) -> None:
        self.suggested, self.menu, self.asked = self.stack.suggested, self.stack.menu, self.stack.asked

    def commands(self) -> list[Command]:
        """Return what the message asks for; `engine` says afterwards who understood it, "" for plain code."""
        if command := self._plain():
            self.engine = ""
            return [command]
        outlines = self.tools.outlines()
        if named := rules.in_so_many_words(self._prompt, outlines, self.tools.unmistakable()):
            self.engine = ""
            return named
        understood = engines.understand(
            self._prompt,
            outlines,
            engine=self.engine,
            assistant=self.assistant,
            conversation=str(self.conversation.pk),
        )
        self.engine = understood.engine
        return list(self._without_hasty_yes(understood.commands))

    @property
    def context(self) -> dict[str, str]:
        """Return what an engine is told of the conversation beside the message: a correction needs it."""
        told = self._prompt
        return {"task": told.task, "asked": told.asked, "last": told.last}

    @property
    def asked_at(self) -> datetime | None:
        """Return when the assistant asked what is open now, None when nothing is."""
        return self.last_reply.created_at if self.last_reply and (self._question or self._offered) else None

    @property
    def awaits_yes_or_no(self) -> bool:
        """Say whether the open question is one that a yes or a no answers."""
        return bool(self.suggested) or self._question == stack.CONFIRMATION

    @property
    def only_offers_help(self) -> bool:
        """Say whether nothing is open but whether there is anything else."""
        return self._question == stack.ANYTHING_ELSE and not self._offered

    @property
    def agrees_plainly(self) -> bool:
        """Say whether the message is a yes and nothing else. A model's reading of a longer one is no yes."""
        choice = self.picked(self.message)
        return bool(plain.yes_or_no(self.message)) or (choice is not None and choice.key == "yes")

    def picked(self, words: str) -> Choice | None:
        """Return the one offered choice that the words pick, under a suggestion the open task's too."""
        top = self.stack.top
        beneath = top.offered if top and self.suggested else []
        return self._picked(words, self._offered) or self._picked(words, beneath)

    def _picked(self, words: str, offered: list[Choice]) -> Choice | None:
        labels = [choice.label for choice in offered]
        exact = [label for label in labels if label.casefold() == words.casefold()]
        if exact or (offered == YES_OR_NO and not self._answers_by_number):
            place = labels.index(exact[0]) if exact else None
        else:
            place = plain.picked(words, labels)
        return None if place is None else offered[place]

    @property
    def _answers_by_number(self) -> bool:
        """A yes is numbered only in a text message; "the first" or "at 1" elsewhere agrees to nothing."""
        return self.conversation.channel == Conversation.Channel.SMS and self.message in {"1", "2"}

    @property
    def _question(self) -> str:
        """Return what was asked last; a suggestion is asked after a task's question, and alone."""
        return self.suggested or (self.stack.top.asked if self.stack.top else self.asked)

    @property
    def _offered(self) -> list[Choice]:
        return self.stack.top.offered if self.stack.top and not self.suggested else self.menu

    def _plain(self) -> Command | None:
        """Return what was answered plainly: a choice from those offered, yes or no, manners."""
        if (choice := self.picked(self.message)) and (command := self._meaning(choice)):
            return command
        if named := self._named():
            return named
        if self._question == stack.CONFIRMATION and plain.is_ordinal(self.message):
            return Command("yes")  # no plain one: nothing is booked by it, and the question is asked again
        return rules.plainly(replace(self._prompt, asked=self._question))

    def _meaning(self, choice: Choice) -> Command | None:
        """Return the command that a choice stands for; None when its label must be read like a message."""
        if choice.key in GENERAL_COMMANDS or registry.get(choice.key):
            return Command(choice.key)
        top = self.stack.top
        return Command("set", {top.asked: self.message}) if top else None

    def _named(self) -> Command | None:
        """Return the task whose label is the whole message: a button of the page was pressed."""
        labels = {tool.label.casefold(): Command(tool.name) for tool in self.tools.tools().values()}
        return labels.get(self.message.casefold())

    @property
    def _prompt(self) -> Prompt:
        top = self.stack.top
        asked = top.asked if top else self.asked
        return Prompt(
            message=self.message,
            task=top.tool if top else "",
            asked="" if asked == stack.PERSON else asked,
            last="" if top else self.stack.last,
            reply=self.last_reply.text if self.last_reply else "",
        )

    def _without_hasty_yes(self, commands: list[Command]) -> Iterable[Command]:
        """Leave a yes out that comes with a change: "yes but at 4" agrees to nothing that was read back."""
        top = self.stack.top
        if top is None or top.asked != stack.CONFIRMATION or self.suggested:
            return commands
        names = {command.name for command in commands}
        is_hasty = bool(names & (_SPEAKS_AGAINST_YES | {top.tool}))
        return [command for command in commands if not (is_hasty and command.name == "yes")]
