"""A tiny model with random weights, and a tokenizer learnt from a few hundred composed turns."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from finetune.base import tokenizer as tokenizers
from finetune.base.export import export
from finetune.base.model import CommandModel, Shape
from finetune.base.tokenizer import Tokenizer
from finetune.corpus.turns import compose
from finetune.examples import Example

TINY = Shape(vocabulary=0, width=64, layers=2, heads=2, feed_forward=128, context=256)


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    return compose(seed=5, turns=600)


@pytest.fixture(scope="session")
def tokenizer(examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("pieces") / "tokenizer.model"
    return tokenizers.train((example.turn.message for example in examples), path, vocabulary=800)


@pytest.fixture
def model(tokenizer: Tokenizer) -> CommandModel:
    torch.manual_seed(1)
    return CommandModel(replace(TINY, vocabulary=len(tokenizer)))


@pytest.fixture
def fp32(model: CommandModel, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    return export(model, tokenizer, tmp_path / "tiny-f32.gguf", name="tiny", licence="none")
