"""The example bank in memory: which examples a message is likest to, by one product of numpy.

The rows hold the texts and their vectors; every process keeps a copy that it checks by a stamp.
"""

import logging
import math
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Sum
from numpy.typing import NDArray

from chatbot import backends, nearest
from chatbot.backends.base import ModelRefused, ModelUnavailable
from chatbot.commands import Command
from chatbot.models import Assistant, Example
from chatbot.models.example import new_stamp
from chatbot.prompt import Sample, Style, Turn, normalise

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 2.0
"""How long a process trusts its copy before it asks the database whether it still is the bank."""

HINT_SECONDS = 0.5
"""How long the embedder may take before a message goes without a hint."""

SWEEP_SECONDS = 30.0
BATCH = 64
"""Examples that one request to the embedder holds."""

SAMPLES = 5
"""Examples that a general model is shown."""

Stamp = tuple[str, int, int]
Likeness = NDArray[np.float32]


@dataclass(frozen=True)
class Bank:
    """Every example that has its vector, a row of the matrix each.

    `owners` holds the key of the assistant that an example is for, 0 for all of them; `samples` the
    example, `names` its first command, and `kinds` the place of that in `known`.
    """

    stamp: Stamp
    matrix: Likeness
    owners: NDArray[np.int64]
    kinds: NDArray[np.int64]
    known: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()

    def likeness(self, vector: Sequence[float], *, assistant: Assistant, among: Collection[str]) -> Likeness:
        """Return the cosine with each example; -1 for those of others, and of tasks that are not there."""
        likeness = self.matrix @ np.asarray(vector, dtype=np.float32)
        is_ours = (self.owners == 0) | (self.owners == (assistant.pk or 0))
        is_possible = np.array([name in among for name in self.known], dtype=bool)
        return np.where(is_ours & is_possible[self.kinds], likeness, np.float32(-1))


_EMPTY = Bank(("", 0, 0), np.empty((0, 0), np.float32), np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass
class _Held:
    """The process's copy, and when it was last held against the database."""

    bank: Bank = _EMPTY
    looked_at: float = -math.inf


_held = _Held()
_looking = threading.Lock()


def current() -> Bank:
    """Return the bank as the database had it some seconds ago at most.

    It is read again only where the stamp has changed; meanwhile other threads go on with the copy that
    there is.
    """
    if time.monotonic() - _held.looked_at < LOOK_EVERY_SECONDS:
        return _held.bank
    if _looking.acquire(blocking=not _held.bank.samples):
        try:
            stamp = _stamp()
            if _held.bank.stamp != stamp:
                _held.bank = _loaded(stamp)
            _held.looked_at = time.monotonic()
        finally:
            _looking.release()
    return _held.bank


def _stamp() -> Stamp:
    """Return what changes with every change of the bank, from the index alone."""
    model = settings.EMBEDDINGS_MODEL
    counted = Example.objects.banked().embedded(model).aggregate(rows=Count("pk"), sum=Sum("stamp"))
    return model, counted["rows"], counted["sum"] or 0


def _loaded(stamp: Stamp) -> Bank:
    rows = list(
        Example.objects.banked()
        .embedded(stamp[0])
        .order_by("pk")
        .values_list("text", "commands", "assistant", "vector")
    )
    if not rows:
        return replace(_EMPTY, stamp=stamp)
    texts, commands, owners, vectors = zip(*rows, strict=True)
    flat = np.frombuffer(b"".join(map(bytes, vectors)), dtype=np.float16)
    samples = tuple(map(_sample, texts, commands))
    names = tuple(sample.commands[0].name for sample in samples)
    known = tuple(dict.fromkeys(names))
    place_of = {name: place for place, name in enumerate(known)}
    return Bank(
        stamp,
        flat.reshape(len(rows), -1).astype(np.float32),
        owners=np.array([owner or 0 for owner in owners], np.int64),
        kinds=np.array([place_of[name] for name in names], np.int64),
        known=known,
        names=names,
        samples=samples,
    )


def _sample(text: str, commands: Sequence[dict]) -> Sample:
    return Sample(text, tuple(Command(said["name"], said["arguments"]) for said in commands))


# What a turn is told


def told(turn: Turn, style: Style, *, assistant: Assistant, among: Collection[str]) -> Turn:
    """Return the turn with what its model is to know of the bank; as it is where the embedder is down."""
    if style is Style.COMPACT or not (bank := current()).samples:
        return turn
    try:
        [vector] = backends.embedder().embed([normalise(turn.message)], deadline_seconds=HINT_SECONDS)
    except (ModelUnavailable, ModelRefused) as problem:
        logger.warning("no hint from the example bank: %s", type(problem).__name__)
        return turn
    likeness = bank.likeness(vector, assistant=assistant, among=among)
    if style is Style.HINTED:
        return replace(turn, near=nearest.hints(likeness, bank.names))
    likest = nearest.likeliest(likeness, SAMPLES)
    return replace(turn, samples=tuple(bank.samples[place] for place in likest))


# Vectors


def sweep(seconds: float = math.inf) -> int:
    """Give every example its vector, a batch at a time; return how many were given.

    What was done stays done: a sweep that is broken off, or whose time is up, goes on where it stopped.
    Raises ModelUnavailable or ModelRefused.
    """
    model, given, ends_at = settings.EMBEDDINGS_MODEL, 0, time.monotonic() + seconds
    while time.monotonic() < ends_at and (
        batch := list(Example.objects.without_vector(model).values_list("pk", "text")[:BATCH])
    ):
        vectors = backends.embedder().embed([text for _, text in batch], deadline_seconds=SWEEP_SECONDS)
        with transaction.atomic():
            given += sum(
                _give(pk, text, vector, model) for (pk, text), vector in zip(batch, vectors, strict=True)
            )
    return given


def _give(pk: int, text: str, vector: Sequence[float], model: str) -> int:
    """Store a vector, unless the words have changed while it was made."""
    stored = np.asarray(vector, dtype=np.float16).tobytes()
    row = Example.objects.filter(pk=pk, text=text)
    return row.update(vector=stored, vector_model=model, stamp=new_stamp())


def waiting() -> int:
    """Return how many examples have no vector yet."""
    return Example.objects.without_vector(settings.EMBEDDINGS_MODEL).count()
