"""Command line: `python -m finetune all --recipe command-small`, or one step of it."""

import argparse
import itertools
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from finetune import recipe
from finetune.corpus.cases import DEVELOPMENT, HELD_OUT, read_cases
from finetune.data import public
from finetune.examples import Example
from finetune.recipe import Recipe

if TYPE_CHECKING:
    from finetune.measure.evaluate import Score

ROOT = Path(__file__).parent.parent
SHIPPED = Path(__file__).parent / "shipped" / "eyecare-command.gguf"
LICENCE = "other: code Apache-2.0; weights trained on CC BY-SA 4.0 and CC BY 4.0 dialogues, see MODEL_CARD.md"
TOKENIZER_TURNS = 40_000
"""Public turns that the tokenizer learns from, beside all of our own."""


@dataclass(frozen=True)
class Workshop:
    """A recipe and the folder in which its model is made."""

    recipe: Recipe
    folder: Path
    data: Path | None

    @property
    def fp32(self) -> Path:
        return self.folder / "model-f32.gguf"

    @property
    def q8(self) -> Path:
        return self.folder / "model-q8_0.gguf"

    def own(self, turns: int | None = None) -> list[Example]:
        from finetune.corpus.turns import compose

        return compose(self.recipe.seed, turns or self.recipe.turns)

    def train(self) -> None:
        """Train, or go on training; the tokenizer is learnt once and kept."""
        from finetune.base import batches, tokenizer
        from finetune.base.train import Checkpoint, train

        own, retold = self.own(), public.read(self.data)
        pieces = self.folder / "tokenizer.model"
        if not pieces.exists():
            heard = random.Random(self.recipe.seed).sample(retold, min(TOKENIZER_TURNS, len(retold)))
            messages = (example.turn.message for example in itertools.chain(own, heard))
            tokenizer.train(messages, pieces, vocabulary=self.recipe.shape.vocabulary)
        learnt = tokenizer.Tokenizer(pieces)
        context = self.recipe.shape.context
        train(
            self.recipe,
            batches.encode(own, learnt, context=context),
            batches.encode(retold, learnt, context=context),
            vocabulary=len(learnt),
            checkpoint=Checkpoint(self.folder / "checkpoint.pt"),
        )

    def export(self) -> None:
        from finetune.base.export import export
        from finetune.base.tokenizer import Tokenizer
        from finetune.base.train import Checkpoint

        model, *_ = Checkpoint(self.folder / "checkpoint.pt").load()
        pieces = Tokenizer(self.folder / "tokenizer.model")
        export(model, pieces, self.fp32, name=f"eyecare-{self.recipe.name}", licence=LICENCE)
        print(f"{self.fp32}: {self.fp32.stat().st_size / 1e6:.1f} MB")

    def quantize(self) -> None:
        from finetune.weights.quantize import quantize

        quantize(self.fp32, self.q8)
        print(f"{self.q8}: {self.q8.stat().st_size / 1e6:.1f} MB")

    def parity(self) -> None:
        """Stop with an error when the GGUF is not the trained model."""
        from finetune.base import parity
        from finetune.base.tokenizer import Tokenizer
        from finetune.base.train import Checkpoint

        model, *_ = Checkpoint(self.folder / "checkpoint.pt").load()
        cases = [*read_cases(DEVELOPMENT), *self.own(200)]
        found = parity.compare(model, Tokenizer(self.folder / "tokenizer.model"), self.fp32, cases)
        print(found)
        if not found.holds:
            raise SystemExit("The GGUF does not answer as the trained model does; it is not used.")

    def evaluate(self) -> None:
        """Score the model on the hand-written cases, with what it misread of the development ones."""
        development = _score(self.q8, DEVELOPMENT)
        print(*development.misses, f"development {development}", sep="\n")
        print("held out   ", _score(self.q8, HELD_OUT))

    def ship(self) -> None:
        """Replace the shipped model, unless that one scores better on the held-out cases."""
        if SHIPPED.exists() and _score(SHIPPED, HELD_OUT).exact > _score(self.q8, HELD_OUT).exact:
            print("The shipped model scores better; it stays.")
            return
        SHIPPED.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.q8, SHIPPED)
        print(f"Shipped as {SHIPPED.relative_to(ROOT)}")

    def all(self) -> None:
        for step in (self.train, self.export, self.quantize, self.parity, self.evaluate, self.ship):
            print(f"== {step.__name__}", flush=True)
            step()

    def corpus(self) -> None:
        """Print some composed turns, to be read by people."""
        for example in self.own(200):
            turn = example.turn
            print(turn.task or "-", turn.asked or "-", turn.last or "-", turn.message, sep=" | ")
            print(f"    {example.answer}")


def _score(model: Path, cases: Path) -> "Score":
    from finetune.measure.evaluate import evaluate, load

    return evaluate(load(model), read_cases(cases))


STEPS = ("corpus", "train", "export", "quantize", "parity", "evaluate", "ship", "all")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m finetune", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--recipe", default="command-small", help="a file of finetune/recipes, or a path")
    parser.add_argument(
        "--data", type=Path, help="folder of the public dialogues (sgd_train, restaurant8k, nlupp)"
    )
    parser.add_argument("--folder", type=Path, help="where to work (default: var/finetune/<recipe>)")
    chosen = parser.parse_args(arguments)
    read = recipe.load(chosen.recipe)
    folder = chosen.folder or ROOT / "var" / "finetune" / read.name
    folder.mkdir(parents=True, exist_ok=True)
    getattr(Workshop(read, folder, chosen.data), chosen.step)()


if __name__ == "__main__":
    main()
