"""The answers that are written together over one set of weights: one evaluation a step for all of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.modelhost.engine import Context, Row, Weights
from chatbot.modelhost.generation import Generation, Request, Voice
from chatbot.modelhost.metrics import Metrics
from chatbot.modelhost.sequences import TRUNKS, Cache, Strand, Trunk

READ_SECONDS = 2.0
"""A step that only reads prompts takes about so long: then late and abandoned requests are dropped."""

STALL_SECONDS = 0.15
"""A step in which others are writing is held up by about so much reading."""

TURN_STEPS = 4
"""Steps that an adapter has before another one's turn: llama.cpp plans its work anew at each change."""

SLICE_TOKENS = 16
"""A prompt is read by at least so many tokens at a time."""


@dataclass(frozen=True)
class _Work:
    """One row of a step: who asked for it, and the text that it makes longer."""

    row: Row
    text: Strand | Trunk
    generation: Generation


class Batch:
    """Weights, their context, and the answers at work on it. One thread owns it."""

    def __init__(
        self,
        weights: Weights,
        *,
        cells: int,
        parallel: int = 1,
        threads: int = 0,
        resting_bytes: int = 64_000_000,
        metrics: Metrics | None = None,
    ) -> None:
        self.weights = weights
        self.parallel = parallel
        self.metrics = metrics or Metrics()
        sequences = 1 + parallel + TRUNKS  # the hand, the answers, the beginnings they share
        self.context = Context(weights, cells=cells, sequences=sequences, threads=threads)
        self.cache = Cache(self.context, resting_bytes=resting_bytes, metrics=self.metrics)
        self.running: list[Generation] = []
        self._adapter_key = ""
        self._turn_steps = 0
        self._token_seconds = 0.0

    def admit(self, request: Request, voice: Voice) -> Generation | None:
        """Take a request to work on; None while there is no room. Raises PromptTooLong or GrammarRefused."""
        if len(self.running) >= self.parallel:
            return None
        reading = request.read(self.weights, voice)
        strand = self.cache.open(voice.adapter_key, reading.tokens, reading.stable, reading.limit)
        if strand is None:
            return None
        generation = Generation(request, reading, strand)
        self.running.append(generation)
        return generation

    def step(self) -> None:
        """Evaluate once for the answers under one adapter, and say what came of it."""
        for generation in [entry for entry in self.running if not entry.request.is_wanted()]:
            self.finish(generation)
        group = self._next_group()
        if not group:
            return
        work = self._work(group)
        started = time.perf_counter()
        scores = self.context.decode([entry.row for entry in work], group[0].reading.voice.adapter)
        self._learn_pace(work, time.perf_counter() - started)
        for entry in work:
            entry.text.advance(entry.row.tokens)
        hearers = [entry.generation for entry in work if entry.row.wants_scores]
        for generation, found in zip(hearers, scores, strict=True):
            self._hear(generation, found)

    def finish(self, generation: Generation, problem: Exception | None = None) -> None:
        """End an answer, complete or not; its text is remembered unless there was a problem."""
        self.running.remove(generation)
        self.cache.close(generation.strand, keeps=problem is None)
        self._count(generation)
        generation.close(problem)

    def abort(self, problem: Exception) -> None:
        """End every answer after a failed evaluation, and forget what may be damaged."""
        for generation in list(self.running):
            self.finish(generation, problem)
        self.cache.clear()

    def drop_adapter(self, key: str, adapter: Any) -> None:
        """Give an adapter's memory back, and forget what was read with it; nobody may be using it."""
        self.cache.forget_adapter(key)
        self.context.drop_adapter(adapter)

    def close(self) -> None:
        """Give the memory back; nothing may be running."""
        self.context.close()
        self.weights.close()

    # What is evaluated next

    def _next_group(self) -> list[Generation]:
        """Return the answers under one adapter: they take turns, for no batch may hold two."""
        keys = sorted({generation.reading.voice.adapter_key for generation in self.running})
        if not keys:
            return []
        self._turn_steps -= 1
        if self._turn_steps <= 0 or self._adapter_key not in keys:
            self._adapter_key = next((key for key in keys if key > self._adapter_key), keys[0])
            self._turn_steps = TURN_STEPS
        return [entry for entry in self.running if entry.reading.voice.adapter_key == self._adapter_key]

    def _work(self, group: Sequence[Generation]) -> list[_Work]:
        """Return a token for everyone who is writing, and slices of the prompts that are being read."""
        work = [_next_token(generation) for generation in group if generation.is_writing]
        readers = [generation for generation in group if not generation.is_writing]
        budget = self._budget(len(work))
        for before, generation in enumerate(readers):
            share = max(SLICE_TOKENS, budget // (len(readers) - before))
            entry = self._next_slice(generation, min(share, budget), work) if budget > 0 else None
            if entry is not None:
                work.append(entry)
                budget -= len(entry.row.tokens)
                self.running.remove(generation)  # to the end of the line: others go first next time
                self.running.append(generation)
        return work

    def _budget(self, writers: int) -> int:
        """Return how many tokens of prompts may be read in this step."""
        room = self.context.batch_tokens - writers
        if not self._token_seconds:
            return room
        seconds = STALL_SECONDS if writers else READ_SECONDS
        return min(room, max(SLICE_TOKENS, int(seconds / self._token_seconds)))

    def _next_slice(self, generation: Generation, most: int, work: Sequence[_Work]) -> _Work | None:
        """Return the next part of a prompt; None where another one is reading their shared beginning."""
        strand, trunk = generation.strand, generation.strand.trunk
        if trunk and not trunk.is_complete:
            if any(entry.text is trunk for entry in work):
                return None
            part = trunk.tokens[trunk.evaluated : trunk.evaluated + most]
            generation.evaluated += len(part)
            return _Work(Row(trunk.sequence, trunk.evaluated, part, False), trunk, generation)
        if not strand.has_begun:
            self.cache.begin(strand, generation.reading.tokens)
            generation.tally.cached_tokens = len(strand.tokens) - generation.evaluated
        start = len(strand.tokens)
        part = generation.reading.tokens[start : start + most]
        generation.evaluated += len(part)
        is_last = start + len(part) == len(generation.reading.tokens)
        return _Work(Row(strand.sequence, start, part, is_last), strand, generation)

    def _learn_pace(self, work: Sequence[_Work], seconds: float) -> None:
        """Remember how long a token of a prompt takes, from steps that mostly read."""
        tokens = sum(len(entry.row.tokens) for entry in work)
        self.metrics.batch_rows.observe(len(work))
        self.metrics.batch_tokens.observe(tokens)
        if tokens >= SLICE_TOKENS:
            pace = seconds / tokens
            self._token_seconds = 0.7 * self._token_seconds + 0.3 * pace if self._token_seconds else pace

    # What came of it

    def _hear(self, generation: Generation, scores: NDArray[np.float32]) -> None:
        try:
            goes_on = generation.hear(self.weights, scores)
        except Exception as problem:  # noqa: BLE001 - told to the caller; the others go on
            self.finish(generation, problem)
            return
        if not goes_on:
            self.finish(generation)

    def _count(self, generation: Generation) -> None:
        tally, metrics = generation.tally, self.metrics
        metrics.prompt_tokens.labels("cached").inc(tally.cached_tokens)
        metrics.prompt_tokens.labels("evaluated").inc(generation.evaluated)
        metrics.completion_tokens.inc(tally.completion_tokens)
        if generation.first_at:
            metrics.first_token.observe(generation.first_at - generation.request.asked_at)
        if tally.completion_tokens > 1:
            passed = time.perf_counter() - generation.first_at
            metrics.per_token.observe(passed / (tally.completion_tokens - 1))


def _next_token(generation: Generation) -> _Work:
    strand = generation.strand
    row = Row(strand.sequence, len(strand.tokens), [generation.next_token], True)
    return _Work(row, strand, generation)
