"""LoRA on the small base: a practice's words in a file of a few hundred kilobytes (arXiv 2106.09685).

Each of a layer's seven matrices W is read as W + (alpha / r)·B·A while it is trained; only A and B learn.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from finetune.base.batches import Batch, Encoded, Mixture, once
from finetune.base.export import gguf_name
from finetune.base.model import CommandModel
from finetune.base.train import batch_loss, one_step, set_learning_rate
from finetune.progress import Cancelled, Progress, Silent
from finetune.recipe import FineTune

EVALUATION_TOKENS = 8192


class LowRank(nn.Module):
    """What is added to one matrix."""

    def __init__(self, weight: Tensor, settings: FineTune) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.a = nn.Parameter(torch.empty(settings.r, columns))
        self.b = nn.Parameter(torch.zeros(rows, settings.r))
        self.scale, self.dropout = settings.alpha / settings.r, settings.dropout
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the changed matrix. Dropout takes away input features, the same for the whole batch."""
        kept = functional.dropout(self.a, self.dropout, self.training)
        return weight + self.scale * (self.b @ kept)


def attach(model: CommandModel, settings: FineTune) -> dict[str, LowRank]:
    """Freeze the model and lay an untrained adapter on it: by the GGUF's name of each matrix, what learns."""
    model.requires_grad_(False)
    laid: dict[str, LowRank] = {}
    layers = [(name, layer) for name, layer in model.blk.named_modules() if isinstance(layer, nn.Linear)]
    for name, layer in layers:
        change = LowRank(layer.weight, settings)
        parametrize.register_parametrization(layer, "weight", change)
        laid[gguf_name(f"blk.{name}.weight")] = change
    return laid


def merge(model: CommandModel) -> CommandModel:
    """Add the adapter to the weights for good; the model is then like one that never had any."""
    for layer in [each for each in model.modules() if parametrize.is_parametrized(each)]:
        parametrize.remove_parametrizations(layer, "weight")
    return model.requires_grad_(True)


def export(laid: dict[str, LowRank], path: Path, *, settings: FineTune, name: str, licence: str) -> Path:
    """Write the adapter as llama.cpp reads it (`llama_adapter_lora_init`)."""
    unfinished = path.with_suffix(".unfinished")
    writer = gguf.GGUFWriter(unfinished, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(name)
    writer.add_license(licence)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, settings.alpha)
    for tensor, change in laid.items():
        writer.add_tensor(f"{tensor}.lora_a", change.a.detach().float().contiguous().numpy())
        writer.add_tensor(f"{tensor}.lora_b", change.b.detach().float().contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return unfinished.replace(path)


@dataclass(frozen=True)
class Lesson:
    """What is learnt, what is only kept from being unlearnt, and what is looked at to know when to stop."""

    own: Encoded
    replay: Encoded
    held_out: Encoded
    replay_held_out: Encoded


@dataclass(frozen=True)
class Outcome:
    """How the training went; losses are per token of the right answers."""

    steps: int
    best_step: int
    loss_before: float
    replay_loss_before: float
    loss: float
    replay_loss: float


@dataclass
class Teaching:
    """An adapter in training. Its state is one file, and a killed run goes on from it bit for bit."""

    model: CommandModel
    settings: FineTune
    lesson: Lesson
    seed: int
    checkpoint: Path | None = None
    progress: Progress = field(default_factory=Silent)

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self.laid = attach(self.model, self.settings)
        learnt = [parameter for change in self.laid.values() for parameter in (change.a, change.b)]
        self.optimizer = torch.optim.AdamW(learnt, lr=0.0, betas=(0.9, 0.98), weight_decay=0.01)
        self.step, self.best_step, self.looks_in_vain = 0, 0, 0
        self.losses: list[float] = []
        self.best = self._state()
        self.before = self.best_losses = self._look()
        if self.checkpoint and self.checkpoint.exists():
            self._resume(self.checkpoint)

    @property
    def steps(self) -> int:
        """So many that the practice's examples are gone through `epochs` times."""
        share = 1 - self.settings.replay_share if len(self.lesson.replay) else 1.0
        tokens = int(self.lesson.own.lengths.sum()) * self.settings.epochs / share
        return max(8, math.ceil(tokens / self.settings.batch_tokens))

    @property
    def every(self) -> int:
        """Steps between two looks at what was held out."""
        looks = max(1, round(self.settings.epochs * self.settings.evaluations))
        return max(1, self.steps // looks)

    def teach(self) -> Outcome:
        """Train to the end, or until held-out examples stop getting better; the best state is what stays."""
        batches = Mixture(self.lesson.own, self.lesson.replay).batches(
            own_share=1 - self.settings.replay_share,
            tokens=self.settings.batch_tokens,
            prompt_weight=0.0,
            seed=f"{self.seed}/practice",
            first_step=self.step,
        )
        while self.step < self.steps and self.looks_in_vain < max(1, self.settings.patience):
            self._stop_if_cancelled()
            self._learn(next(batches))
            if self.step % self.every == 0 or self.step == self.steps:
                self._compare()
                self._keep()
        self._restore(self.best)
        return Outcome(self.step, self.best_step, *self.before, *self.best_losses)

    def _learn(self, batch: Batch) -> None:
        torch.manual_seed(self.seed * 100_003 + self.step)  # dropout depends on the step alone
        self.model.train()
        set_learning_rate([self.optimizer], self.settings.learning_rate * self._slope())
        self.losses.append(one_step(self.model, self.model.hidden, [self.optimizer], batch))
        self.step += 1
        recent = self.losses[-10:]
        self.progress.report("train", self.step, self.steps, loss=sum(recent) / len(recent))

    def _slope(self) -> float:
        warm = min(1.0, (self.step + 1) / max(1, self.settings.warmup))
        return warm * (0.05 + 0.95 * (1 + math.cos(math.pi * self.step / self.steps)) / 2)

    def _compare(self) -> None:
        """Hold the state against the best one: what is gained on the practice's words, and what is lost."""
        found = self._look()
        note = f"held-out loss {found[0]:.3f} (before {self.before[0]:.3f}), our own {found[1]:.3f}"
        self.progress.report("train", self.step, self.steps, loss=self.losses[-1], note=note)
        if not len(self.lesson.held_out) or sum(found) < sum(self.best_losses):
            self.best, self.best_losses, self.best_step = self._state(), found, self.step
            self.looks_in_vain = 0
        else:
            self.looks_in_vain += 1

    def _look(self) -> tuple[float, float]:
        self.model.eval()
        return (loss_on(self.model, self.lesson.held_out), loss_on(self.model, self.lesson.replay_held_out))

    def _state(self) -> dict[str, Tensor]:
        return {
            f"{name}.{factor}": getattr(change, factor).detach().clone()
            for name, change in self.laid.items()
            for factor in ("a", "b")
        }

    def _restore(self, state: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, change in self.laid.items():
                change.a.copy_(state[f"{name}.a"])
                change.b.copy_(state[f"{name}.b"])
        self.model.eval()

    def _stop_if_cancelled(self) -> None:
        try:
            self.progress.stop_if_cancelled()
        except Cancelled:
            self._keep()
            raise

    def _keep(self) -> None:
        if not self.checkpoint:
            return
        unfinished = self.checkpoint.with_suffix(".unfinished")
        torch.save(
            {
                "now": self._state(),
                "best": self.best,
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "best_step": self.best_step,
                "best_losses": self.best_losses,
                "looks_in_vain": self.looks_in_vain,
            },
            unfinished,
        )
        unfinished.replace(self.checkpoint)

    def _resume(self, checkpoint: Path) -> None:
        kept = torch.load(checkpoint, weights_only=True)
        self._restore(kept["now"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.best, self.best_losses = kept["best"], tuple(kept["best_losses"])
        self.step, self.best_step = kept["step"], kept["best_step"]
        self.looks_in_vain = kept["looks_in_vain"]


def loss_on(model: CommandModel, encoded: Encoded) -> float:
    """Return the mean loss per token of the answers; 0 when there is nothing to look at."""
    total, tokens = 0.0, 0.0
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for batch in once(encoded, tokens=EVALUATION_TOKENS):
            counted = float(batch.weights.sum())
            total += batch_loss(model, model.hidden(batch.ids), batch).item() * counted
            tokens += counted
    return total / tokens if tokens else 0.0
