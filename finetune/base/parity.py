"""Checks that the GGUF is the model that was trained: the same token ids, the same logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from chatbot.prompt import Style
from finetune.base.model import CommandModel
from finetune.base.tokenizer import Tokenizer
from finetune.examples import Example
from finetune.weights.runtime import Runtime

TOLERANCE = 0.001
"""Largest difference of a logit that two fp32 implementations may show."""


@dataclass(frozen=True)
class Parity:
    """What the comparison found over a number of examples."""

    examples: int
    different_ids: int
    largest_difference: float

    @property
    def holds(self) -> bool:
        return self.different_ids == 0 and self.largest_difference <= TOLERANCE

    def __str__(self) -> str:
        return (
            f"{self.examples} examples: {self.different_ids} with other token ids, "
            f"largest logit difference {self.largest_difference:.5f}"
        )


def compare(
    model: CommandModel,
    tokenizer: Tokenizer,
    gguf: Path,
    examples: Sequence[Example],
    *,
    style: Style = Style.COMPACT,
) -> Parity:
    """Run the examples through PyTorch in fp32 and through the fp32 GGUF."""
    return largest_difference(model, tokenizer, Runtime(gguf), examples, style=style)


def largest_difference(
    model: CommandModel,
    tokenizer: Tokenizer,
    runtime: Runtime,
    examples: Sequence[Example],
    *,
    style: Style = Style.COMPACT,
) -> Parity:
    """Run the examples through PyTorch in fp32 and through a file, or a file and an adapter, in llama.cpp."""
    different, largest = 0, 0.0
    for example in examples:
        text = example.prompt_in(style) + example.answer
        ids = tokenizer.encode(text)
        different += ids != runtime.encode(text)
        largest = max(largest, _difference(model, runtime, ids))
    return Parity(len(examples), different, largest)


def _difference(model: CommandModel, runtime: Runtime, ids: list[int]) -> float:
    with torch.no_grad():
        ours = model(torch.tensor([ids]))[0]
    return (ours - torch.from_numpy(runtime.logits(ids))).abs().max().item()
