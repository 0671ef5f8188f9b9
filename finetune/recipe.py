"""A recipe: everything that decides how a model turns out, read from one TOML file."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from finetune.base.model import Shape

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Stage:
    """One stretch of training with its own mixture and cosine schedule."""

    name: str
    steps: int
    learning_rate: float
    own_share: float
    """Part of the turns that come from our own corpus; the rest are public dialogues."""
    prompt_weight: float
    """Weight of the loss on the prompt's tokens; the answer's weigh 1."""
    warmup: int = 100
    batch_tokens: int = 4096


@dataclass(frozen=True)
class Recipe:
    name: str
    seed: int
    turns: int
    """Turns that the corpus generator composes."""
    shape: Shape
    stages: tuple[Stage, ...]
    compiled: bool = True
    """Whether to let torch.compile speed the model up; needs a C++ compiler."""
    threads: int = 2


def load(name: str) -> Recipe:
    """Read a recipe by the name of its file in `finetune/recipes/`, or by a path."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    return Recipe(
        name=path.stem,
        shape=Shape(**read.pop("shape")),
        stages=tuple(Stage(**stage) for stage in read.pop("stages")),
        **read,
    )
