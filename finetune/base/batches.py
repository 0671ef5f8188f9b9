"""Examples as padded batches of like length."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from finetune.base.tokenizer import PAD_ID, Tokenizer
from finetune.examples import Example

LENGTH_STEP = 8
"""Lengths are rounded up to a multiple of this, so that few shapes occur."""


@dataclass(frozen=True)
class Encoded:
    """The ids of one example; the first `prompt_length` are the prompt's."""

    ids: tuple[int, ...]
    prompt_length: int


@dataclass(frozen=True)
class Batch:
    """Token ids to read, ids to predict, and how much each prediction counts."""

    ids: Tensor
    targets: Tensor
    weights: Tensor


def encode(examples: Sequence[Example], tokenizer: Tokenizer, *, context: int) -> list[Encoded]:
    """Return the examples' ids, without those that are longer than the model's context."""
    pairs = (tokenizer.encode_example(example) for example in examples)
    encoded = [Encoded((*prompt, *answer), len(prompt)) for prompt, answer in pairs]
    return [example for example in encoded if len(example.ids) <= context]


def mix(
    own: Sequence[Encoded], public: Sequence[Encoded], *, own_share: float, seed: int
) -> Iterator[Encoded]:
    """Yield examples for ever; each source is gone through in a new order each time."""
    chance = random.Random(seed)
    share = own_share if public else 1.0
    endless_own, endless_public = _endless(own, chance), _endless(public, chance)
    while True:
        yield next(endless_own if chance.random() < share else endless_public)


def _endless(examples: Sequence[Encoded], chance: random.Random) -> Iterator[Encoded]:
    while examples:
        yield from chance.sample(examples, len(examples))


def batches(examples: Iterator[Encoded], *, tokens: int, prompt_weight: float, seed: int) -> Iterator[Batch]:
    """Yield batches of about `tokens` tokens: a pool of examples is sorted by length, then cut."""
    chance = random.Random(seed)
    while True:
        pool = sorted((next(examples) for _ in range(4096)), key=lambda example: len(example.ids))
        cut = list(_cut(pool, tokens))
        chance.shuffle(cut)
        yield from (_pad(group, prompt_weight) for group in cut)


def _cut(pool: list[Encoded], tokens: int) -> Iterator[list[Encoded]]:
    group: list[Encoded] = []
    for example in pool:
        if group and _rounded(len(example.ids)) * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(example)
    yield group


def _rounded(length: int) -> int:
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def _pad(group: list[Encoded], prompt_weight: float) -> Batch:
    length = _rounded(max(len(example.ids) for example in group))
    ids = torch.full((len(group), length), PAD_ID)
    weights = torch.zeros(len(group), length)
    for row, example in enumerate(group):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        weights[row, : example.prompt_length - 1] = prompt_weight
        weights[row, example.prompt_length - 1 : len(example.ids) - 1] = 1.0
    targets = ids.roll(-1, dims=1)
    return Batch(ids, targets, weights)
