"""Compares models and endpoints on the same messages: one table, one JSON, two plots.

    python -m finetune compare small=finetune/shipped/eyecare-command.gguf big=http://127.0.0.1:8001/v1,model=llama

A model that was measured before, on the same cases, is not measured again; a stopped comparison goes on
where it was. Files are loaded each in a process of its own, so that its memory is its own.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from finetune.corpus.cases import DEVELOPMENT, HELD_OUT
from finetune.examples import Example
from finetune.measure import cases, plots, systems, tables
from finetune.measure.endpoint import Unreachable
from finetune.measure.measured import Measured
from finetune.measure.systems import BadSystem, Failed, System

FOLDER = systems.ROOT / "var" / "compare"
TABLE, FIGURES = "comparison.md", "comparison.json"


def compare(
    named: Sequence[System],
    scored: Sequence[Example],
    folder: Path,
    *,
    levels: bool = False,
    again: bool = False,
) -> list[Measured]:
    """Measure every system that was not yet, and write what is known after each; one that fails is told."""
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Measured] = []
    for system in named:
        try:
            path = folder / f"{_file_name(system.name)}.json"
            found.append(systems.once(system, scored, path, levels=levels, again=again))
        except (Failed, Unreachable) as problem:
            print(f"{system.name} was not measured: {problem}", flush=True)
            continue
        write(folder, found)
    return found


def _file_name(name: str) -> str:
    return "measured-" + re.sub(r"[^\w.-]+", "_", name)


def write(folder: Path, found: Sequence[Measured]) -> None:
    """Write the table, the figures and the plots of what was measured so far."""
    (folder / TABLE).write_text(f"{tables.comparison(found)}\n", "utf-8")
    listed = [{**asdict(one), "commands": None} for one in found]
    (folder / FIGURES).write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n", "utf-8")
    plots.write(folder, found)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m finetune compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "systems", nargs="+", help="NAME=FILE.gguf or NAME=http://host/v1[,model=…][,style=…]"
    )
    parser.add_argument("--cases", type=Path, nargs="+", default=[DEVELOPMENT, HELD_OUT])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--concurrency", action="store_true", help="try endpoints with 1 to 16 callers too")
    parser.add_argument("--again", action="store_true", help="measure again what was measured before")
    chosen = parser.parse_args(arguments)
    try:
        named = [systems.parse(text) for text in chosen.systems]
    except BadSystem as problem:
        parser.error(str(problem))
    names = [system.name for system in named]
    if len(set(names)) < len(names):
        parser.error("Each name can stand there once.")
    scored = cases.read(chosen.cases)
    if not scored:
        parser.error("The files hold no message that says what it means.")
    found = compare(named, scored, chosen.folder, levels=chosen.concurrency, again=chosen.again)
    print(f"\n{len(scored)} messages\n\n{tables.comparison(found)}" if found else "Nothing was measured.")
    print(f"\n{chosen.folder}: {TABLE}, {FIGURES}, plots")
    if len(found) < len(named):
        raise SystemExit(1)
