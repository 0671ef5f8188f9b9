"""How much memory and disk a recipe will take, against what is there; the refusal says what would do."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

from finetune.large.recipe import Architecture, LargeRecipe, Task, read

RECIPES = Path(__file__).parents[1] / "recipes"

NF4_BYTES = 4.127 / 8
"""A weight in NF4, with its share of the doubly quantized scales (QLoRA, arXiv 2305.14314, section 3)."""

HALF, SINGLE = 2, 4
"""Bytes of a number in bf16 and in fp32."""

SHORTEST = {Task.COMMAND: 1024, Task.MEDICAL: 256}
"""Tokens below which a task's examples hardly fit: the instructions of a command take most of it."""

GIB = 2**30
OVERHEAD = int(1.2 * GIB)
"""Python, the libraries and, on a GPU, its context, before any weight is loaded."""


class TooBig(RuntimeError):
    """The machine has less memory or disk than the recipe takes; `hint` says what would do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Estimate:
    """Bytes that training takes, by what they hold."""

    weights: int
    adapter: int
    optimizer: int
    activations: int
    logits: int
    overhead: int = OVERHEAD

    @property
    def total(self) -> int:
        return sum(getattr(self, part.name) for part in fields(self))

    def __str__(self) -> str:
        return ", ".join(f"{part.name} {gib(getattr(self, part.name))}" for part in fields(self))


@dataclass(frozen=True)
class Room:
    """Memory that is free for training, and where."""

    free: int
    where: str
    is_gpu: bool


def gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


def estimate(recipe: LargeRecipe, *, is_gpu: bool) -> Estimate:
    """Return what the recipe takes while it trains, on the careful side.

    Activations are kept once a layer (they are checkpointed) and whole for the layer at work; the
    logits are counted whole, with their gradient, though newer libraries compute them in pieces.
    """
    shape, training = recipe.architecture, recipe.training
    number = HALF if is_gpu else SINGLE
    tokens = training.batch * training.sequence_tokens
    trained = adapter_parameters(shape, recipe.adapter.r, recipe.adapter.targets)
    at_work = 8 * shape.hidden + 4 * shape.feed_forward
    return Estimate(
        weights=weight_bytes(shape),
        adapter=trained * (number + number),  # and its gradient
        optimizer=trained * _optimizer_bytes(recipe.training.optimizer),
        activations=tokens * number * (shape.layers * shape.hidden + 2 * at_work) + _unpacked(shape, number),
        logits=tokens * shape.vocabulary * (SINGLE + SINGLE),
    )


def weight_bytes(shape: Architecture) -> int:
    """Return the size of the base as QLoRA holds it: the layers in NF4, embeddings and output in bf16."""
    tables = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    in_layers = shape.layers * sum(rows * columns for rows, columns in shape.projections.values())
    return int(in_layers * NF4_BYTES) + tables * HALF


def adapter_parameters(shape: Architecture, r: int, targets: tuple[str, ...]) -> int:
    """Return how many numbers the adapter has: for each matrix, `r` times rows plus columns."""
    matrices = shape.projections
    return shape.layers * sum(r * sum(matrices[target]) for target in targets)


def _unpacked(shape: Architecture, number: int) -> int:
    """One matrix of a layer is unpacked from NF4 at a time."""
    return shape.hidden * shape.feed_forward * number


def _optimizer_bytes(name: str) -> int:
    """Adam keeps two numbers for each that it trains."""
    return 2 * (1 if "8bit" in name else SINGLE)


def room() -> Room:
    """Return the free memory of the GPU where there is one, else of the machine."""
    import psutil
    import torch

    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        return Room(free, f"the GPU ({torch.cuda.get_device_name()})", is_gpu=True)
    return Room(min(psutil.virtual_memory().available, _container_limit()), "this machine", is_gpu=False)


def _container_limit() -> int:
    """Return what a container may take (cgroup v2), where one is set."""
    try:
        return int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 2**62


def check(recipe: LargeRecipe, found: Room) -> Estimate:
    """Return the estimate; raises TooBig when the room will not do, with what would."""
    wanted = estimate(recipe, is_gpu=found.is_gpu)
    if wanted.total <= found.free:
        return wanted
    raise TooBig(
        f"Training {recipe.base} takes about {gib(wanted.total)} of memory; {found.where} has "
        f"{gib(found.free)} free: {wanted}.",
        hint=_what_would_do(recipe, found),
    )


def _what_would_do(recipe: LargeRecipe, found: Room) -> str:
    fitting = [said for said, changed in _smaller(recipe) if _fits(changed, found)]
    others = [other.name for other in _other_recipes(recipe) if _fits(other, found)]
    said = [f"with {fitting[0]} it would fit"] if fitting else []
    said += [f"the recipe {' or '.join(others)} would fit"] if others else []
    if not others:
        said.append("the recipe of the small model needs no GPU and 2 GiB")
    sentence = "; ".join(said) + "."
    return sentence[0].upper() + sentence[1:]


def _smaller(recipe: LargeRecipe) -> Iterator[tuple[str, LargeRecipe]]:
    """Yield what can be given up, the least first: each one includes those before."""
    training, changes = recipe.training, []
    if training.batch > 1:
        steps = training.batch * training.accumulation
        training = replace(training, batch=1, accumulation=steps)
        changes.append(f"batch=1 and accumulation={steps}")
        yield " and ".join(changes), replace(recipe, training=training)
    while training.sequence_tokens // 2 >= SHORTEST[recipe.task]:
        training = replace(training, sequence_tokens=training.sequence_tokens // 2)
        said = [*changes, f"sequence_tokens={training.sequence_tokens}"]
        yield " and ".join(said), replace(recipe, training=training)
    if recipe.adapter.r > 8:
        said = [*changes, f"sequence_tokens={training.sequence_tokens}", "r=8"]
        yield " and ".join(said), replace(recipe, training=training, adapter=replace(recipe.adapter, r=8))


def _fits(recipe: LargeRecipe, found: Room) -> bool:
    return estimate(recipe, is_gpu=found.is_gpu).total <= found.free


def _other_recipes(recipe: LargeRecipe) -> list[LargeRecipe]:
    """Return the recipes with a smaller base, the largest first; commands are never swapped for talk."""
    paths = [path for path in RECIPES.glob("*.toml") if 'kind = "large"' in path.read_text(encoding="utf-8")]
    size = recipe.architecture.parameters
    others = [
        other
        for other in map(read, sorted(paths))
        if other.task is Task.COMMAND and other.architecture.parameters < size
    ]
    return sorted(others, key=lambda other: -other.architecture.parameters)


def disk_bytes(recipe: LargeRecipe) -> int:
    """Return what a run writes at its fullest: the model in 16 bits twice, and each smaller one."""
    parameters = recipe.architecture.parameters
    smaller = len(recipe.export.quantizations) * parameters * 8.5 / 8
    return int(parameters * (HALF + HALF) + smaller)


def check_disk(recipe: LargeRecipe, folder: Path) -> None:
    """Raise TooBig when the files of a run will not fit beside each other."""
    wanted, free = disk_bytes(recipe), shutil.disk_usage(folder).free
    if wanted > free:
        raise TooBig(
            f"The run writes about {gib(wanted)} into {folder}; {gib(free)} are free there.",
            hint="Free some disk, choose another folder, or ask for fewer quantizations.",
        )
