"""What the assistant can do: functions that the apps register in their `chat_tools.py`."""

import inspect
import re
import string
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self, TypeAlias, TypeVar

from django.utils import timezone

from chatbot.arguments import (
    Argument,
    Choice,
    Misunderstood,
    NotFoundYet,
    Options,
    Question,
    Situation,
    ToolContext,
    Words,
)
from chatbot.commands import ArgumentOutline, ToolOutline
from eyecare.errors import Refusal
from messaging.models import Message
from patients.models import Patient

__all__ = [
    "Argument",
    "Card",
    "Choice",
    "Effect",
    "Kept",
    "Link",
    "Misunderstood",
    "NotFoundYet",
    "Options",
    "Question",
    "Reply",
    "Situation",
    "Source",
    "ToolContext",
    "Words",
    "quick_replies",
    "registry",
    "tool",
]


@dataclass(frozen=True)
class Effect:
    """A write that really happened: ("appointment.booked", "appointment", its id)."""

    action: str
    object: str
    id: str


@dataclass(frozen=True)
class Link:
    """Another way on from a card."""

    url: str
    words: str


@dataclass(frozen=True)
class Card:
    """A fact sheet under a reply: an appointment, an order. By text message only the reply is sent."""

    title: str
    lines: tuple[str, ...] = ()
    url: str = ""
    link: str = ""
    """What the link says."""

    more: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Kept:
    """What is kept for a patient who has not said yes yet: the key of it, and a sentence that says so."""

    key: str
    sentence: str = ""


@dataclass(frozen=True)
class Source:
    """Where a quoted answer stands."""

    title: str
    url: str = ""
    quote: str = ""


Start: TypeAlias = str | tuple[str, Mapping[str, str]]
"""A tool's name is suggested (the text asks, a yes opens it); a pair of name and keys is opened at once."""


@dataclass(frozen=True)
class Reply:
    """What a tool answers. Use `done` after a write, `say` after reading, `refuse` when it may not be."""

    text: str
    kind: Literal["done", "say", "refuse"]
    effects: tuple[Effect, ...] = ()
    choices: tuple[Choice, ...] = ()
    cards: tuple[Card, ...] = ()
    sources: tuple[Source, ...] = ()
    start: Start | None = None
    alternatives: tuple[Any, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    """What was spoken of, by the arguments that would name it: the next task is about it too."""

    handoff: str = ""
    """Why a person has to see this; empty when nobody has to."""

    @classmethod
    def done(cls, text: str, *, effect: Effect | None = None, **more: Any) -> Self:
        return cls._of("done", text, effects=(effect,) if effect else (), **more)

    @classmethod
    def say(cls, text: str, **more: Any) -> Self:
        return cls._of("say", text, **more)

    @classmethod
    def refuse(cls, sentence: str, alternatives: Sequence[Any] = (), **more: Any) -> Self:
        """Return a no with the nearest things that are possible; they are offered as choices."""
        return cls._of("refuse", sentence, alternatives=alternatives, **more)

    @classmethod
    def _of(
        cls,
        kind: Literal["done", "say", "refuse"],
        text: str,
        *,
        effects: Sequence[Effect] = (),
        choices: Sequence[Choice] = (),
        cards: Sequence[Card] = (),
        sources: Sequence[Source] = (),
        start: Start | None = None,
        alternatives: Sequence[Any] = (),
        about: Mapping[str, str] | None = None,
        handoff: str = "",
    ) -> Self:
        return cls(
            text,
            kind,
            tuple(effects),
            tuple(choices),
            tuple(cards),
            tuple(sources),
            start,
            tuple(alternatives),
            dict(about or {}),
            handoff,
        )


@dataclass(frozen=True)
class ToolArgument:
    """One parameter of a tool that the patient fills."""

    name: str
    kind: type[Argument]
    is_optional: bool


@dataclass(frozen=True)
class Tool:
    """A registered function with what its signature says."""

    name: str
    function: Callable[..., Reply]
    description: str
    arguments: tuple[ToolArgument, ...]
    confirm: str | Callable[..., str] = ""
    is_private: bool = False
    is_for_anyone: bool = False
    takes_context: bool = False
    label: str = ""
    examples: tuple[str, ...] = ()
    keep: "Keep | None" = None
    let_go: "LetGo | None" = None
    only_if: "OnlyIf | None" = None
    needs_person: tuple[type[Refusal], ...] = ()
    words: re.Pattern[str] | None = None
    is_in_menu: bool = True

    @property
    def asks_first(self) -> bool:
        return bool(self.confirm)

    @property
    def outline(self) -> ToolOutline:
        outlines = (ArgumentOutline(argument.name, argument.kind.description) for argument in self.arguments)
        return ToolOutline(self.name, self.description, tuple(outlines))

    @property
    def in_reading_order(self) -> tuple[ToolArgument, ...]:
        """Return the arguments in the order they are filled: what narrows the others down comes first."""
        return tuple(sorted(self.arguments, key=lambda argument: not argument.is_optional))

    def argument(self, name: str) -> ToolArgument | None:
        return next((argument for argument in self.arguments if argument.name == name), None)

    def question(self, values: Mapping[str, Any], context: ToolContext) -> str:
        """Return the exact action, to be read back before it is done."""
        if callable(self.confirm):
            takes_context = "context" in inspect.signature(self.confirm).parameters
            return self.confirm(**values, **({"context": context} if takes_context else {}))
        return _Wording().vformat(self.confirm, (), values)

    def run(self, patient: Patient | None, values: Mapping[str, Any], context: ToolContext) -> Reply:
        injected = {"context": context} if self.takes_context else {}
        return self.function(patient, **values, **injected)


Keep: TypeAlias = Callable[..., Kept]
LetGo: TypeAlias = Callable[[str], None]
OnlyIf: TypeAlias = Callable[[Patient | None], None]


class _Wording(string.Formatter):
    """Formats moments on the practice's wall clock, whatever zone they come in."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, datetime) and timezone.is_aware(value):
            value = timezone.localtime(value)
        return super().format_field(value, format_spec)


@dataclass(frozen=True)
class QuickReply:
    """What answers an outgoing message of one kind, and which words stand for which digit of it."""

    function: Callable[[Patient, Message, int, ToolContext], Reply]
    yes: int = 1
    no: int = 0
    said: Mapping[int, re.Pattern[str]] = field(default_factory=dict)
    about: str = ""


@dataclass
class Registry:
    """Every tool and quick reply, in the order of their apps."""

    _tools: dict[str, Tool] = field(default_factory=dict)
    _quick_replies: dict[str, QuickReply] = field(default_factory=dict)

    def add(self, tool: Tool) -> None:
        self._tools[tool.name] = tool

    def remove(self, name: str) -> None:
        self._tools.pop(name, None)

    def limited_to(self, names: Collection[str]) -> "Registry":
        """Return a registry of these tools alone; the quick replies are the same."""
        tools = {name: tool for name, tool in self._tools.items() if name in names}
        return Registry(tools, self._quick_replies)

    def tools(self) -> dict[str, Tool]:
        return dict(self._tools)

    def get(self, name: str) -> Tool | None:
        return self._tools.get(name)

    def open_to(self, patient: Patient | None) -> list[Tool]:
        """Return what this person may do; a visitor who is not signed in may do little."""
        return [tool for tool in self._tools.values() if patient or tool.is_for_anyone]

    def unmistakable(self) -> dict[str, re.Pattern[str]]:
        """Return the words that open a task without asking any engine, by the task's name."""
        return {tool.name: tool.words for tool in self._tools.values() if tool.words}

    def outlines(self) -> tuple[ToolOutline, ...]:
        return tuple(tool.outline for tool in self._tools.values())

    def add_quick_reply(self, kind: str, answer: QuickReply) -> None:
        self._quick_replies[kind] = answer

    @property
    def answerable_kinds(self) -> frozenset[str]:
        """Return the kinds of messages that a bare digit may answer."""
        return frozenset(self._quick_replies)

    def quick_reply(self, kind: str) -> QuickReply | None:
        """Return what answers a bare 1, 2 or 3 to a message of this kind."""
        return self._quick_replies.get(kind)


registry = Registry()

Function = Callable[..., Reply]


def tool(
    *,
    confirm: str | Callable[..., str] = "",
    private: bool = False,
    label: str = "",
    examples: Sequence[str] = (),
    keep: Keep | None = None,
    let_go: LetGo | None = None,
    only_if: OnlyIf | None = None,
    needs_person: Sequence[type[Refusal]] = (),
    words: str = "",
    menu: bool = True,
) -> Callable[[Function], Function]:
    """Register a function as something that the assistant can do.

    The first parameter is the patient and is injected; `patient: Patient | None` opens the tool to
    visitors who are not signed in. A keyword-only `context: ToolContext` is injected too. Every
    other parameter is annotated with an Argument class, or with `Annotated[Value, ArgumentClass]`
    (so that the type checker sees the value); `| None = None` makes it optional: filled when said,
    never asked for. `confirm` is the question that is read back before a write, with the values in
    braces (moments are shown in practice time), or a function of the values and, if it takes it,
    `context`. `private` asks for the date of birth first by text message. `label` names the task in
    menus.

    `keep` is called with the patient, the values and `context` just before the action is read back
    and puts it aside for the patient; what it raises is answered at once. `let_go` is called with
    the key of what was kept when the patient does not take it; it must bear being called for what
    was taken after all. `only_if` raises what speaks against this patient's doing it at all, before
    anything is asked. After a refusal of `needs_person` the task is closed and a person offered.
    `words` is a pattern of unmistakable words (as `keywords.keys` writes them) that open the task
    without asking any engine. `menu=False` leaves it out of what the assistant says it can do.
    """

    def register(function: Function) -> Function:
        signature = _tool(function, confirm, private, label, tuple(examples))
        registry.add(
            replace(
                signature,
                keep=keep,
                let_go=let_go,
                only_if=only_if,
                needs_person=tuple(needs_person),
                words=re.compile(words) if words else None,
                is_in_menu=menu,
            )
        )
        return function

    return register


Answer = TypeVar("Answer", bound=Callable[[Patient, Message, int, ToolContext], Reply])


def quick_replies(
    kind: str, *, yes: int = 1, no: int = 0, said: Mapping[int, str] | None = None, about: str = ""
) -> Callable[[Answer], Answer]:
    """Register the answer to a bare 1, 2 or 3 that follows an outgoing message of this kind.

    A plain yes and a plain no stand for the digits `yes` and `no`, 0 for none; `said` gives further
    words the number that the function is called with: patterns that fit the whole message but for its
    manners (see `plain.without_manners`). `about` names the
    argument whose key is the message's subject: what is said next is about it.
    """
    patterns = {digit: re.compile(words) for digit, words in (said or {}).items()}

    def register(function: Answer) -> Answer:
        registry.add_quick_reply(kind, QuickReply(function, yes, no, patterns, about))
        return function

    return register


def _tool(
    function: Function,
    confirm: str | Callable[..., str],
    private: bool,
    label: str,
    examples: tuple[str, ...],
) -> Tool:
    hints = typing.get_type_hints(function, include_extras=True)
    (patient, *others) = inspect.signature(function).parameters
    return Tool(
        name=function.__name__,
        function=function,
        description=inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].replace("\n", " "),
        arguments=tuple(_argument(name, hints[name]) for name in others if name != "context"),
        confirm=confirm,
        is_private=private,
        is_for_anyone=types.NoneType in typing.get_args(hints[patient]),
        takes_context="context" in others,
        label=label or function.__name__.replace("_", " ").capitalize(),
        examples=examples,
    )


def _argument(name: str, hint: Any) -> ToolArgument:
    is_optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = (
        [member for member in typing.get_args(hint) if member is not types.NoneType]
        if is_optional
        else [hint]
    )
    return ToolArgument(name, _kind(name, kinds[0]), is_optional)


def _kind(name: str, hint: Any) -> type[Argument]:
    candidates = [hint, *getattr(hint, "__metadata__", ())]
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, Argument):
            return candidate
    raise TypeError(f"{name} must be annotated with an Argument class")
