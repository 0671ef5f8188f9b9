"""Backends for tests: answers from a script, vectors from words."""

import hashlib
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.backends.base import ModelRefused, ModelUnavailable

ScriptedAnswer = str | ModelUnavailable | ModelRefused


@dataclass(frozen=True)
class Asked:
    """One request that was made."""

    messages: tuple[dict[str, str], ...]
    schema: Mapping[str, Any] | None
    grammar: str | None
    max_tokens: int
    deadline_seconds: float | None
    model: str = ""
    user: str = ""


class ScriptedBackend:
    """Gives the queued answers in order, and keeps what was asked; unavailable when they run out."""

    def __init__(self, base_url: str = "", *, answers: Sequence[ScriptedAnswer] = ()) -> None:
        self.answers: deque[ScriptedAnswer] = deque(answers)
        self.history: list[Asked] = []

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        schema: Mapping[str, Any] | None = None,
        grammar: str | None = None,
        max_tokens: int = 96,
        deadline_seconds: float | None = None,
        model: str = "",
        user: str = "",
    ) -> str:
        said = tuple(dict(message) for message in messages)
        self.history.append(Asked(said, schema, grammar, max_tokens, deadline_seconds, model, user))
        if not self.answers:
            raise ModelUnavailable("The script has ended.")
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stream(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        schema: Mapping[str, Any] | None = None,
        grammar: str | None = None,
        max_tokens: int = 96,
        deadline_seconds: float | None = None,
        model: str = "",
        user: str = "",
    ) -> Iterator[str]:
        answer = self.complete(
            messages,
            schema=schema,
            grammar=grammar,
            max_tokens=max_tokens,
            deadline_seconds=deadline_seconds,
            model=model,
            user=user,
        )
        yield from re.findall(r"\S+\s*", answer)

    def load(self, model: str) -> None:
        """A script answers as any model."""


class WordEmbedder:
    """Counts words into a fixed number of places: texts that share words are near each other."""

    dimensions = 384

    def __init__(self, base_url: str = "") -> None:
        self.history: list[str] = []

    def embed(self, texts: Sequence[str], *, deadline_seconds: float | None = None) -> list[list[float]]:
        self.history += texts
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in re.findall(r"\w+", text.casefold()):
            digest = hashlib.blake2s(word.encode(), digest_size=4).digest()
            vector[int.from_bytes(digest) % self.dimensions] += 1.0
        length = math.sqrt(sum(number * number for number in vector)) or 1.0
        return [number / length for number in vector]
