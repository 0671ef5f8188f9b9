"""Held-out loss and perplexity of a GGUF in llama.cpp: how surprised it is by the right answers."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chatbot import prompt
from chatbot.modelhost.engine import Weights
from chatbot.prompt import Style
from finetune.examples import Example
from finetune.tasks import TOOLS
from finetune.weights.runtime import Runtime

CONTEXT = 1024


@dataclass(frozen=True)
class Loss:
    """Summed over tokens that count; a token is the model's own, a byte is everybody's."""

    nats: float
    tokens: int
    bytes: int

    @property
    def per_token(self) -> float:
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        return math.exp(self.per_token)

    @property
    def bits_per_byte(self) -> float:
        """What is comparable between models with different tokenizers."""
        return self.nats / math.log(2) / self.bytes

    def __add__(self, other: "Loss") -> "Loss":
        return Loss(self.nats + other.nats, self.tokens + other.tokens, self.bytes + other.bytes)


NOTHING = Loss(0.0, 0, 0)


class Reader:
    """A GGUF, with adapter or without, that is shown texts and says how likely each token was."""

    def __init__(self, path: Path, *, adapter: Path | None = None, context_tokens: int = CONTEXT) -> None:
        self._weights = Weights(path)
        self._context = min(context_tokens, self._weights.trained_context)
        self._runtime = Runtime(path, adapter=adapter, context_tokens=self._context)

    def answers(self, examples: Iterable[Example], style: Style) -> Loss:
        """Return the loss on the examples' answers, each given its prompt as it is served."""
        return sum((self._answer(example, style) for example in examples), NOTHING)

    def texts(self, texts: Iterable[str]) -> Loss:
        """Return the loss on whole texts, cut into pieces of the context's length; each piece starts anew."""
        return sum((self._text(text) for text in texts), NOTHING)

    def _answer(self, example: Example, style: Style) -> Loss:
        asked = self._weights.tokens(prompt.render(example.turn, TOOLS, style))
        said = self._following(example.answer)
        if len(asked) + len(said) > self._context:
            return NOTHING
        return self._of(asked, said, len(example.answer.encode()))

    def _following(self, text: str) -> list[int]:
        """Return a text's tokens behind a line break, where no blank is put in front of it."""
        line, whole = self._runtime.encode("\n"), self._runtime.encode(f"\n{text}")
        return whole[len(line) :] if whole[: len(line)] == line else self._runtime.encode(text)

    def _text(self, text: str) -> Loss:
        ids = self._runtime.encode(text)
        size = self._context - 1
        pieces = [ids[start : start + size] for start in range(0, len(ids), size)]
        losses = (self._of(piece[:1], piece[1:], 0) for piece in pieces if len(piece) > 1)
        found = sum(losses, NOTHING)
        return Loss(found.nats, found.tokens, len(text.encode())) if found.tokens else NOTHING

    def _of(self, known: Sequence[int], counted: Sequence[int], size: int) -> Loss:
        logits = self._runtime.logits([*known, *counted[:-1]])[len(known) - 1 :]
        return Loss(float(-_log_likelihood(logits, counted).sum()), len(counted), size)

    def close(self) -> None:
        self._runtime.close()
        self._weights.close()


def _log_likelihood(logits: NDArray[np.float32], tokens: Sequence[int]) -> NDArray[np.float64]:
    """Return the logarithm of each token's probability after the logits in its row."""
    scores = logits.astype(np.float64)
    highest = scores.max(axis=1)
    whole = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return scores[np.arange(len(tokens)), list(tokens)] - whole
