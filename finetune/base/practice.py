"""Teaches the small base a practice's own examples: data, adapter, parity, score; on two cores in minutes."""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from chatbot.commands import Command
from chatbot.modelhost.llama import GgufModel
from chatbot.prompt import Style, Turn
from finetune import result
from finetune.base import adapter, shipped
from finetune.base.adapter import Lesson, Outcome, Teaching
from finetune.base.batches import Encoded
from finetune.base.export import export as export_model
from finetune.base.hints import Hinter
from finetune.base.parity import Parity, largest_difference
from finetune.base.pretrain import SHIPPED
from finetune.base.shipped import Base
from finetune.corpus.bank import bank
from finetune.corpus.turns import compose
from finetune.data import DataRefused, documents, labelled, prepare
from finetune.data.prepare import Prepared, Source
from finetune.examples import Example, trim
from finetune.measure.evaluate import Score, evaluate
from finetune.progress import Progress
from finetune.recipe import Recipe
from finetune.result import Refused, Result, check_disk, sha256
from finetune.weights.quantize import quantize
from finetune.weights.runtime import Runtime

if TYPE_CHECKING:
    from finetune.run import Order

ADAPTER, WHOLE = "adapter.gguf", "model.gguf"
FEWEST = 20
"""With fewer examples than this nothing but their wording would be learnt."""

BANK_FRAMES = 60
"""Of each section of the bank so many examples hint here: embedding all of it would take minutes more."""

REPLAY_HELD_OUT = 0.1
COMPARED = 12
"""Held-out prompts over which llama.cpp's logits are compared with PyTorch's."""

SCORED = 150


def run(recipe: Recipe, order: "Order") -> Result:
    """Do the whole run. Raises Refused, DataRefused, NotOurs, BadRecipe or Cancelled."""
    return PracticeRun(recipe, order, Path(order.base) if order.base else SHIPPED).make()


@dataclass(frozen=True)
class PracticeRun:
    """One run in one folder; what a step has made is found again by a run that goes on."""

    recipe: Recipe
    order: "Order"
    base_path: Path

    @property
    def folder(self) -> Path:
        return self.order.folder

    @property
    def progress(self) -> Progress:
        return self.order.progress

    def make(self) -> Result:
        started = time.monotonic()
        torch.set_num_threads(self.recipe.threads)
        self._check_base()
        data = self.prepare()
        teaching = self.teaching(data)
        outcome = teaching.teach()
        made, parity = self.whole(data) if self.recipe.fine_tune.merge else self.adapter(teaching, data)
        before, after = self.evaluate(data, self.base_path), self.evaluate(data, *self._served(made))
        return self._result(data, made, parity, _metrics(outcome, before, after), time.monotonic() - started)

    def _served(self, made: Path) -> tuple[Path, Path | None]:
        """Return the model that answers in the end, and the adapter that is laid on it."""
        return (made, None) if self.recipe.fine_tune.merge else (self.base_path, made)

    @cached_property
    def base(self) -> Base:
        return shipped.load(self.base_path)

    def _check_base(self) -> None:
        """Refuse in the first seconds what could never work, and a folder that another run has begun."""
        if not self.base_path.is_file():
            raise Refused(f"There is no model {self.base_path.name}.", "Choose one of the portal's models.")
        check_disk(self.folder, 4 * self.base_path.stat().st_size)
        begun = {
            "base": sha256(self.base_path),
            "recipe": repr(self.recipe),
            "data": [sha256(path) for path in self.order.data if path.is_file()],
        }
        path = self.folder / "run.json"
        if path.exists() and json.loads(path.read_text(encoding="utf-8")) != begun:
            raise Refused(
                "Another training, with other examples, settings or another model, was begun in this folder.",
                "Start this one in a folder of its own.",
            )
        path.write_text(json.dumps(begun), encoding="utf-8")
        _ = self.base

    def prepare(self) -> Prepared:
        """Read, clean and split the examples; keep the held-out ones for whoever examines the result."""
        self.progress.report("data", 0, 4, note="reading the examples")
        if not self.order.data:
            raise DataRefused("No examples were given.", hint="Upload messages with what they mean.")
        sources = [prepare.open_source(path) for path in self.order.data]
        sources += [asked_in(path) for path in self.order.documents]
        data = prepare.prepare(sources, seed=self.recipe.seed)
        if len(data.train) < FEWEST:
            raise DataRefused(
                f"Only {len(data.train)} different examples are left to learn from; {FEWEST} are needed.",
                hint="Collect more messages; wording that differs helps most.",
            )
        data.report.write(self.folder)
        labelled.write(self.folder / result.HELD_OUT, data.held_out)
        self.progress.report("data", 1, 4, note=f"{len(data.train)} to learn, {len(data.held_out)} held out")
        self.progress.stop_if_cancelled()
        return data

    def teaching(self, data: Prepared) -> Teaching:
        """Hint and encode the examples and the replayed turns, and lay an adapter on the base."""
        train, held_out = map(self._placed, (data.train, data.held_out))
        known = self._hinter(train)
        replay = compose(self.recipe.seed, self.recipe.fine_tune.replay)
        self.progress.report("data", 2, 4, note=f"{len(replay)} turns of our own to remember by")
        share = self.recipe.hints if self.base.style is Style.HINTED else 0.0
        seed = self.recipe.seed
        kept = round(len(replay) * (1 - REPLAY_HELD_OUT))
        lesson = Lesson(
            own=self._encode(known.teach(train, share=share, seed=seed)),
            replay=self._encode(known.teach(replay[:kept], share=share, seed=seed + 1)),
            held_out=self._encode(self._told(held_out, known)),
            replay_held_out=self._encode(self._told(replay[kept:], known)),
        )
        self.progress.report("data", 4, 4, note="examples are ready")
        self.progress.stop_if_cancelled()
        return Teaching(
            self.base.model,
            self.recipe.fine_tune,
            lesson,
            seed=seed,
            checkpoint=self.folder / "checkpoint.pt",
            progress=self.progress,
        )

    def _hinter(self, learnt: Sequence[Example]) -> Hinter:
        """Return what hints much as the portal will: by its bank, and by these examples beside it."""
        return Hinter([*bank(most=BANK_FRAMES), *learnt], self.folder, self.progress)

    def _told(self, examples: Sequence[Example], known: Hinter) -> Sequence[Example]:
        return known.tell(examples) if self.base.style is Style.HINTED else examples

    def _placed(self, examples: Sequence[Example]) -> list[Example]:
        """Say of each example what it must not be hinted by: messages of its own conversation."""
        return [
            replace(example, frames=frozenset({f"{example.source}/{example.conversation}"}))
            if example.conversation
            else example
            for example in examples
        ]

    def _encode(self, examples: Sequence[Example]) -> Encoded:
        pairs = self.base.tokenizer.encode_examples(examples, self.base.style)
        return Encoded.of(pairs, context=self.base.model.shape.context)

    def adapter(self, teaching: Teaching, data: Prepared) -> tuple[Path, Parity]:
        """Write what was learnt as a file beside the base."""
        size = sum(each.a.numel() + each.b.numel() for each in teaching.laid.values()) * 4
        check_disk(self.folder, 2 * size)
        made = adapter.export(
            teaching.laid,
            self.folder / ADAPTER,
            settings=self.recipe.fine_tune,
            name=f"{self.base.name}-practice",
            licence=self.base.licence,
        )
        self.progress.report("export", 1, 1, note=f"{made.name}: {made.stat().st_size / 1e6:.1f} MB")
        plain = shipped.load(self.base_path)
        return made, self.parity(self._in_fp32(plain), data, adapter_file=made)

    def whole(self, data: Prepared) -> tuple[Path, Parity]:
        """Write base and adapter as one model, its weights in 8 bits."""
        adapter.merge(self.base.model)
        fp32 = self._in_fp32(self.base)
        made = quantize(fp32, self.folder / WHOLE, threads=self.recipe.threads)
        self.progress.report("export", 1, 1, note=f"{made.name}: {made.stat().st_size / 1e6:.1f} MB")
        return made, self.parity(fp32, data)

    def _in_fp32(self, base: Base) -> Path:
        check_disk(self.folder, 5 * base.model.parameter_count())
        path = self.folder / "model-f32.gguf"
        name = f"{self.base.name}-practice"
        return export_model(
            base.model, base.tokenizer, path, name=name, licence=self.base.licence, style=self.base.style
        )

    def parity(self, fp32: Path, data: Prepared, *, adapter_file: Path | None = None) -> Parity:
        """Compare llama.cpp with what was trained; raises Refused when they differ.

        In fp32: with 8-bit weights llama.cpp rounds what it multiplies as well, and a real difference
        would hide behind that. The fp32 file is removed afterwards.
        """
        self.progress.report("parity", 0, 1)
        sample = [*data.held_out, *data.train][:COMPARED]
        runtime = Runtime(fp32, adapter=adapter_file, threads=self.recipe.threads)
        try:
            found = largest_difference(
                self.base.model, self.base.tokenizer, runtime, sample, style=self.base.style
            )
        finally:
            runtime.close()
            fp32.unlink()
        self.progress.report("parity", 1, 1, note=str(found))
        if not found.holds:
            raise Refused(
                "The finished file does not answer as the trained model does; it is not used.",
                "Start the training again; if it happens twice, the installation is damaged.",
            )
        return found

    def evaluate(self, data: Prepared, served: Path, adapter_file: Path | None = None) -> Score | None:
        """Let the host's own class answer the held-out messages; None when there are none."""
        if not data.held_out:
            return None
        self.progress.stop_if_cancelled()
        asked = random.Random(0).sample(data.held_out, min(SCORED, len(data.held_out)))
        cases = self._told(asked, self._hinter(data.train))
        self.progress.report("evaluate", 0, len(cases))
        context = self.base.model.shape.context
        model = GgufModel(served, context_tokens=context, adapter=adapter_file)
        try:
            score = evaluate(model, cases, style=self.base.style)
        finally:
            model.close()
        self.progress.report("evaluate", len(cases), len(cases), note=str(score))
        return score

    def _result(
        self, data: Prepared, made: Path, parity: Parity, metrics: dict[str, float], seconds: float
    ) -> Result:
        report, is_whole = data.report, bool(self.recipe.fine_tune.merge)
        sources = [
            {"name": each.name, "licence": each.licence, "examples": each.used} for each in report.sources
        ]
        return Result(
            recipe=self.order.recipe_name,
            recipe_sha256=self.order.recipe_sha256,
            kind="model" if is_whole else "adapter",
            file=made.name,
            sha256=sha256(made),
            size_bytes=made.stat().st_size,
            base={"name": self.base_path.stem, "sha256": sha256(self.base_path)},
            data={
                "sha256": report.sha256,
                "examples": len(data.train) + len(data.held_out),
                "train": len(data.train),
                "held_out": len(data.held_out),
                "sources": sources,
            },
            quantization="Q8_0" if is_whole else "F32",
            metrics=metrics,
            parity={"F32": {"largest_difference": parity.largest_difference, "prompts": parity.examples}},
            licences=tuple(sorted({each.licence for each in report.sources})),
            seed=self.recipe.seed,
            seconds=round(seconds, 1),
        )


def asked_in(document: Path) -> Source:
    """Return the questions that stand in a practice's document; raises DataRefused when there are none.

    The model learns that they are questions. Their answers it never writes: the portal quotes them.
    """
    asked = [pair.question for pair in documents.read(document) if not pair.is_made]
    examples = [
        Example(Turn(question), (Command("ask_practice", {"question": trim(question)}),), document.name)
        for question in asked
    ]
    return Source(document.name, "own", examples)


def _metrics(outcome: Outcome, before: Score | None, after: Score | None) -> dict[str, float]:
    perplexity = torch.tensor(outcome.loss).exp().item()
    metrics = {
        "held_out_loss": outcome.loss,
        "held_out_loss_before": outcome.loss_before,
        "perplexity": perplexity,
        "corpus_loss": outcome.replay_loss,
        "corpus_loss_before": outcome.replay_loss_before,
        "steps": outcome.steps,
        "best_step": outcome.best_step,
    }
    for name, score in (("_before", before), ("", after)):
        if score:
            metrics[f"held_out_exact{name}"] = score.exact
            metrics[f"held_out_commands{name}"] = 1 - score.wrong_names / score.total
    return {name: round(figure, 4) for name, figure in metrics.items()}
