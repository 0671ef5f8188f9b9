"""Keeps the curves of a run: TensorBoard where it is installed, Weights & Biases where a key is set."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol


class Tracker(Protocol):
    def log(self, step: int, figures: dict[str, float]) -> None:
        """Keep some figures of a step, each by its own name."""

    def close(self) -> None:
        """Write what is still held back."""


def services() -> list[str]:
    """Return who keeps the curves here, by the names that transformers' `report_to` takes."""
    found = ["tensorboard"] if find_spec("tensorboard") else []
    if os.environ.get("WANDB_API_KEY") and find_spec("wandb"):
        found.append("wandb")
    return found


@dataclass(frozen=True)
class Trackers:
    """Every service at once; with none of them, curves are in progress.jsonl only."""

    each: tuple[Tracker, ...]

    def log(self, step: int, figures: dict[str, float]) -> None:
        for tracker in self.each:
            tracker.log(step, figures)

    def close(self) -> None:
        for tracker in self.each:
            tracker.close()


@contextmanager
def tracked(folder: Path, recipe_name: str) -> Iterator[Tracker]:
    tracker = open_tracker(folder, recipe_name)
    try:
        yield tracker
    finally:
        tracker.close()


def open_tracker(folder: Path, recipe_name: str) -> Tracker:
    opened: dict[str, Callable[[Path, str], Tracker]] = {"tensorboard": _Board, "wandb": _Wandb}
    return Trackers(tuple(opened[service](folder, recipe_name) for service in services()))


class _Board:
    """TensorBoard's files, in the run's folder: `tensorboard --logdir`."""

    def __init__(self, folder: Path, recipe_name: str) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / "tensorboard"))

    def log(self, step: int, figures: dict[str, float]) -> None:
        for name, figure in figures.items():
            self._writer.add_scalar(name, figure, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    """A run of the account that the key belongs to: figures only, never a message."""

    def __init__(self, folder: Path, recipe_name: str) -> None:
        import wandb

        self._run: Any = wandb.init(project="eyecare", name=f"{recipe_name} {folder.name}", dir=str(folder))

    def log(self, step: int, figures: dict[str, float]) -> None:
        self._run.log({**figures, "step": step})

    def close(self) -> None:
        self._run.finish()
