"""What is asked of a model, what an answer costs, and why there may be none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class ModelMissing(FileNotFoundError):
    """There is no GGUF where it is said to be."""


class ModelUnusable(ValueError):
    """The file is there and cannot be used; the text says why."""


class PromptTooLong(ValueError):
    """The prompt leaves no room in the context."""


class NothingFits(RuntimeError):
    """No token of the vocabulary continues the text as the grammar demands."""


@dataclass(frozen=True)
class Prompt:
    """What to answer, and within what bounds. A temperature of 0 takes the likeliest token."""

    messages: Sequence[Mapping[str, str]]
    grammar: str | None = None
    max_tokens: int = 96
    temperature: float = 0.0
    seed: int = 0


@dataclass
class Tally:
    """What an answer cost so far; filled in while it is written."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = "length"
