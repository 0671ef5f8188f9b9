"""The training loop: bf16 autocast on the CPU, Muon, a cosine per stage, checkpoints to resume from."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from finetune.base.batches import Batch, Encoded, batches, mix
from finetune.base.model import CommandModel, Shape
from finetune.recipe import Recipe, Stage

Optimizers = list[torch.optim.Optimizer]

CHECKPOINT_EVERY = 250
REPORT_EVERY = 50


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk, with what is needed to go on training it."""

    path: Path

    def save(self, model: CommandModel, optimizers: Optimizers, *, stage: str, step: int) -> None:
        """Write to a temporary name first, so that a power cut leaves the earlier checkpoint whole."""
        state = {
            "shape": asdict(model.shape),
            "model": model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "stage": stage,
            "step": step,
        }
        unfinished = self.path.with_suffix(".unfinished")
        torch.save(state, unfinished)
        unfinished.replace(self.path)

    def load(self) -> tuple[CommandModel, list[dict[str, object]], str, int]:
        """Return the model, the optimizers' states, and the stage and step that were reached."""
        state = torch.load(self.path, weights_only=True)
        model = CommandModel(Shape(**state["shape"]))
        model.load_state_dict(state["model"])
        return model, state["optimizers"], state["stage"], state["step"]


def train(
    recipe: Recipe,
    own: Sequence[Encoded],
    public: Sequence[Encoded],
    *,
    vocabulary: int,
    checkpoint: Checkpoint,
) -> CommandModel:
    """Run the recipe's stages one after the other; go on from the checkpoint where there is one."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    model, optimizers, reached_stage, reached_step = _start(recipe, vocabulary, checkpoint)
    names = [stage.name for stage in recipe.stages]
    first = names.index(reached_stage) if reached_stage in names else 0
    for position, stage in enumerate(recipe.stages[first:], first):
        step = reached_step if stage.name == reached_stage else 0
        examples = mix(own, public, own_share=stage.own_share, seed=recipe.seed + position * 1000 + step)
        run_stage(model, optimizers, stage, examples, recipe=recipe, checkpoint=checkpoint, first_step=step)
    return model


def _start(
    recipe: Recipe, vocabulary: int, checkpoint: Checkpoint
) -> tuple[CommandModel, Optimizers, str, int]:
    if not checkpoint.path.exists():
        model = CommandModel(Shape(**{**asdict(recipe.shape), "vocabulary": vocabulary}))
        return model, new_optimizers(model), "", 0
    model, states, stage, step = checkpoint.load()
    optimizers = new_optimizers(model)
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict(state)
    print(f"Going on from {checkpoint.path}: {stage}, step {step}", flush=True)
    return model, optimizers, stage, step


def new_optimizers(model: CommandModel) -> Optimizers:
    """Muon for the layers' matrices, AdamW for the embeddings and the norms.

    Muon (Jordan et al. 2024) makes each step's update orthogonal and needs fewer tokens than AdamW;
    scaled as in Liu et al. 2025 (arXiv 2502.16982), both take the same learning rate.
    """
    matrices = [parameter for parameter in model.blk.parameters() if parameter.dim() == 2]
    norms = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    rest = [
        {"params": [model.token_embd.weight], "weight_decay": 0.05},
        {"params": norms, "weight_decay": 0.0},
    ]
    return [
        torch.optim.Muon(matrices, lr=0.0, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=0.0, betas=(0.9, 0.98), fused=True),
    ]


def run_stage(
    model: CommandModel,
    optimizers: Optimizers,
    stage: Stage,
    examples: Iterator[Encoded],
    *,
    recipe: Recipe,
    checkpoint: Checkpoint | None = None,
    first_step: int = 0,
) -> list[float]:
    """Train one stage and return the loss of every step."""
    hidden = torch.compile(model.hidden, dynamic=True) if recipe.compiled else model.hidden
    feed = batches(
        examples, tokens=stage.batch_tokens, prompt_weight=stage.prompt_weight, seed=recipe.seed + first_step
    )
    progress = Progress(stage)
    losses: list[float] = []
    for step in range(first_step, stage.steps):
        _set_learning_rate(optimizers, stage, step)
        batch = next(feed)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = batch_loss(model, hidden(batch.ids), batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad(set_to_none=True)
        losses.append(loss.item())
        progress.report(step + 1, losses, batch)
        if checkpoint and ((step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == stage.steps):
            checkpoint.save(model, optimizers, stage=stage.name, step=step + 1)
    return losses


def batch_loss(model: CommandModel, hidden: Tensor, batch: Batch) -> Tensor:
    """Weighted cross-entropy; the vocabulary's logits are computed only where they count."""
    counted = batch.weights > 0
    logits = model.logits(hidden[counted]).float()
    losses = functional.cross_entropy(logits, batch.targets[counted], reduction="none")
    weights = batch.weights[counted]
    return (losses * weights).sum() / weights.sum()


def _set_learning_rate(optimizers: Optimizers, stage: Stage, step: int) -> None:
    """Linear warm-up, then half a cosine down to a twentieth."""
    warm = min(1.0, (step + 1) / stage.warmup)
    done = max(0.0, (step - stage.warmup) / max(1, stage.steps - stage.warmup))
    share = 0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2
    for group in itertools.chain.from_iterable(optimizer.param_groups for optimizer in optimizers):
        group["lr"] = stage.learning_rate * warm * share


class Progress:
    """One line every so many steps: loss, speed and the time that is left."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.started = time.monotonic()
        self.tokens = 0
        self.steps = 0

    def report(self, step: int, losses: list[float], batch: Batch) -> None:
        self.tokens += batch.ids.numel()
        self.steps += 1
        if step % REPORT_EVERY and step != self.stage.steps:
            return
        seconds = time.monotonic() - self.started
        recent = losses[-REPORT_EVERY:]
        left = (self.stage.steps - step) * seconds / self.steps / 60
        print(
            f"{self.stage.name} step {step}/{self.stage.steps} loss {sum(recent) / len(recent):.4f} "
            f"{self.tokens / seconds:.0f} tokens/s {left:.0f} min left",
            flush=True,
        )
