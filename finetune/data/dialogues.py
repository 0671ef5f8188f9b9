"""Dialogues of a patient and a doctor, in the format of the public `ai-medical-chatbot` table.

The table has the columns Description, Patient and Doctor; CSV, JSON Lines, or Parquet where pyarrow is
installed. Such text teaches a manner of answering: it is no source of medical advice.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.data import DataRefused, files, likeness, personal
from finetune.data.personal import Disguise

COLUMNS = ("description", "patient", "doctor")
SHORTEST, LONGEST = 3, 8000
"""Characters of what a patient, or a doctor, says."""

_LIKENESS_LIMIT = 5000
"""Dialogues among which near-duplicates are looked for; among more, only equal ones are."""

_CONTROL = ("<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<s>", "</s>")
"""Marks of chat templates: typed by somebody, they would end his part and begin another's."""


@dataclass(frozen=True)
class Dialogue:
    """What a patient asked and what a doctor answered; the description is the question in one line."""

    description: str
    patient: str
    doctor: str


def read(
    path: Path, *, licence: str = "", seed: int | None = None, count: int | None = None
) -> list[Dialogue]:
    """Return the dialogues of a table: cleaned, different ones, without personal data.

    With a seed they are shuffled as the `datasets` library does it, so that seed 65 and a count of 1,000
    give the rows of the published fine-tunes; an unusable row gives way to the next. Raises DataRefused for
    a table without its columns, without a usable row, or without a licence.
    """
    if not licence:
        raise DataRefused(
            f"{path.name}: under which licence may it be used?", hint="Give the table's licence."
        )
    rows = list(_rows(path))
    order = range(len(rows)) if seed is None else np.random.default_rng(seed).permutation(len(rows))
    wanted = len(rows) if count is None else count
    usable = filter(_is_usable, (rows[position] for position in order))
    chosen = list(itertools.islice(_different(usable), wanted))
    if not chosen:
        raise DataRefused(
            f"{path.name} holds no dialogue.", hint="Rows need a patient's and a doctor's words."
        )
    return [_nameless(dialogue, number) for number, dialogue in enumerate(_without_repetition(chosen))]


def split(dialogues: Sequence[Dialogue], *, held_out: float = 0.1) -> tuple[list[Dialogue], list[Dialogue]]:
    """Return the first part to train on and the rest; nothing alike is left on both sides by `read`."""
    border = len(dialogues) - round(len(dialogues) * held_out)
    return list(dialogues[:border]), list(dialogues[border:])


def chatml(dialogue: Dialogue) -> str:
    """Return the dialogue as ChatML text, the form in which the published fine-tunes train."""
    turns = (("user", dialogue.patient), ("assistant", dialogue.doctor))
    return "".join(f"<|im_start|>{role}\n{words}<|im_end|>\n" for role, words in turns)


def _rows(path: Path) -> Iterator[Dialogue]:
    for line, fields in _parquet(path) if path.suffix == ".parquet" else files.rows(path, files.PUBLIC_TABLE):
        named = {name.casefold(): value for name, value in fields.items()}
        missing = [name for name in COLUMNS[1:] if name not in named]
        if missing:
            raise DataRefused(
                f"line {line}: there is no {missing[0].capitalize()!r}.",
                hint="The table needs the columns Description, Patient and Doctor.",
            )
        yield Dialogue(*(_words(named.get(name)) for name in COLUMNS))


def _is_usable(dialogue: Dialogue) -> bool:
    return all(SHORTEST <= len(said) <= LONGEST for said in (dialogue.patient, dialogue.doctor))


def _parquet(path: Path) -> Iterator[files.Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DataRefused(
            f"{path.name}: reading Parquet needs pyarrow.", hint="Install pyarrow, or save the table as CSV."
        ) from error
    try:
        yield from enumerate(parquet.read_table(path).to_pylist(), 1)
    except (ArrowException, OSError) as error:
        raise DataRefused(f"{path.name} is no Parquet file.", hint="Save the table as CSV.") from error


def _words(value: object) -> str:
    """Return somebody's words in one line, without control characters and without a template's marks."""
    said = value if isinstance(value, str) else ""
    for mark in _CONTROL:
        said = said.replace(mark, " ")
    return " ".join("".join(character if character.isprintable() else " " for character in said).split())


def _different(dialogues: Iterable[Dialogue]) -> Iterator[Dialogue]:
    known: set[str] = set()
    for dialogue in dialogues:
        letters = likeness.letters(dialogue.patient)
        if letters not in known:
            known.add(letters)
            yield dialogue


def _without_repetition(dialogues: Sequence[Dialogue]) -> Iterator[Dialogue]:
    near: set[int] = set()
    if len(dialogues) <= _LIKENESS_LIMIT:
        texts = [likeness.letters(dialogue.patient) for dialogue in dialogues]
        near = {other for _, other, _ in likeness.pairs(texts)}
    return (dialogue for position, dialogue in enumerate(dialogues) if position not in near)


def _nameless(dialogue: Dialogue, number: int) -> Dialogue:
    worn = Disguise(random.Random(number))
    return Dialogue(
        *(
            personal.disguise_text(said, worn)[0]
            for said in (dialogue.description, dialogue.patient, dialogue.doctor)
        )
    )
