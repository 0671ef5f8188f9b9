"""The recipes that a practice can choose from, as their files describe themselves."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from workshop.refusals import NoSuchRecipe


@dataclass(frozen=True)
class Recipe:
    """What the form has to say about a recipe, with the values that it is filled with."""

    name: str
    title: str
    about: str
    epochs: int
    learning_rate: float
    needs_gpu: bool = False
    names_its_base: bool = False
    """Whether it begins with a model of a hub; the others begin with the one that ships with the project."""


def folder() -> Path:
    return Path(settings.BASE_DIR) / "finetune" / "recipes"


def every() -> list[Recipe]:
    """Return the recipes that fine-tune, those that run on any machine first."""
    found = [_read(path) for path in sorted(folder().glob("*.toml"))]
    return sorted((recipe for recipe in found if recipe), key=lambda recipe: recipe.needs_gpu)


def get(name: str) -> Recipe:
    """Return a recipe by its name; raises NoSuchRecipe."""
    for recipe in every():
        if recipe.name == name:
            return recipe
    raise NoSuchRecipe(f"There is no recipe of that name. There are: {', '.join(r.name for r in every())}.")


def _read(path: Path) -> Recipe | None:
    """Return a recipe, or None for one that makes a base model or learns from other things than messages."""
    text = path.read_text(encoding="utf-8")
    read: dict[str, Any] = tomllib.loads(text)
    is_large = read.get("kind") == "large" and read.get("task") == "command"
    usual = read.get("fine_tune") or (read["training"] if is_large else None)
    if usual is None or usual.get("takes", "labelled") != "labelled":
        return None
    return Recipe(
        name=path.stem,
        title=read.get("title", path.stem),
        about=read.get("about") or text.partition("\n")[0].lstrip("# "),
        epochs=int(usual["epochs"]),
        learning_rate=float(usual["learning_rate"]),
        needs_gpu=is_large or usual.get("needs") == "gpu",
        names_its_base=read.get("kind") == "large",
    )
