"""One answer on its way: who asked for what, how far it is, and how its next token is said."""

import codecs
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.modelhost.answers import Prompt, PromptTooLong, Tally
from chatbot.modelhost.catalogue import Entry
from chatbot.modelhost.constraint import Constraint
from chatbot.modelhost.engine import Weights
from chatbot.modelhost.sampling import choose
from chatbot.modelhost.sequences import Strand


@dataclass(frozen=True)
class Voice:
    """Which model speaks: an adapter, or none, on the weights, and the context it may fill."""

    name: str
    context_tokens: int
    adapter_key: str = ""
    adapter: Any = None


@dataclass(frozen=True)
class Reading:
    """A prompt as a model reads it, good for as long as that model is loaded."""

    weights: Weights
    voice: Voice
    tokens: list[int]
    stable: int
    limit: int
    constraint: Constraint


@dataclass(eq=False)
class Request:
    """Somebody who waits for an answer, and is told its pieces and its end.

    `caller` names the conversation, whose requests share their turns; `entry` the model that is asked.
    """

    entry: Entry
    prompt: Prompt
    tally: Tally
    say: Callable[[str], None]
    end: Callable[[Exception | None], None]
    is_wanted: Callable[[], bool] = lambda: True
    caller: str = ""
    asked_at: float = field(default_factory=time.perf_counter)
    reading: Reading | None = None

    def read(self, weights: Weights, voice: Voice) -> Reading:
        """Return the prompt as tokens, read once for a model; raises PromptTooLong or GrammarRefused."""
        if self.reading is None or (self.reading.weights, self.reading.voice) != (weights, voice):
            self._forget_reading()
            self.reading = self._read(weights, voice)
        return self.reading

    def _read(self, weights: Weights, voice: Voice) -> Reading:
        tokens = weights.tokens(self.prompt.messages)
        self.tally.prompt_tokens = len(tokens)
        room = voice.context_tokens - len(tokens)
        if room < 1:
            raise PromptTooLong(
                f"The prompt has {len(tokens)} tokens; the context holds {voice.context_tokens}."
            )
        stable = min(weights.stable_tokens(self.prompt.messages), len(tokens) - 1)
        limit = min(self.prompt.max_tokens, room)
        constraint = weights.constraint(self.prompt.grammar)
        return Reading(weights, voice, tokens, stable, limit, constraint)

    def _forget_reading(self) -> None:
        if self.reading is not None:
            self.reading.constraint.close()
            self.reading = None

    def close(self, problem: Exception | None = None) -> None:
        """Tell that this is all; to be called once."""
        self._forget_reading()
        self.end(problem)


class Generation:
    """An answer that is being worked on: its prompt is read first, then it is written."""

    def __init__(self, request: Request, reading: Reading, strand: Strand) -> None:
        self.request = request
        self.reading = reading
        self.strand = strand
        self.tally = request.tally
        self.next_token = -1
        self.evaluated = 0  # tokens of the prompt read for this answer, a shared beginning included
        self.first_at = 0.0
        self._chance = np.random.default_rng(request.prompt.seed)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    @property
    def is_writing(self) -> bool:
        return self.next_token >= 0

    def hear(self, weights: Weights, scores: NDArray[np.float32]) -> bool:
        """Say one token more; False when the answer is complete. Raises NothingFits."""
        constraint = self.reading.constraint
        token = choose(scores, constraint, self.request.prompt.temperature, self._chance)
        self.first_at = self.first_at or time.perf_counter()
        if weights.is_end(token):
            self.tally.finish_reason = "stop"
            return False
        constraint.accept(token)
        piece = weights.piece(token, is_first=self.tally.completion_tokens == 0)
        self.request.say(self._decoder.decode(piece))
        self.tally.completion_tokens += 1
        self.next_token = token
        return self.tally.completion_tokens < self.reading.limit

    def close(self, problem: Exception | None) -> None:
        """Say what is left of a character that was cut short, and that this is all."""
        if problem is None and (rest := self._decoder.decode(b"", final=True)):
            self.request.say(rest)
        self.request.close(problem)
