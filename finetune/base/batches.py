"""Examples as padded batches of like length, in an order that the seed, the stage and the step decide."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finetune.base.crew import Crew
from finetune.base.tokenizer import PAD_ID

LENGTH_STEP = 8
"""Lengths are rounded up to a multiple of this, so that few shapes occur."""

POOL = 4096
"""Examples that are sorted by length and cut into batches together."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Encoded:
    """The ids of many examples, one after the other.

    Example `n` ends at `ends[n]` and starts where the one before ends; its first `prompts[n]` ids are
    the prompt's.
    """

    ids: NDArray[np.int32]
    ends: Ids
    prompts: Ids

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, place: int) -> tuple[NDArray[np.int32], int]:
        start = self.ends[place - 1] if place else 0
        return self.ids[start : self.ends[place]], int(self.prompts[place])

    def __add__(self, other: "Encoded") -> "Encoded":
        return Encoded(
            np.concatenate([self.ids, other.ids]),
            np.concatenate([self.ends, other.ends + len(self.ids)]),
            np.concatenate([self.prompts, other.prompts]),
        )

    @property
    def lengths(self) -> Ids:
        return np.diff(self.ends, prepend=0)

    @classmethod
    def of(cls, pairs: Iterable[tuple[Sequence[int], Sequence[int]]], *, context: int) -> "Encoded":
        """Return pairs of prompt and answer, without those that are longer than the model's context."""
        fitting = [(prompt, answer) for prompt, answer in pairs if len(prompt) + len(answer) <= context]
        ids = [np.array([*prompt, *answer], dtype=np.int32) for prompt, answer in fitting]
        lengths = np.array([len(example) for example in ids], dtype=np.int64)
        prompts = np.array([len(prompt) for prompt, _ in fitting], dtype=np.int64)
        flat = np.concatenate(ids) if ids else np.zeros(0, dtype=np.int32)
        return cls(flat, lengths.cumsum(), prompts)

    def save(self, path: Path) -> None:
        unfinished = path.with_suffix(".unfinished.npz")
        np.savez(unfinished, ids=self.ids, ends=self.ends, prompts=self.prompts)
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Encoded":
        with np.load(path) as kept:
            return cls(kept["ids"], kept["ends"], kept["prompts"])


@dataclass(frozen=True)
class Batch:
    """Token ids to read, ids to predict, and how much each prediction counts."""

    ids: Tensor
    targets: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Mixture:
    """Two sources that batches are drawn from, for ever: each is gone through in a new order each time."""

    own: Encoded
    other: Encoded

    def batches(
        self,
        *,
        own_share: float,
        tokens: int,
        prompt_weight: float,
        seed: str,
        first_step: int = 0,
        crew: Crew = Crew(),  # noqa: B008 - it cannot be changed
    ) -> Iterator[Batch]:
        """Yield batches of about `tokens` tokens, of those of a crew the ones for this process.

        What is yielded for a step depends on the arguments alone, so a run that was stopped goes on
        with the very batches that it would have seen.
        """
        both = self.own + self.other
        first = first_step * crew.size + crew.rank
        cut = islice(self._cut(both.lengths, own_share, tokens, seed), first, None, crew.size)
        return (_pad([both[place] for place in group], prompt_weight) for group in cut)

    def _cut(self, lengths: Ids, own_share: float, tokens: int, seed: str) -> Iterator[list[int]]:
        order = self._order(own_share, random.Random(f"{seed}/order"))
        chance = random.Random(f"{seed}/batches")
        while True:
            pool = sorted(islice(order, POOL), key=lengths.__getitem__)
            groups = list(_groups(pool, lengths, tokens))
            chance.shuffle(groups)
            yield from groups

    def _order(self, own_share: float, chance: random.Random) -> Iterator[int]:
        own, other = range(len(self.own)), range(len(self.own), len(self.own) + len(self.other))
        share = own_share if other else 1.0
        from_own, from_other = _endless(own, chance), _endless(other, chance)
        while True:
            yield next(from_own if chance.random() < share else from_other)


def _endless(places: range, chance: random.Random) -> Iterator[int]:
    while places:
        yield from chance.sample(places, len(places))


def _groups(pool: Sequence[int], lengths: Ids, tokens: int) -> Iterator[list[int]]:
    group: list[int] = []
    for place in pool:
        if group and _rounded(int(lengths[place])) * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(place)
    yield group


def once(encoded: Encoded, *, tokens: int) -> Iterator[Batch]:
    """Yield every example once, for measuring: only the answers count."""
    pool = sorted(range(len(encoded)), key=encoded.lengths.__getitem__)
    for group in _groups(pool, encoded.lengths, tokens) if pool else ():
        yield _pad([encoded[place] for place in group], 0.0)


def _rounded(length: int) -> int:
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def _pad(group: Sequence[tuple[NDArray[np.int32], int]], prompt_weight: float) -> Batch:
    length = _rounded(max(len(example) for example, _ in group))
    ids = np.full((len(group), length), PAD_ID, dtype=np.int64)
    weights = np.zeros((len(group), length), dtype=np.float32)
    for row, (example, prompt) in enumerate(group):
        ids[row, : len(example)] = example
        weights[row, : prompt - 1] = prompt_weight
        weights[row, prompt - 1 : len(example) - 1] = 1.0
    read = torch.from_numpy(ids)
    return Batch(read, read.roll(-1, dims=1), torch.from_numpy(weights))
