"""What a recipe teaches from: the practice's files and our corpus, or a table of dialogues."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.data import DataRefused, dialogues, labelled
from finetune.data.prepare import Prepared, Source, open_source, prepare
from finetune.examples import Example
from finetune.large.recipe import LargeRecipe, Task
from finetune.large.texts import Exchange, of_dialogue, of_example
from finetune.weights.metadata import sha256, text_sha256


@dataclass(frozen=True)
class Origin:
    """A source, with its licence and how many examples came from it."""

    name: str
    licence: str
    examples: int


@dataclass(frozen=True)
class Lessons:
    """What is learnt from, and what is kept back to see how well."""

    train: tuple[Exchange, ...]
    held_out: tuple[Exchange, ...]
    cases: tuple[Example, ...]
    """The held-out part as labelled messages, where there are any, for the gate."""
    origins: tuple[Origin, ...]
    sha256: str
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def licences(self) -> tuple[str, ...]:
        return tuple(sorted({origin.licence for origin in self.origins}))


def gather(recipe: LargeRecipe, files: Sequence[Path], folder: Path) -> Lessons:
    """Return the recipe's lessons from files, and leave held_out.jsonl in the folder.

    Raises DataRefused for files that cannot be used, and for dialogues when there is no file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if recipe.task is Task.MEDICAL:
        return _dialogues(recipe, files)
    lessons = _commands(recipe, files, folder)
    labelled.write(folder / "held_out.jsonl", lessons.cases)
    return lessons


def _commands(recipe: LargeRecipe, files: Sequence[Path], folder: Path) -> Lessons:
    """The practice's own examples first; our corpus fills up, and is all there is without files."""
    sources = [open_source(path, licence=recipe.data.data_licence) for path in files]
    corpus = _corpus(recipe)
    prepared = prepare(sources or [corpus], seed=recipe.data.shuffle_seed, held_out=recipe.data.held_out)
    prepared.report.write(folder)
    known = {example.turn.message for example in prepared.held_out}
    room = max(0, recipe.data.examples - len(prepared.train))
    more = [example for example in corpus.examples if example.turn.message not in known][:room]
    train = [*prepared.train, *(more if sources else ())]
    return Lessons(
        train=tuple(map(of_example, train)),
        held_out=tuple(map(of_example, prepared.held_out)),
        cases=prepared.held_out,
        origins=_origins([*train, *prepared.held_out]),
        sha256=_sha256(train, prepared),
    )


def _corpus(recipe: LargeRecipe) -> Source:
    from finetune.corpus.turns import compose

    return Source("eyecare corpus", "Apache-2.0", compose(recipe.seed, recipe.data.corpus_turns))


def _origins(examples: Iterable[Example]) -> tuple[Origin, ...]:
    counted: dict[tuple[str, str], int] = {}
    for example in examples:
        key = example.source, example.licence or "Apache-2.0"
        counted[key] = counted.get(key, 0) + 1
    return tuple(Origin(name, licence, number) for (name, licence), number in sorted(counted.items()))


def _sha256(train: Iterable[Example], prepared: Prepared) -> str:
    rows = (repr(sorted(labelled.row(each).items(), key=str)) for each in [*train, *prepared.held_out])
    return text_sha256(rows)


def _dialogues(recipe: LargeRecipe, files: Sequence[Path]) -> Lessons:
    if len(files) != 1:
        raise DataRefused(
            f"This recipe learns from one table of dialogues; {len(files)} files were given.",
            hint="Give one table with the columns Description, Patient and Doctor.",
        )
    [table] = files
    settings = recipe.data
    licence = settings.data_licence
    read = dialogues.read(table, licence=licence, seed=settings.shuffle_seed, count=settings.examples)
    train, held_out = dialogues.split(read, held_out=settings.held_out)
    return Lessons(
        train=tuple(of_dialogue(each.patient, each.doctor) for each in train),
        held_out=tuple(of_dialogue(each.patient, each.doctor) for each in held_out),
        cases=(),
        origins=(Origin(table.name, licence, len(read)),),
        sha256=sha256(table),
    )
