"""A model from the hub on its way to being served: train, merge, convert, quantize, check, score."""

import gc
import hashlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.prompt import Style
from finetune.examples import Example
from finetune.large import bases, memory, packages
from finetune.large.lessons import Lessons, gather
from finetune.large.recipe import BadRecipe, LargeRecipe, Task
from finetune.large.texts import CHATML_TEMPLATE, Encoded, Encoder, Exchange, fitting
from finetune.large.training import Trained
from finetune.progress import Progress
from finetune.result import Result
from finetune.weights import converter, importance, merge, metadata, parity, quantize
from finetune.weights.metadata import Lineage
from finetune.weights.quantize import Quantization
from finetune.weights.runtime import Vocabulary

if TYPE_CHECKING:
    from finetune.run import Order

COMPARED, COMPARED_TOKENS = 2, 200
"""Held-out texts, and the last tokens of each, over which logits are compared."""

SCORED = 200
"""Held-out messages that the served file answers in the end."""


class NothingFits(ValueError):
    """Every example is longer than the recipe's sequence."""

    hint = "Raise sequence_tokens; the instructions and tools alone take about 800 tokens."


@dataclass(frozen=True)
class Made:
    """What a run leaves behind; the first file is the one to serve."""

    files: tuple[Path, ...]
    adapter: Path
    lineage: Lineage
    metrics: dict[str, float]
    parity: dict[str, dict[str, Any]]
    lessons: Lessons
    seed: int
    seconds: float

    def result(self, order: "Order") -> Result:
        """Return what the run tells the portal; the file's path leads on from the run's folder."""
        served, lessons = self.files[0], self.lessons
        return Result(
            recipe=order.recipe_name,
            recipe_sha256=order.recipe_sha256,
            kind="model",
            file=str(served.relative_to(order.folder)),
            sha256=metadata.sha256(served),
            size_bytes=served.stat().st_size,
            base={"name": self.lineage.base, "sha256": self.lineage.base_sha256},
            data={
                "sha256": lessons.sha256,
                "examples": len(lessons.train) + len(lessons.held_out),
                "train": len(lessons.train),
                "held_out": len(lessons.held_out),
                "sources": [asdict(origin) for origin in lessons.origins],
            },
            quantization=metadata.verify(served)["quantization"],
            metrics=self.metrics,
            parity=self.parity,
            licences=tuple(dict.fromkeys((self.lineage.licence, *lessons.licences))),
            versions=self.lineage.versions,
            seed=self.seed,
            seconds=round(self.seconds, 1),
        )


def run(recipe: LargeRecipe, order: "Order") -> Result:
    """Make the model of a recipe in the order's folder.

    What will not do is refused before anything is fetched: data, memory, disk. Raises the refusals of the
    parts, each with a sentence and a `hint`, and Cancelled; the same call goes on afterwards.
    """
    wanted = _on_base(recipe, order.base) if order.base else recipe
    lessons = gather(wanted, order.data, order.folder)
    memory.check(wanted, memory.room())
    memory.check_disk(wanted, order.folder)
    made = Pipeline(wanted, bases.find(wanted.base), lessons, order.folder, order.progress).make()
    return made.result(order)


def _on_base(recipe: LargeRecipe, base: str) -> LargeRecipe:
    """Return the recipe on another base; one that lies here tells its own size.

    Raises BadRecipe for another family: name and licence of the recipe would be wrong for it.
    """
    changed = recipe.with_settings({"base": base})
    if not Path(base).expanduser().is_dir():
        return changed
    found = bases.architecture(bases.find(base))
    if found.model_type != recipe.architecture.model_type:
        raise BadRecipe(
            f"This recipe is for a {recipe.architecture.model_type} model; {Path(base).name} is a "
            f"{found.model_type} one."
        )
    return replace(changed, architecture=found)


@dataclass
class Pipeline:
    """One run in one folder. Every step finds what the one before left on disk."""

    recipe: LargeRecipe
    base: Path
    lessons: Lessons
    folder: Path
    progress: Progress

    def make(self) -> Made:
        """Walk all steps. Raises the refusals of the parts, and Cancelled."""
        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        memory.check_disk(self.recipe, self.folder)
        self.check_tokenizer()
        trained = self.train()
        merged = self.merge(trained.adapter)
        whole = self.convert(merged)
        lineage = self.lineage()
        checked, expected = self.check_whole(merged, whole)
        files, smaller = self.quantize(whole, lineage, expected)
        shutil.rmtree(merged)
        adapter, laid_on = self.adapter(trained.adapter, lineage, expected)
        score = self.evaluate(files[0])
        return Made(
            files=files,
            adapter=adapter,
            lineage=lineage,
            metrics={**trained.metrics(), **score},
            parity={**checked, **smaller, **laid_on},
            lessons=self.lessons,
            seed=self.recipe.seed,
            seconds=time.monotonic() - started,
        )

    def check_tokenizer(self) -> None:
        """Find out in seconds, before hours of training, whether llama.cpp can serve this tokenizer."""
        self.progress.report("data", 0, 1, note="comparing tokenizers")
        vocabulary = Vocabulary(converter.convert_vocabulary(self.base, self.folder / "vocabulary.gguf"))
        try:
            parity.check_tokenizer(vocabulary, self._encoder(self.base), self._samples(50))
        finally:
            vocabulary.close()
        self.progress.report("data", 1, 1)

    def train(self) -> Trained:
        """Train the adapter; afterwards measure what the quantization must keep, as the model is loaded."""
        from finetune.large import training

        model, tokenizer = load(self.base, self.recipe)
        self._speak(tokenizer)
        encoder = Encoder(tokenizer)
        train, held_out = (
            self._fitting(encoder, part) for part in (self.lessons.train, self.lessons.held_out)
        )
        trained = training.train(
            model,
            tokenizer,
            train,
            held_out,
            recipe=self.recipe,
            folder=self.folder,
            progress=self.progress,
        )
        texts = [each.ids for each in (held_out or train)[: self.recipe.export.importance_texts]]
        if texts:
            found = importance.measure(model, texts)
            importance.write(found, self._importance, source=f"{self.recipe.name}, held-out examples")
        del model
        _give_back()
        return trained

    def merge(self, adapter: Path) -> Path:
        self.progress.report("export", 0, 3, note="merging into 16 bits")
        return merge.merge(self.base, adapter, self.folder / "merged")

    def convert(self, merged: Path) -> Path:
        self.progress.report("export", 1, 3, note="writing GGUF")
        return converter.convert(merged, self.folder / "model-BF16.gguf", name=self.recipe.model_name)

    def check_whole(self, merged: Path, whole: Path) -> tuple[dict[str, dict[str, Any]], "Expected"]:
        """Compare the 16-bit GGUF with PyTorch on prompts, tokens and logits."""
        self.progress.report("parity", 0, 2)
        encoder = self._encoder(merged)
        parity.check_host(whole, encoder, self._samples(20))
        model = _reference_model(merged)
        texts = [encoder.encode(each).ids[-COMPARED_TOKENS:] for each in self._samples(COMPARED)]
        expected = [(ids, parity.reference(model, ids)) for ids in texts]
        del model
        _give_back()
        found = parity.compare(expected, whole, precision="BF16")
        self.progress.report("parity", 1, 2)
        return {"BF16": found.facts()}, expected

    def quantize(
        self, whole: Path, lineage: Lineage, expected: "Expected"
    ) -> tuple[tuple[Path, ...], dict[str, dict[str, Any]]]:
        """Write the smaller files, each checked and inscribed; the 16-bit one goes at the end."""
        matters = importance.read(self._importance) if self._importance.is_file() else None
        kinds = [Quantization(name) for name in self.recipe.export.quantizations]
        found, files = {}, []
        for done, kind in enumerate(kinds):
            self.progress.report("quantize", done, len(kinds), note=str(kind))
            target = self.folder / f"{self.recipe.model_name}-{kind}.gguf"
            quantize.quantize(whole, target, kind, importance=matters)
            found[str(kind)] = parity.compare(expected, target, precision=str(kind)).facts()
            metadata.inscribe(target, replace(lineage, quantization=str(kind)))
            files.append(target)
        self.progress.report("quantize", len(kinds), len(kinds))
        whole.unlink()
        return tuple(files), found

    def adapter(
        self, trained: Path, lineage: Lineage, expected: "Expected"
    ) -> tuple[Path, dict[str, dict[str, Any]]]:
        """Write the adapter as a GGUF of its own: one base can then serve several assistants."""
        self.progress.report("export", 2, 3, note="writing the adapter")
        written = converter.convert_adapter(trained, self.base, self.folder / "adapter.gguf")
        base = converter.convert(self.base, self.folder / "base-BF16.gguf")
        found = parity.compare(expected, base, precision="BF16", adapter=written).facts()
        base.unlink()
        metadata.inscribe(written, replace(lineage, name=f"{lineage.name}-adapter", quantization="F32"))
        self.progress.report("export", 3, 3)
        return written, {"adapter": found}

    def evaluate(self, served: Path) -> dict[str, float]:
        """Let the host's own class answer the held-out messages; a dialogue has no one right answer."""
        if self.recipe.task is not Task.COMMAND or not self.lessons.cases:
            return {}
        from chatbot.modelhost.llama import GgufModel
        from finetune.measure.evaluate import evaluate

        cases: Sequence[Example] = self.lessons.cases[:SCORED]
        self.progress.report("evaluate", 0, len(cases))
        model = GgufModel(served, context_tokens=self.recipe.training.sequence_tokens + 256)
        try:
            score = evaluate(model, cases, style=Style.FULL)
        finally:
            model.close()
        self.progress.report("evaluate", len(cases), len(cases))
        right = 1 - score.wrong_names / score.total
        return {
            "held_out_exact": score.exact,
            "held_out_commands": right,
            "milliseconds_an_answer": score.milliseconds,
        }

    def lineage(self) -> Lineage:
        return Lineage(
            name=self.recipe.model_name,
            licence=self.recipe.licence,
            recipe=self.recipe.name,
            recipe_sha256=hashlib.sha256(repr(self.recipe).encode()).hexdigest(),
            base=Path(self.recipe.base).name if Path(self.recipe.base).is_dir() else self.recipe.base,
            base_sha256=metadata.folder_sha256(self.base),
            data_sha256=self.lessons.sha256,
            data_licences=self.lessons.licences,
            prompt_style="full" if self.recipe.task is Task.COMMAND else "chat",
            versions=packages.versions(),
        )

    @property
    def _importance(self) -> Path:
        return self.folder / "importance.gguf"

    def _encoder(self, folder: Path) -> Encoder:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder)
        self._speak(tokenizer)
        return Encoder(tokenizer)

    def _speak(self, tokenizer: Any) -> None:
        """A plain base learns to converse in ChatML; an instructed one goes on in its own way."""
        if self.recipe.task is Task.MEDICAL:
            tokenizer.chat_template = CHATML_TEMPLATE

    def _samples(self, count: int) -> list[Exchange]:
        return [*self.lessons.held_out, *self.lessons.train][:count]

    def _fitting(self, encoder: Encoder, part: Sequence[Exchange]) -> list[Encoded]:
        may_cut = self.recipe.task is Task.MEDICAL
        tokens = self.recipe.training.sequence_tokens
        kept = list(fitting(map(encoder.encode, part), tokens=tokens, may_cut=may_cut))
        if part and not kept:
            raise NothingFits(f"No example fits into {tokens} tokens.")
        return kept


Expected = list[tuple[list[int], Any]]
"""Token ids with the logits that the trained model gives after each."""


def load(base: Path, recipe: LargeRecipe) -> tuple[Any, Any]:
    """Load base and adapter: by unsloth where it can, else plainly. Raises TooBig or PackagesMissing."""
    memory.check(replace(recipe, architecture=bases.architecture(base)), memory.room())
    if packages.has_unsloth():
        from finetune.large import unsloth

        return unsloth.load(base, recipe)
    from finetune.large import plain

    return plain.load(base, recipe)


def _reference_model(merged: Path) -> Any:
    """Load the merged model to compare with: in fp32 where that fits, else in its own 16 bits."""
    import torch
    from transformers import AutoModelForCausalLM

    wanted = bases.architecture(merged).parameters * 4
    number = torch.float32 if wanted + memory.OVERHEAD < memory.room().free else torch.bfloat16
    model: Any = AutoModelForCausalLM.from_pretrained(merged, dtype=number, local_files_only=True)
    return model.to("cuda") if torch.cuda.is_available() else model


def _give_back() -> None:
    """Have the memory of a dropped model free before the next one is loaded."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
