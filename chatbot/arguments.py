"""What a task has to be told: each kind of value knows how to ask for itself and how to read itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from chatbot.models import Assistant
from eyecare.errors import Invalid
from patients.models import Account, Patient

T = TypeVar("T")


@dataclass(frozen=True)
class ToolContext:
    """What a tool may know of the turn besides its arguments.

    `channel` is "web" or "sms"; `actor` the signed-in account, None by text message;
    `idempotency_key` is the same each time one confirmed action is tried; `message` is the turn's
    text as `prompt.normalise` leaves it; `audience` says whose documents may be quoted; `said` names
    the arguments that the patient gave in words or picked; `assistant` is who answers.
    """

    channel: str
    actor: Account | None
    idempotency_key: str
    message: str
    now: datetime
    audience: str
    said: frozenset[str] = frozenset()
    assistant: Assistant | None = None


@dataclass(frozen=True)
class Choice:
    """Something that can be picked: what the patient reads, and the key that `Argument.load` takes."""

    label: str
    key: str
    detail: str = ""


@dataclass(frozen=True)
class Question:
    """How to ask for a value, with choices that exist."""

    text: str
    choices: list[Choice] = field(default_factory=list)


@dataclass(frozen=True)
class Options:
    """Several values fit the words: the sentence asks which. `wish` is kept; empty keeps the words read."""

    sentence: str
    choices: list[Choice]
    wish: str = ""


@dataclass(frozen=True)
class NotFoundYet:
    """The words mean nothing until another argument is filled; the loop keeps them and reads them again."""


class Misunderstood(Invalid):
    """The words cannot be read as a value of this kind; the sentence asks again."""

    code = "misunderstood"


@dataclass(frozen=True)
class Situation:
    """What an argument may look at while it asks or reads.

    `filled` holds the values of the task's other arguments, `offered` what was offered for this one
    so far, `wish` the patient's words for it so far ("next week in the morning"), `standing` the
    value that it has at the moment.
    """

    patient: Patient | None
    filled: Mapping[str, Any]
    context: ToolContext
    offered: list[Choice] = field(default_factory=list)
    wish: str = ""
    standing: Any = None


class Argument(Generic[T]):
    """A kind of value that a patient gives in words.

    A number, an ordinal or a label that picks one of `offered` is resolved by the loop, through
    `load`, before `read` is called. Everything here may raise a Refusal; its sentence is shown.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    """For the model: which words of a message are meant."""

    depends_on: ClassVar[tuple[str, ...]] = ()
    """Arguments whose change makes a value of this kind stale; the loop then reads the words again."""

    value_type: ClassVar[type]
    """The T of the subclass; tells which argument the alternatives of a refusal belong to."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Argument and isinstance(get_args(base)[0], type):
                cls.value_type = get_args(base)[0]

    def ask(self, situation: Situation) -> Question:
        """Return how to ask for it; after `situation.wish`, with the choices nearest to the wish."""
        raise NotImplementedError

    def read(self, text: str, situation: Situation) -> T | Options | NotFoundYet:
        """Return the value that the words name; raises Misunderstood."""
        raise NotImplementedError

    def more(self, situation: Situation) -> Question:
        """Return choices other than `situation.offered`."""
        return self.ask(situation)

    def default(self, situation: Situation) -> T | None:
        """Return the value that goes without saying: the only upcoming appointment, for instance."""
        return None

    def dump(self, value: T) -> str:
        """Return a key that `load` turns into the same value later; it is kept in the conversation."""
        raise NotImplementedError

    def load(self, key: str, situation: Situation) -> T:
        """Return the value behind a key; raises a Refusal when it is no longer there or not the patient's."""
        raise NotImplementedError

    def label(self, value: T) -> str:
        """Return the words that the patient sees for it."""
        return str(value)

    def choice(self, value: T) -> Choice:
        return Choice(self.label(value), self.dump(value))


class Words(Argument[str]):
    """A free text that is taken as it was written."""

    name = "words"
    description = "the patient's own words"
    question: ClassVar[str] = "What would you like to tell us?"

    def ask(self, situation: Situation) -> Question:
        return Question(self.question)

    def read(self, text: str, situation: Situation) -> str:
        return text

    def dump(self, value: str) -> str:
        return value

    def load(self, key: str, situation: Situation) -> str:
        return key
