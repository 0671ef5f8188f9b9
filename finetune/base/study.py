"""Compares shapes, vocabularies and hints: each variant trains for the same minutes on the same turns.

Every figure comes out of the GGUF under the grammar, as the product would run it, on messages that were
written by hand and never trained on.
"""

import argparse
import json
import time
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from finetune import recipe
from finetune.base.batches import Mixture
from finetune.base.export import export
from finetune.base.model import CommandModel, Shape
from finetune.base.pretrain import LICENCE, Making
from finetune.base.tokenizer import Tokenizer
from finetune.base.train import feed, new_optimizers, run_stage
from finetune.corpus.cases import DEVELOPMENT, HELD_OUT
from finetune.recipe import Recipe, Stage
from finetune.weights.quantize import quantize

FOLDER = Path("var") / "finetune" / "study"


@dataclass(frozen=True)
class Finding:
    """What became of one variant; shares are of messages, between 0 and 1."""

    variant: str
    vocabulary: int
    width: int
    layers: int
    hints: bool
    parameters: int
    minutes: float
    steps: int
    loss: float
    development_exact: float
    development_commands: float
    held_out_exact: float
    held_out_commands: float
    milliseconds: float
    """One answer, Q8_0, on whatever else the machine was doing."""


@dataclass(frozen=True)
class Study:
    """The variants of a recipe of kind "study"; its folder keeps tokenizers and turns between them."""

    told: dict[str, Any]
    folder: Path
    public: Path | None
    minutes: float

    def recipe(self, variant: str) -> Recipe:
        numbers = {**self.told["plain"], **self.told["variants"][variant]}
        hints = numbers.pop("hints")
        stage = Stage(
            "study",
            minutes=self.minutes,
            warmup=40,
            **{
                name: self.told[name]
                for name in ("learning_rate", "own_share", "prompt_weight", "batch_tokens")
            },
        )
        settings = {name: self.told[name] for name in ("seed", "turns", "compiled", "threads")}
        return Recipe(name=variant, shape=Shape(**numbers), stages=(stage,), hints=hints, **settings)

    def try_out(self, variant: str) -> Finding:
        """Train one variant and score it."""
        tried = self.recipe(variant)
        kept = f"{tried.shape.vocabulary}-{tried.style}"
        making = Making(tried, self.folder / kept, self.public, vectors=self.folder)
        making.prepare()
        model, losses = _train(tried, making.mixture(), Tokenizer(making.folder / "tokenizer.model"))
        return self._score(variant, tried, making, model, losses)

    def _score(
        self, variant: str, tried: Recipe, making: Making, model: CommandModel, losses: Sequence[float]
    ) -> Finding:
        fp32, small = self.folder / f"{variant}-f32.gguf", self.folder / f"{variant}-q8_0.gguf"
        pieces = Tokenizer(making.folder / "tokenizer.model")
        export(model, pieces, fp32, name=f"eyecare-study-{variant}", licence=LICENCE, style=tried.style)
        quantize(fp32, small)
        development, held_out = making.score(small, DEVELOPMENT), making.score(small, HELD_OUT)
        last = losses[-max(1, len(losses) // 10) :]
        return Finding(
            variant=variant,
            vocabulary=model.shape.vocabulary,
            width=model.shape.width,
            layers=model.shape.layers,
            hints=bool(tried.hints),
            parameters=model.parameter_count(),
            minutes=self.minutes,
            steps=len(losses),
            loss=round(sum(last) / len(last), 4),
            development_exact=round(development.exact, 4),
            development_commands=round(1 - development.wrong_names / development.total, 4),
            held_out_exact=round(held_out.exact, 4),
            held_out_commands=round(1 - held_out.wrong_names / held_out.total, 4),
            milliseconds=round(development.milliseconds, 1),
        )


def _train(tried: Recipe, mixture: Mixture, pieces: Tokenizer) -> tuple[CommandModel, list[float]]:
    """Train for the stage's minutes; composing, compiling and scoring do not count."""
    torch.manual_seed(tried.seed)
    torch.set_num_threads(tried.threads)
    model = CommandModel(Shape(**{**asdict(tried.shape), "vocabulary": len(pieces)}))
    [stage] = tried.stages
    batches = feed(mixture, stage, seed=tried.seed)
    return model, run_stage(model, new_optimizers(model), stage, batches, compiled=tried.compiled)


def table(findings: Sequence[Finding]) -> str:
    """Return the findings as a markdown table, best on the held-out messages first."""
    rows = sorted(findings, key=lambda finding: -finding.held_out_exact)
    lines = [
        "| variant | pieces | width × layers | hints | parameters | steps | loss "
        "| development exact | commands | held out exact | commands | ms an answer |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.variant} | {row.vocabulary} | {row.width} × {row.layers} | {'yes' if row.hints else 'no'} "
        f"| {row.parameters / 1e6:.1f} M | {row.steps} | {row.loss:.3f} "
        f"| {row.development_exact:.1%} | {row.development_commands:.1%} "
        f"| {row.held_out_exact:.1%} | {row.held_out_commands:.1%} | {row.milliseconds:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m finetune study", description=__doc__)
    parser.add_argument("--recipe", default="study")
    parser.add_argument("--minutes", type=float, default=4.0, help="training time of each variant")
    parser.add_argument("--only", nargs="*", help="some of the variants")
    parser.add_argument("--data", type=Path, help="folder of the public dialogues")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    chosen = parser.parse_args(arguments)
    told = tomllib.loads(recipe.path_of(chosen.recipe).read_text(encoding="utf-8"))
    if unknown := {*(chosen.only or ())} - {*told["variants"]}:
        parser.error(f"no variant {', '.join(sorted(unknown))}: there are {', '.join(told['variants'])}")
    study = Study(told, chosen.folder, chosen.data, chosen.minutes)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for variant in chosen.only or told["variants"]:
        started = time.monotonic()
        keep(study.try_out(variant), chosen.folder)
        print(f"{variant}: {(time.monotonic() - started) / 60:.1f} minutes in all", flush=True)
    print(table(found(chosen.folder)))


def keep(finding: Finding, folder: Path) -> None:
    """Write a finding beside those of earlier calls, and the table of all of them."""
    findings = {each.variant: each for each in found(folder)} | {finding.variant: finding}
    listed = [asdict(each) for each in findings.values()]
    (folder / "study.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    (folder / "study.md").write_text(table(list(findings.values())) + "\n", encoding="utf-8")


def found(folder: Path) -> list[Finding]:
    path = folder / "study.json"
    return [Finding(**each) for each in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []
