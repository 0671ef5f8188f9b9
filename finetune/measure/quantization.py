"""What smaller weights cost: size, memory, speed, perplexity and answers of one model at several precisions.

    python -m finetune quantization-report --model var/finetune/command-small/model-f32.gguf

Each precision is made of the same fp32 or fp16 file and measured in a process of its own. NF4 is how
QLoRA holds its base while it trains: its weights are sent through it and back, so what it costs in answers
is measured; it is served by bitsandbytes and not by llama.cpp, so its speed and memory are not.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from finetune.corpus.cases import DEVELOPMENT, HELD_OUT
from finetune.data import DataRefused
from finetune.examples import Example
from finetune.measure import cases, systems, tables, variants
from finetune.measure.measured import Measured
from finetune.measure.systems import System
from finetune.measure.variants import Unavailable, Variant
from finetune.weights.quantize import QuantizationRefused

PRECISIONS = ("fp16", "Q8_0", "Q5_K_M", "Q4_K_M", "Q4_0", "NF4")
FOLDER = systems.ROOT / "var" / "quantization"
TABLE, FIGURES = "quantization.md", "quantization.json"


def report(source: Path, scored: Sequence[Example], folder: Path) -> list[Measured]:
    """Measure the source and each smaller precision; the source comes first. What cannot be made is told."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = Variant(variants.precision(source), source, source.stat().st_size / 1e6)
    found = [_measured(whole, source, scored, folder)]
    for name in PRECISIONS:
        if name == whole.name:
            continue
        try:
            variant = variants.make(name, source, folder)
        except (Unavailable, QuantizationRefused) as reason:
            print(f"{name} was left out: {reason}", flush=True)
            continue
        found.append(_measured(variant, source, scored, folder))
    return found


def _measured(variant: Variant, source: Path, scored: Sequence[Example], folder: Path) -> Measured:
    style = systems.style_of(source).value
    system = System(variant.name, str(variant.path), {"style": style})
    figures = systems.once(system, scored, folder / f"{variant.path.stem}.json")
    if variant.is_served:
        return figures
    return replace(
        figures, size_mb=variant.size_mb, memory_mb=None, load_seconds=None, ms_per_token=None, median_ms=0.0
    )


def page(found: Sequence[Measured]) -> str:
    """Return the report as a table; differences are to the first line."""
    heads = (
        "Weights", "file MB", "memory MB", "answer ms", "ms a token", "perplexity", "exactly right",
        "points", "right commands", "answers changed",
    )  # fmt: skip
    return tables.table(heads, (_line(one, found[0]) for one in found))


def _line(one: Measured, whole: Measured) -> Sequence[str]:
    return (
        one.name, tables.number(one.size_mb), tables.number(one.memory_mb, 0),
        tables.number(one.median_ms or None), tables.number(one.ms_per_token, 2),
        tables.number(one.perplexity, 4), tables.percent(one.right),
        f"{100 * (one.right - whole.right):+.1f}", tables.percent(one.names_right), str(one.changed(whole)),
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m finetune quantization-report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, required=True, help="a GGUF with fp32 or fp16 weights")
    parser.add_argument("--cases", type=Path, nargs="+", default=[DEVELOPMENT, HELD_OUT])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    chosen = parser.parse_args(arguments)
    if not chosen.model.is_file():
        parser.error(f"There is no file {chosen.model}.")
    scored = cases.read(chosen.cases)
    try:
        found = report(chosen.model, scored, chosen.folder)
    except (DataRefused, systems.Failed, systems.BadSystem) as problem:
        parser.error(f"{problem} {getattr(problem, 'hint', '')}".strip())
    written = page(found)
    (chosen.folder / TABLE).write_text(f"{written}\n", "utf-8")
    listed = [{**asdict(one), "commands": None, "changed": one.changed(found[0])} for one in found]
    (chosen.folder / FIGURES).write_text(json.dumps(listed, indent=1) + "\n", "utf-8")
    print(f"{len(scored)} messages; points and changed answers against {found[0].name}\n\n{written}")
