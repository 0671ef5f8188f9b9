"""A recipe: everything that decides how a model turns out, read from one TOML file."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from chatbot.prompt import Style
from finetune.base.model import Shape

if TYPE_CHECKING:
    from finetune.large.recipe import LargeRecipe

RECIPES = Path(__file__).parent / "recipes"


class BadRecipe(ValueError):
    """A setting has no such name, or a value that cannot be used."""

    hint = "Correct the setting that is named, or leave it out: the recipe's own value then holds."


@dataclass(frozen=True)
class Stage:
    """One stretch of training with its own mixture and cosine schedule."""

    name: str
    learning_rate: float
    own_share: float
    """Part of the turns that come from our own corpus; the rest are public dialogues."""
    prompt_weight: float
    """Weight of the loss on the prompt's tokens; the answer's weigh 1."""
    steps: int = 0
    minutes: float = 0.0
    """When above 0, train for so long instead of so many steps: for comparisons, as it cannot be repeated."""
    warmup: int = 100
    batch_tokens: int = 4096


@dataclass(frozen=True)
class FineTune:
    """How a practice's own examples are learnt on top: a LoRA adapter (arXiv 2106.09685)."""

    epochs: float = 4.0
    learning_rate: float = 4e-3
    r: int = 16
    alpha: float = 32.0
    dropout: float = 0.05
    replay: int = 2500
    """Turns of our own corpus that are mixed in, so that nothing is unlearnt."""
    replay_share: float = 0.6
    """Part of each batch's turns that are replayed."""
    evaluations: int = 2
    """How often in an epoch the held-out examples are looked at."""
    patience: int = 3
    """Looks without an improvement after which training stops."""
    batch_tokens: int = 2048
    warmup: int = 20
    merge: int = 0
    """1 makes a whole model instead of an adapter: larger, but it needs its base no longer."""
    needs: str = "cpu"
    takes: str = "labelled"


@dataclass(frozen=True)
class Recipe:
    """A model of ours: how the base is made, and how a practice's adapter for it is."""

    name: str
    seed: int
    turns: int
    """Turns that the corpus generator composes."""
    shape: Shape
    stages: tuple[Stage, ...]
    fine_tune: FineTune = field(default_factory=FineTune)
    hints: float = 0.85
    """Part of our own turns that are shown what the likeliest examples ask for; 0 leaves the line out."""
    title: str = ""
    about: str = ""
    compiled: bool = True
    """Whether to let torch.compile speed the model up; needs a C++ compiler."""
    processes: int = 1
    """How many train side by side, each with batches of its own."""
    threads: int = 1
    """Of each process."""

    @property
    def style(self) -> Style:
        """How the prompt is written for this model, in training and ever after."""
        return Style.HINTED if self.hints else Style.COMPACT

    def with_settings(self, settings: Mapping[str, str]) -> "Recipe":
        """Return the recipe with numbers of its fine-tuning changed by name.

        Raises BadRecipe for a name that it has not, or a value that is no number above 0.
        """
        known = {each.name: each.type for each in fields(FineTune) if each.type in (int, float)}
        changed: dict[str, float] = {}
        for name, value in settings.items():
            if name not in known:
                raise BadRecipe(f"This recipe has no setting {name!r}: there are {', '.join(known)}.")
            changed[name] = _number(name, value, whole=known[name] is int)
        return replace(self, fine_tune=replace(self.fine_tune, **changed))  # type: ignore[arg-type]


def _number(name: str, value: str, *, whole: bool) -> float:
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = -1
    if not 0 <= number < 1e6 or (number == 0 and name in {"epochs", "learning_rate", "r", "batch_tokens"}):
        raise BadRecipe(f"{name} cannot be {value!r}: it has to be a {'whole ' * whole}number above 0.")
    return number


def path_of(name: str) -> Path:
    """Return the file of a recipe, named by its file in `finetune/recipes/` or by a path."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in RECIPES.glob("*.toml")))
        raise BadRecipe(f"There is no recipe {name!r}. There are: {known}.")
    return path


def sha256(name: str) -> str:
    return hashlib.sha256(path_of(name).read_bytes()).hexdigest()


def load(name: str) -> "Recipe | LargeRecipe":
    """Read a recipe of any kind; raises BadRecipe when there is none of that name."""
    path = path_of(name)
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    if read.get("kind") == "large":
        from finetune.large import recipe as large

        return large.read(path)
    return _base(path.stem, read)


def base(name: str) -> Recipe:
    """Read a recipe of a model of ours; raises BadRecipe for one of another kind."""
    read = load(name)
    if not isinstance(read, Recipe):
        raise BadRecipe(f"The recipe {name!r} is not one of a model of ours.")
    return read


def _base(name: str, read: dict) -> Recipe:
    read.pop("kind", None)
    return Recipe(
        name=name,
        shape=Shape(**read.pop("shape")),
        stages=tuple(Stage(**stage) for stage in read.pop("stages")),
        fine_tune=FineTune(**read.pop("fine_tune", {})),
        **read,
    )
