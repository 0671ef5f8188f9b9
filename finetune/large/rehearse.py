"""Walks a recipe's whole way on a stand-in with random weights: everything but what the model would learn.

`--tiny` keeps the architecture and the vocabulary and makes every layer small: a minute or two. Without it
the layers have their real width, and there are two of them: that wants up to 12 GiB of memory.
"""

import csv
import json
import random
import time
from dataclasses import asdict, replace
from pathlib import Path

from finetune import recipe as recipes
from finetune.corpus.turns import compose
from finetune.large import bases, standin
from finetune.large.lessons import Lessons, gather
from finetune.large.pipeline import Made, Pipeline
from finetune.large.recipe import BadRecipe, LargeRecipe, Task
from finetune.large.standin import TINY, Size
from finetune.progress import Journal
from finetune.weights import metadata

TURNS = 60
"""Turns of our corpus that a rehearsal chooses its few short examples from."""

REPLIES = (
    "That sounds like dry eye. Use preservative-free drops four times a day and have it looked at.",
    "Please stop wearing the lenses until somebody has seen the eye.",
    "This needs an examination with dilated pupils; do not drive yourself home afterwards.",
    "Floaters without flashes are mostly harmless, yet new ones should be looked at within a day.",
)
"""What the doctor of the made-up dialogues says."""


def main(name: str, folder: Path, tiny: bool = False, steps: int = 2) -> Path:
    """Rehearse a recipe and return the report; raises BadRecipe for one that has no base from the hub."""
    read = recipes.load(name)
    if not isinstance(read, LargeRecipe):
        raise BadRecipe(f"The recipe {name!r} makes its model here: there is nothing to rehearse.")
    started = time.monotonic()
    base = base_of(read, folder / "base", TINY if tiny else Size())
    short = replace(shortened(read, steps), architecture=bases.architecture(base))
    journal = Journal(folder)
    with journal.listening():
        made = Pipeline(short, base, lessons(short, folder), folder / "run", journal).make()
    written = report(folder, short, base, made, seconds=time.monotonic() - started)
    print(written.read_text(encoding="utf-8"))
    return written


def shortened(recipe: LargeRecipe, steps: int) -> LargeRecipe:
    """Return the recipe with a few updates, one example each; every other number stays."""
    training = replace(recipe.training, steps=steps, accumulation=1, evaluations=min(5, steps))
    corpus = min(recipe.data.corpus_turns, TURNS)
    data = replace(recipe.data, examples=TURNS, corpus_turns=corpus, data_licence="Apache-2.0")
    return replace(recipe, training=training, data=data, export=replace(recipe.export, importance_texts=2))


def base_of(recipe: LargeRecipe, folder: Path, size: Size) -> Path:
    """Return the stand-in, made once."""
    if not (folder / "model.safetensors").is_file():
        instructed = recipe.task is Task.COMMAND
        standin.make(folder, recipe.architecture, size, seed=recipe.seed, instructed=instructed)
    return bases.find(str(folder))


def lessons(recipe: LargeRecipe, folder: Path) -> Lessons:
    """Return a handful of short examples: what they teach does not matter here."""
    files = [dialogues(folder / "dialogues.csv")] if recipe.task is Task.MEDICAL else []
    found = gather(recipe, files, folder)
    held_out, cases = found.held_out[:2], found.cases[:1]
    return replace(found, train=found.train[:8], held_out=held_out, cases=cases)


def dialogues(path: Path) -> Path:
    """Write a table in the format of ai-medical-chatbot, from messages of our corpus."""
    chance = random.Random(65)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("Description", "Patient", "Doctor"))
        for example in compose(65, TURNS):
            said = example.turn.message
            rows.writerow((f"Q. {said}", f"Hello doctor, {said}", chance.choice(REPLIES)))
    return path


def report(folder: Path, recipe: LargeRecipe, base: Path, made: Made, *, seconds: float) -> Path:
    """Write what was made and seen as rehearsal.json."""
    files = [*made.files, made.adapter]
    said = {
        "recipe": recipe.name,
        "architecture": asdict(bases.architecture(base)),
        "parameters": bases.architecture(base).parameters,
        "steps": recipe.training.steps,
        "files": {path.name: path.stat().st_size for path in files},
        "sha256": {path.name: metadata.verify(path)["sha256"] for path in files},
        "metrics": made.metrics,
        "parity": made.parity,
        "versions": made.lineage.versions,
        "seconds": round(seconds, 1),
    }
    path = folder / "rehearsal.json"
    path.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    return path
