"""Trains an adapter with trl, whichever way the model was loaded; can be stopped and resumed."""

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finetune.large.packages import offered
from finetune.large.recipe import LargeRecipe
from finetune.large.texts import UNCOUNTED, Encoded
from finetune.progress import Cancelled, Progress


@dataclass(frozen=True)
class Trained:
    """An adapter on disk, and how well it fits what it was not shown."""

    adapter: Path
    held_out_losses: tuple[float, ...]
    """One for each look during the training, the last at its end."""
    train_loss: float
    steps: int
    seconds: float

    def metrics(self) -> dict[str, float]:
        """Return the losses, and the perplexity of the held-out answers: e to the power of their loss."""
        found = {"train_loss": self.train_loss}
        if self.held_out_losses:
            last = self.held_out_losses[-1]
            found |= {"held_out_loss": last, "perplexity": math.exp(last)}
        return found


def train(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Encoded],
    held_out: Sequence[Encoded],
    *,
    recipe: LargeRecipe,
    folder: Path,
    progress: Progress,
) -> Trained:
    """Train the adapter in `folder`; goes on from the last checkpoint of the same recipe and examples.

    Raises Cancelled when it was asked to stop; the same call then goes on from there.
    """
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    checkpoints = _checkpoints(folder, recipe, examples)
    total = total_steps(recipe, len(examples))
    watcher = _watcher(total, recipe.training.evaluations if held_out else 0, progress)
    settings = SFTConfig(**offered(SFTConfig, _settings(recipe, checkpoints, total)))
    parts = {
        "model": model,
        "args": settings,
        "train_dataset": _dataset(examples),
        "eval_dataset": _dataset(held_out) if held_out else None,
        "processing_class": tokenizer,
        "data_collator": Padding(_padding_id(tokenizer)),
        "callbacks": [watcher],
    }
    trainer = SFTTrainer(**offered(SFTTrainer.__init__, parts))
    trainer.remove_callback(PrinterCallback)
    done = trainer.train(resume_from_checkpoint=_last(checkpoints))
    if watcher.cancelled:
        raise Cancelled
    adapter = folder / "adapter"
    model.save_pretrained(adapter)
    tokenizer.save_pretrained(adapter)
    losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    return Trained(
        adapter, tuple(losses), done.training_loss, trainer.state.global_step, done.metrics["train_runtime"]
    )


def total_steps(recipe: LargeRecipe, examples: int) -> int:
    """Return how many updates the training has."""
    at_once = recipe.training.batch * recipe.training.accumulation
    planned = math.ceil(math.ceil(examples / at_once) * recipe.fine_tune.epochs)
    return min(recipe.training.steps or planned, planned) or 1


def _settings(recipe: LargeRecipe, checkpoints: Path, total: int) -> dict[str, Any]:
    on_gpu = torch.cuda.is_available()
    in_bf16 = on_gpu and torch.cuda.is_bf16_supported()
    training = recipe.training
    return {
        "output_dir": str(checkpoints),
        "max_steps": total,
        "per_device_train_batch_size": training.batch,
        "per_device_eval_batch_size": training.batch,
        "gradient_accumulation_steps": training.accumulation,
        "learning_rate": recipe.fine_tune.learning_rate,
        "warmup_steps": min(training.warmup_steps, total // 2),
        "optim": training.optimizer if on_gpu else "adamw_torch",  # paging is a GPU's business
        "max_grad_norm": 1.0,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "bf16": in_bf16,
        "fp16": on_gpu and not in_bf16,
        "use_cpu": not on_gpu,
        "activation_checkpointing": True,
        "activation_checkpointing_kwargs": {"use_reentrant": False},
        "max_length": None,  # the examples are cut, or left out, already
        "packing": False,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "remove_unused_columns": False,
        "eval_strategy": "no",  # the watcher says when
        "save_strategy": "no",
        "save_total_limit": 2,
        "logging_steps": 1,
        "disable_tqdm": True,
        "report_to": "none",  # the watcher reports to the run's own tracker
        "dataloader_pin_memory": on_gpu,
    }


@dataclass(frozen=True)
class Padding:
    """Puts examples of different lengths into one batch."""

    padding_id: int

    def __call__(self, examples: Sequence[dict[str, list[int]]]) -> dict[str, Tensor]:
        width = max(len(example["input_ids"]) for example in examples)
        ids = [_padded(example["input_ids"], width, self.padding_id) for example in examples]
        labels = [_padded(example["labels"], width, UNCOUNTED) for example in examples]
        mask = [_padded([1] * len(example["input_ids"]), width, 0) for example in examples]
        named = {"input_ids": ids, "labels": labels, "attention_mask": mask}
        return {name: torch.tensor(rows) for name, rows in named.items()}


def _padded(numbers: list[int], width: int, filler: int) -> list[int]:
    return numbers + [filler] * (width - len(numbers))


def _padding_id(tokenizer: Any) -> int:
    """Any id does: padded places are masked and their loss is not counted."""
    return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id


def _dataset(examples: Sequence[Encoded]) -> Any:
    from datasets import Dataset

    rows = {"input_ids": [each.ids for each in examples], "labels": [each.labels for each in examples]}
    return Dataset.from_dict(rows)


def looks(total: int, evaluations: int) -> set[int]:
    """Return the steps after which the held-out part is looked at: evenly spread, the last one included."""
    return {max(1, round(total * look / evaluations)) for look in range(1, evaluations + 1)}


def _watcher(total: int, evaluations: int, progress: Progress) -> Any:
    """Return the callback that reports, asks for evaluations and checkpoints, and heeds a wish to stop."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        cancelled = False

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
            control.should_evaluate = state.global_step in looks(total, evaluations)
            control.should_save = control.should_evaluate
            try:
                progress.stop_if_cancelled()
            except Cancelled:
                self.cancelled = True
                control.should_save = control.should_training_stop = True
                control.should_evaluate = False
            return control

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            said = logs or {}
            if "loss" in said:
                progress.report("train", state.global_step, total, loss=said["loss"])
            if "eval_loss" in said:
                note = f"held-out loss {said['eval_loss']:.4f}"
                progress.report("train", state.global_step, total, note=note)
            figures = getattr(progress, "figures", None)
            numbers = {name: value for name, value in said.items() if isinstance(value, int | float)}
            if figures is not None:
                figures.log(state.global_step, numbers)

    return Watcher()


def _checkpoints(folder: Path, recipe: LargeRecipe, examples: Sequence[Encoded]) -> Path:
    """Return where checkpoints lie; those of another recipe or of other examples are thrown away."""
    checkpoints, mark = folder / "checkpoints", folder / "checkpoints" / "of.json"
    made_of = json.dumps([repr(recipe), [each.ids for each in examples]], separators=(",", ":"))
    fingerprint = json.dumps({"sha256": hashlib.sha256(made_of.encode()).hexdigest()})
    if not mark.is_file() or mark.read_text(encoding="utf-8") != fingerprint:
        shutil.rmtree(checkpoints, ignore_errors=True)
        checkpoints.mkdir(parents=True)
        mark.write_text(fingerprint, encoding="utf-8")
    return checkpoints


def _last(checkpoints: Path) -> str | None:
    """Return the newest whole checkpoint; one that a power cut left unfinished lacks its last file."""
    whole = [path.parent for path in checkpoints.glob("checkpoint-*/trainer_state.json")]
    newest = max(whole, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)
    return str(newest) if newest else None
