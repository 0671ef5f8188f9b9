"""A recipe for a Hugging Face model: QLoRA on a 4-bit base, read from one TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from finetune.recipe import BadRecipe


class Task(StrEnum):
    """What the model learns to answer with."""

    COMMAND = "command"
    """Commands from the closed list, after the prompt that `chatbot.prompt` renders in its full style."""

    MEDICAL = "medical"
    """A doctor's words to a patient's, in ChatML-style text."""


@dataclass(frozen=True)
class Architecture:
    """The numbers of the base that decide how much memory it takes; a downloaded base tells its own."""

    model_type: str
    layers: int
    hidden: int
    feed_forward: int
    heads: int
    key_value_heads: int
    vocabulary: int
    tied: bool = False
    """Whether the output layer is the embedding table itself."""
    rope_base: float = 500_000.0
    context: int = 8192

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """The matrices of one layer, by transformers' names: inputs and outputs."""
        narrow = self.hidden // self.heads * self.key_value_heads
        return {
            "q_proj": (self.hidden, self.hidden),
            "k_proj": (self.hidden, narrow),
            "v_proj": (self.hidden, narrow),
            "o_proj": (self.hidden, self.hidden),
            "gate_proj": (self.hidden, self.feed_forward),
            "up_proj": (self.hidden, self.feed_forward),
            "down_proj": (self.feed_forward, self.hidden),
        }

    @property
    def parameters(self) -> int:
        """How many numbers the whole model has, but for its norms."""
        tables = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return tables + self.layers * sum(rows * columns for rows, columns in self.projections.values())


@dataclass(frozen=True)
class Adapter:
    """The low-rank matrices that are trained (LoRA, arXiv 2106.09685)."""

    r: int
    alpha: int
    dropout: float
    targets: tuple[str, ...]


@dataclass(frozen=True)
class FineTune:
    """What the admin asks before a run, with the values it offers."""

    epochs: float
    learning_rate: float
    needs: str
    takes: str


@dataclass(frozen=True)
class Training:
    """How much at once, and how often it is looked at."""

    warmup_steps: int
    sequence_tokens: int
    batch: int
    accumulation: int
    optimizer: str
    evaluations: int
    """How often the held-out part is looked at, spread evenly over the training."""
    steps: int = 0
    """When above 0, stop after so many steps, whatever the epochs."""


@dataclass(frozen=True)
class Data:
    """Which examples are taken, and how many."""

    examples: int
    shuffle_seed: int
    held_out: float
    corpus_turns: int = 0
    """Turns of our own corpus that are mixed in (command recipes)."""
    data_licence: str = ""
    """Under which licence the given files may be used, where their rows do not say."""


@dataclass(frozen=True)
class Export:
    """The files that come out."""

    quantizations: tuple[str, ...]
    """The first one is what is served; the others are for the quantization report."""
    importance_texts: int = 64
    """Held-out texts over which the importance matrix is measured; 0 for none."""


@dataclass(frozen=True)
class LargeRecipe:
    """Everything that decides how a fine-tuned Hugging Face model turns out."""

    name: str
    title: str
    about: str
    model_name: str
    """The model's name in its file: a licence can ask for a word in it, as Llama's does."""
    base: str
    """Name on the hub, or the folder of a downloaded model."""
    licence: str
    task: Task
    seed: int
    architecture: Architecture
    fine_tune: FineTune
    adapter: Adapter
    training: Training
    data: Data
    export: Export

    def with_settings(self, settings: Mapping[str, str]) -> "LargeRecipe":
        """Return the recipe with some numbers changed by name (`epochs`, `learning_rate`, `r`, `base` …).

        Raises BadRecipe for a name that no part of the recipe has, or a value of the wrong kind.
        """
        changed = self
        for name, value in settings.items():
            changed = _change(changed, name, value)
        return changed


Part = TypeVar("Part")


def read(path: Path) -> LargeRecipe:
    """Read a recipe; raises BadRecipe with the place of the mistake."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
        written.pop("kind", None)
        return _build(LargeRecipe, {"name": path.stem, **written})
    except (OSError, tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise BadRecipe(f"{path.name}: {error}") from error


def _build(shape: type[Part], written: Mapping[str, Any]) -> Part:
    hints = get_type_hints(shape)
    unknown = set(written) - set(hints)
    if unknown:
        raise BadRecipe(f"no setting is called {', '.join(sorted(unknown))}")
    return shape(**{name: _value(hints[name], value) for name, value in written.items()})


def _value(kind: Any, value: Any) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        return _build(kind, value)
    if get_origin(kind) is tuple:
        return tuple(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return value


def _change(recipe: LargeRecipe, name: str, value: str) -> LargeRecipe:
    for part in fields(recipe):
        inner = getattr(recipe, part.name)
        if is_dataclass(inner) and name in {field.name for field in fields(inner)}:
            changed: Any = replace(inner, **{name: _read(type(inner), name, value)})  # type: ignore[type-var]
            return replace(recipe, **{part.name: changed})
    if name in ("base", "seed", "model_name"):
        return replace(recipe, **{name: _read(LargeRecipe, name, value)})
    raise BadRecipe(f"This recipe has no setting called {name!r}.")


def _read(shape: type, name: str, value: str) -> Any:
    """Read a value as the setting's own kind; nothing that is counted may be below 0."""
    kind = get_type_hints(shape)[name]
    try:
        if get_origin(kind) is tuple:
            return tuple(get_args(kind)[0](part) for part in value.split(","))
        read_as = {bool: _read_flag}.get(kind, kind)
        found = read_as(value)
    except (ValueError, TypeError) as error:
        raise BadRecipe(f"{name} cannot be {value!r}.") from error
    if isinstance(found, int | float) and not 0 <= found < float("inf"):
        raise BadRecipe(f"{name} cannot be {value!r}.")
    return found


def _read_flag(value: str) -> bool:
    flags = {"true": True, "false": False}
    if value not in flags:
        raise ValueError(value)
    return flags[value]
