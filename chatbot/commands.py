"""The closed list of what a message can mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field

GENERAL_COMMANDS: dict[str, str] = {
    "set": "gives, or corrects, details of the open task",
    "yes": "agrees to what was just asked",
    "no": "declines what was just asked",
    "stop": "gives up the open task",
    "more": "wants other choices than those offered",
    "repeat": "wants the last reply again",
    "handoff": "wants to talk to a person, or is upset with the assistant",
    "urgent": "describes an eye problem that may need care today",
    "greet": "only says hello",
    "thanks": "only says thank you",
    "goodbye": "says goodbye",
    "unclear": "makes no sense here, or asks for something the practice does not do",
}
"""Commands that belong to no tool, each with what it means for a language model."""


@dataclass(frozen=True)
class Command:
    """One thing that a patient wants; each argument is a span of the patient's own words."""

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ArgumentOutline:
    """What a language model has to know of one argument of a tool."""

    name: str
    description: str


@dataclass(frozen=True)
class ToolOutline:
    """What a language model has to know of one tool."""

    name: str
    description: str
    arguments: tuple[ArgumentOutline, ...] = ()
