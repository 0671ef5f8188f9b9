"""The training loop: bf16 autocast on the CPU, Muon, a cosine per stage, checkpoints to resume from."""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from finetune.base.batches import Batch, Mixture
from finetune.base.crew import Crew
from finetune.base.model import CommandModel, Shape
from finetune.base.muon import Muon
from finetune.progress import Cancelled, Progress, Silent
from finetune.recipe import Recipe, Stage

Optimizers = list[torch.optim.Optimizer]

ALONE = Crew()

CHECKPOINT_EVERY = 250
REPORT_EVERY = 20


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
    mixture: Mixture,
    *,
    vocabulary: int,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
    crew: Crew = ALONE,
) -> tuple[CommandModel, list[float]]:
    """Run the recipe's stages one after the other and return the model with the loss of every step run.

    Where there is a checkpoint it goes on from there, and computes what it would have computed had it
    never stopped.
    """
    torch.set_num_threads(recipe.threads)
    model, optimizers, reached_stage, reached_step = _start(recipe, vocabulary, checkpoint)
    names = [stage.name for stage in recipe.stages]
    first = names.index(reached_stage) if reached_stage in names else 0
    losses: list[float] = []
    for stage in recipe.stages[first:]:
        step = reached_step if stage.name == reached_stage else 0
        losses += run_stage(
            model,
            optimizers,
            stage,
            feed(mixture, stage, seed=recipe.seed, first_step=step, crew=crew),
            compiled=recipe.compiled,
            checkpoint=checkpoint if crew.leads else None,
            first_step=step,
            progress=progress or Silent(),
            crew=crew,
        )
    return model, losses


def feed(
    mixture: Mixture, stage: Stage, *, seed: int, first_step: int = 0, crew: Crew = ALONE
) -> Iterator[Batch]:
    """Return a stage's batches from a step on."""
    return mixture.batches(
        own_share=stage.own_share,
        tokens=stage.batch_tokens,
        prompt_weight=stage.prompt_weight,
        seed=f"{seed}/{stage.name}",
        first_step=first_step,
        crew=crew,
    )


def _start(
    recipe: Recipe, vocabulary: int, checkpoint: Checkpoint | None
) -> tuple[CommandModel, Optimizers, str, int]:
    if checkpoint is None or not checkpoint.path.exists():
        torch.manual_seed(recipe.seed)
        model = CommandModel(Shape(**{**asdict(recipe.shape), "vocabulary": vocabulary}))
        return model, new_optimizers(model), "", 0
    model, states, stage, step = checkpoint.load()
    optimizers = new_optimizers(model)
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict(state)
    print(f"Going on from {checkpoint.path}: {stage}, step {step}", flush=True)
    return model, optimizers, stage, step


def new_optimizers(model: CommandModel) -> Optimizers:
    """Muon for the layers' matrices, AdamW for the embeddings and the norms; both take one learning rate."""
    matrices = [parameter for parameter in model.blk.parameters() if parameter.dim() == 2]
    norms = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    rest = [
        {"params": [model.token_embd.weight], "weight_decay": 0.05},
        {"params": norms, "weight_decay": 0.0},
    ]
    return [
        Muon(matrices, weight_decay=0.05),
        torch.optim.AdamW(rest, lr=0.0, betas=(0.9, 0.98), fused=True),
    ]


def run_stage(
    model: CommandModel,
    optimizers: Optimizers,
    stage: Stage,
    batches: Iterator[Batch],
    *,
    compiled: bool,
    checkpoint: Checkpoint | None = None,
    first_step: int = 0,
    progress: Progress | None = None,
    crew: Crew = ALONE,
) -> list[float]:
    """Train one stage and return the loss of every step."""
    hidden = torch.compile(model.hidden, dynamic=True) if compiled else model.hidden
    told, share_done = progress or Silent(), _timer(stage)
    losses: list[float] = []
    for step in itertools.count(first_step):
        if (done := share_done(step)) >= 1:
            break
        _stop_if_cancelled(told, checkpoint, model, optimizers, stage, step)
        set_learning_rate(optimizers, stage.learning_rate * slope(stage, step, done))
        losses.append(one_step(model, hidden, optimizers, next(batches), crew))
        if (step + 1) % REPORT_EVERY == 0 or step + 1 == stage.steps:
            recent = losses[-REPORT_EVERY:]
            told.report(f"train {stage.name}", step + 1, stage.steps, loss=sum(recent) / len(recent))
        if checkpoint and ((step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == stage.steps):
            checkpoint.save(model, optimizers, stage=stage.name, step=step + 1)
    return losses


def one_step(
    model: CommandModel,
    hidden: Callable[[Tensor], Tensor],
    optimizers: Optimizers,
    batch: Batch,
    crew: Crew = ALONE,
) -> float:
    """Learn from one batch, and from those of the rest of the crew, and return its loss."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = batch_loss(model, hidden(batch.ids), batch)
    loss.backward()  # type: ignore[no-untyped-call]
    crew.share(model)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.item()


def batch_loss(model: CommandModel, hidden: Tensor, batch: Batch) -> Tensor:
    """Weighted cross-entropy; the vocabulary's logits are computed only where they count."""
    counted = batch.weights > 0
    logits = model.logits(hidden[counted]).float()
    losses = functional.cross_entropy(logits, batch.targets[counted], reduction="none")
    weights = batch.weights[counted]
    return (losses * weights).sum() / weights.sum()


def _timer(stage: Stage) -> Callable[[int], float]:
    """Return what tells which part of a stage is done, by its steps or by the clock."""
    if not stage.minutes:
        return lambda step: step / stage.steps
    started = time.monotonic()
    return lambda step: (time.monotonic() - started) / 60 / stage.minutes


def slope(stage: Stage, step: int, done: float) -> float:
    """Linear warm-up, then half a cosine down to a twentieth."""
    warm = min(1.0, (step + 1) / stage.warmup)
    past = stage.warmup / stage.steps if stage.steps else 0.0
    fallen = max(0.0, (done - past) / max(1e-9, 1 - past))
    return warm * (0.05 + 0.95 * (1 + math.cos(math.pi * min(1.0, fallen))) / 2)


def set_learning_rate(optimizers: Optimizers, learning_rate: float) -> None:
    for group in itertools.chain.from_iterable(optimizer.param_groups for optimizer in optimizers):
        group["lr"] = learning_rate


def _stop_if_cancelled(
    progress: Progress,
    checkpoint: Checkpoint | None,
    model: CommandModel,
    optimizers: Optimizers,
    stage: Stage,
    step: int,
) -> None:
    """Keep what was reached before the run ends."""
    try:
        progress.stop_if_cancelled()
    except Cancelled:
        if checkpoint:
            checkpoint.save(model, optimizers, stage=stage.name, step=step)
        raise
