"""Makes one model or adapter out of a recipe and somebody's examples: what the portal starts as a process.

Exit codes: 0 done, 2 refused (the last line of progress.jsonl says why), 130 cancelled: the same command
goes on. Anything else is a crash.
"""

import argparse
import errno
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune import recipe as recipes
from finetune.data import DataRefused
from finetune.progress import Cancelled, Journal
from finetune.recipe import BadRecipe, Recipe
from finetune.result import Refused, Result, check_disk
from finetune.tracking import tracked

DONE, REFUSED, CANCELLED = 0, 2, 130

LEAST_BYTES = 50_000_000
"""With less than this free, a file that could not be written is taken for one that found no room."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Order:
    """What the command line asks for, beside the recipe; `settings` are in the recipe already."""

    recipe_name: str
    recipe_sha256: str
    folder: Path
    base: str | None
    data: tuple[Path, ...]
    documents: tuple[Path, ...]
    settings: Mapping[str, str]
    progress: Journal


def main(arguments: Sequence[str] | None = None) -> int:
    """Do a run and return its exit code."""
    chosen = _parser().parse_args(arguments)
    folder: Path = chosen.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_disk(folder, 0)
    except (OSError, Refused) as problem:
        Journal(folder).fail(str(problem), getattr(problem, "hint", ""))
        return REFUSED
    with tracked(folder, chosen.recipe) as tracker:
        journal = Journal(folder, tracker)
        with journal.listening():
            return _answer(journal, lambda: _run(chosen, journal))


def _answer(journal: Journal, work: Callable[[], Result]) -> int:
    """Turn the way the work ended into an exit code; what is nobody's refusal is a crash and passes."""
    try:
        work().write(journal.folder)
    except Cancelled:
        journal.report("cancelled", 0, 0, note="What was reached is kept; start it again to go on.")
        return CANCELLED
    except MemoryError as problem:
        journal.fail(f"There is not enough memory. {problem}".strip(), "Close other programs, or rent more.")
        return REFUSED
    except Exception as problem:
        if _is_refusal(problem):
            journal.fail(str(problem), getattr(problem, "hint", ""))
        elif _is_full(problem, journal.folder):
            journal.fail("The disk is full.", "Delete old models or job folders, then start it again.")
        else:
            raise
        return REFUSED
    return DONE


def _is_full(problem: Exception, folder: Path) -> bool:
    """Whether a file could not be written for want of room; PyTorch and llama.cpp do not say so plainly."""
    if isinstance(problem, OSError):
        return problem.errno in NO_ROOM
    return isinstance(problem, RuntimeError) and shutil.disk_usage(folder).free < LEAST_BYTES


def _is_refusal(problem: Exception) -> bool:
    """The parts raise refusals of their own, each with a sentence and a hint."""
    return isinstance(problem, Refused | DataRefused | BadRecipe) or hasattr(problem, "hint")


def _run(chosen: argparse.Namespace, journal: Journal) -> Result:
    settings = dict(chosen.set)
    recipe = recipes.load(chosen.recipe).with_settings(settings)
    order = Order(
        recipe_name=chosen.recipe,
        recipe_sha256=recipes.sha256(chosen.recipe),
        folder=chosen.folder,
        base=chosen.base,
        data=tuple(chosen.data),
        documents=tuple(chosen.documents),
        settings=settings,
        progress=journal,
    )
    if isinstance(recipe, Recipe):
        from finetune.base import practice

        return practice.run(recipe, order)
    from finetune.large import pipeline

    return pipeline.run(recipe, order)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m finetune run", description=__doc__)
    parser.add_argument("--recipe", required=True, help="a file of finetune/recipes, or a path")
    parser.add_argument(
        "--folder", type=Path, required=True, help="where the run works and leaves its result"
    )
    parser.add_argument("--base", help="the model to go on from (default: the recipe's own)")
    parser.add_argument("--data", type=Path, action="extend", nargs="+", default=[], help="labelled messages")
    parser.add_argument("--documents", type=Path, action="extend", nargs="+", default=[])
    parser.add_argument("--set", type=_setting, action="append", default=[], help="such as epochs=3")
    return parser


def _setting(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name.strip(), value.strip()
