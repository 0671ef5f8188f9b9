"""Makes the base model: composes turns, hints them, trains, and writes and checks the GGUF."""

import itertools
import random
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from chatbot.prompt import Style
from finetune.base.batches import Encoded, Mixture
from finetune.base.crew import Crew, crew
from finetune.base.hints import Hinter
from finetune.base.tokenizer import Tokenizer
from finetune.corpus.bank import bank
from finetune.corpus.cases import DEVELOPMENT, HELD_OUT, read_cases
from finetune.corpus.turns import compose
from finetune.data import public
from finetune.examples import Example
from finetune.progress import Cancelled, Journal, Progress, Silent
from finetune.recipe import Recipe

if TYPE_CHECKING:
    from finetune.measure.evaluate import Score

SHIPPED = Path(__file__).parent.parent / "shipped" / "eyecare-command.gguf"
LICENCE = "other: code Apache-2.0; weights trained on CC BY-SA 4.0 and CC BY 4.0 dialogues, see MODEL_CARD.md"
TOKENIZER_TURNS = 40_000
"""Public turns that the tokenizer learns from, beside all of our own."""


@dataclass(frozen=True)
class Making:
    """A base in the making: its recipe, the folder it is made in, and where the public dialogues are.

    Every step keeps its outcome in the folder, so whatever was interrupted goes on: frames that change
    meanwhile do not change the turns of a run that has begun.
    """

    recipe: Recipe
    folder: Path
    public: Path | None = None
    progress: Progress = field(default_factory=Silent)
    vectors: Path | None = None
    """Where sentence vectors are kept, if not in the folder: several makings may share them."""

    @property
    def fp32(self) -> Path:
        return self.folder / "model-f32.gguf"

    @property
    def q8(self) -> Path:
        return self.folder / "model-q8_0.gguf"

    def own(self, turns: int | None = None) -> list[Example]:
        return compose(self.recipe.seed, turns or self.recipe.turns)

    def prepare(self) -> None:
        """Compose, hint, learn the tokenizer, and keep everything as ids; what is there already stays."""
        if self._encoded("own").exists() and self._encoded("public").exists():
            print(f"The turns in {self.folder} are there already.")
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        own, retold = self.own(), public.read(self.public)
        self.progress.report("data", 1, 3, note=f"{len(own)} turns composed, {len(retold)} public ones")
        tokenizer = self._tokenizer(own, retold)
        self.progress.report("data", 2, 3, note=f"{len(tokenizer)} pieces")
        self._encode("own", self.hinted(own), tokenizer)
        self._encode("public", retold, tokenizer)
        self.progress.report("data", 3, 3, note="turns encoded")

    def hinted(self, own: list[Example]) -> list[Example]:
        if not self.recipe.hints:
            return own
        known = Hinter(bank(), self.vectors or self.folder, self.progress)
        return known.teach(own, share=self.recipe.hints, seed=self.recipe.seed)

    def _tokenizer(self, own: Iterable[Example], retold: list[Example]) -> Tokenizer:
        from finetune.base import tokenizer

        pieces = self.folder / "tokenizer.model"
        if pieces.exists():
            return Tokenizer(pieces)
        heard = random.Random(self.recipe.seed).sample(retold, min(TOKENIZER_TURNS, len(retold)))
        messages = (example.turn.message for example in itertools.chain(own, heard))
        return tokenizer.train(messages, pieces, vocabulary=self.recipe.shape.vocabulary)

    def _encode(self, name: str, examples: list[Example], tokenizer: Tokenizer) -> None:
        pairs = tokenizer.encode_examples(examples, self.recipe.style)
        Encoded.of(pairs, context=self.recipe.shape.context).save(self._encoded(name))

    def _encoded(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def mixture(self) -> Mixture:
        return Mixture(Encoded.load(self._encoded("own")), Encoded.load(self._encoded("public")))

    def train(self) -> None:
        """Train, or go on training from the checkpoint."""
        self.prepare()
        others = replace(self, progress=Silent())
        with crew(self.recipe.processes, others.train_in) as lead:
            self.train_in(lead)

    def train_in(self, member: Crew) -> None:
        """Do one process's part of the training."""
        from finetune.base.train import Checkpoint, train

        train(
            self.recipe,
            self.mixture(),
            vocabulary=len(Tokenizer(self.folder / "tokenizer.model")),
            checkpoint=Checkpoint(self.folder / "checkpoint.pt"),
            progress=self.progress,
            crew=member,
        )

    def export(self) -> None:
        from finetune.base.export import export
        from finetune.base.train import Checkpoint

        model, *_ = Checkpoint(self.folder / "checkpoint.pt").load()
        pieces = Tokenizer(self.folder / "tokenizer.model")
        name = f"eyecare-{self.recipe.name}"
        export(model, pieces, self.fp32, name=name, licence=LICENCE, style=self.recipe.style)
        self.progress.report("export", 1, 1, note=_size(self.fp32))

    def quantize(self) -> None:
        from finetune.weights.quantize import quantize

        quantize(self.fp32, self.q8)
        self.progress.report("quantize", 1, 1, note=_size(self.q8))

    def parity(self) -> None:
        """Stop with an error when the GGUF is not the trained model."""
        from finetune.base import parity
        from finetune.base.train import Checkpoint

        model, *_ = Checkpoint(self.folder / "checkpoint.pt").load()
        cases = [*read_cases(DEVELOPMENT), *self.own(200)]
        pieces = Tokenizer(self.folder / "tokenizer.model")
        found = parity.compare(model, pieces, self.fp32, cases, style=self.recipe.style)
        self.progress.report("parity", 1, 1, note=str(found))
        if not found.holds:
            raise SystemExit("The GGUF does not answer as the trained model does; it is not used.")

    def evaluate(self) -> None:
        """Score the model on the hand-written cases, with what it misread of the development ones."""
        development = self.score(self.q8, DEVELOPMENT)
        print(*development.misses, f"development {development}", sep="\n")
        print("held out   ", self.score(self.q8, HELD_OUT))

    def ship(self) -> None:
        """Replace the shipped model, unless that one scores better on the held-out cases."""
        if SHIPPED.exists() and self.score(SHIPPED, HELD_OUT).exact > self.score(self.q8, HELD_OUT).exact:
            print("The shipped model scores better; it stays.")
            return
        SHIPPED.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.q8, SHIPPED)
        print(f"Shipped as {SHIPPED.name}")

    def score(self, model: Path, cases: Path) -> "Score":
        """Score a GGUF in the style that it was trained in, hinted by the bank that is shipped if at all."""
        from finetune.base.shipped import style_of
        from finetune.measure.evaluate import evaluate, load

        asked, style = read_cases(cases), style_of(model)
        if style is Style.HINTED:
            asked = Hinter(bank(), self.vectors or self.folder).tell(asked)
        return evaluate(load(model), asked, style=style)

    def pretrain(self) -> None:
        """Go from frames to a checked GGUF."""
        for step in (self.prepare, self.train, self.export, self.quantize, self.parity, self.evaluate):
            print(f"== {step.__name__}", flush=True)
            step()

    def all(self) -> None:
        self.pretrain()
        self.ship()

    def corpus(self) -> None:
        """Print some composed turns, to be read by people."""
        for example in self.own(200):
            turn = example.turn
            print(turn.task or "-", turn.asked or "-", turn.last or "-", turn.message, sep=" | ")
            print(f"    {example.answer}")


def _size(path: Path) -> str:
    return f"{path.name}: {path.stat().st_size / 1e6:.1f} MB"


def make(step: str, recipe: Recipe, folder: Path, data: Path | None) -> None:
    """Do one step, or all of them, for the command line."""
    journal = Journal(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with journal.listening():
            getattr(Making(recipe, folder, data, journal), step)()
    except Cancelled:
        print(f"Stopped. What was reached is in {folder}; the same command goes on.")
        sys.exit(130)
