"""What a set of examples holds and what was done to it: one JSON for programs, one page for people."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from finetune.examples import Example

JSON_NAME = "data-report.json"
PAGE_NAME = "data-report.md"


@dataclass(frozen=True)
class SourceCount:
    """A source with its licence, and how many of its rows were read and how many are used."""

    name: str
    licence: str
    read: int
    used: int


@dataclass(frozen=True)
class Lengths:
    """Words of the messages."""

    shortest: int
    median: float
    longest: int


@dataclass(frozen=True)
class Report:
    read: int
    train: int
    held_out: int
    sources: tuple[SourceCount, ...]
    commands: Mapping[str, int]
    """Examples by command; one with two commands counts twice."""
    arguments: Mapping[str, int]
    languages: Mapping[str, int]
    words: Lengths
    dropped: Mapping[str, int]
    dropped_rows: Mapping[str, Sequence[str]]
    """The first few rows that fell to each reason, by source and row, never their words."""
    duplicates: int
    near_duplicates: int
    contradictions: int
    """Messages that stand twice in one state with different commands: the first one was kept."""
    repeated_in_held_out: int
    personal_data: Mapping[str, int]
    seed: int
    sha256: str

    def write(self, folder: Path) -> None:
        (folder / JSON_NAME).write_text(
            json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", "utf-8"
        )
        (folder / PAGE_NAME).write_text(self.page(), "utf-8")

    def page(self) -> str:
        """Return the report in Markdown."""
        return "\n".join([*self._summary(), *self._tables(), *self._notes()]) + "\n"

    def _summary(self) -> Iterable[str]:
        yield "# What the model learns from\n"
        yield f"{self.read:,} rows were read; {self.train:,} examples are trained on and "
        yield f"{self.held_out:,} are kept back to examine the model with.\n"

    def _tables(self) -> Iterable[str]:
        yield from _table(
            ("Source", "Licence", "Rows", "Used"),
            [(source.name, source.licence, source.read, source.used) for source in self.sources],
        )
        yield from _table(("Command", "Examples"), self.commands.items())
        yield from _table(("Argument", "Examples"), self.arguments.items())
        yield from _table(("Language", "Examples"), self.languages.items())
        yield from _table(("Left out because", "Rows"), self.dropped.items())
        yield from _table(("Personal data replaced", "Times"), self.personal_data.items())

    def _notes(self) -> Iterable[str]:
        words = self.words
        yield f"A message has {words.shortest} to {words.longest} words, the median {words.median:g}.\n"
        yield f"* {self.duplicates:,} rows said the same as another, {self.near_duplicates:,} nearly so."
        yield f"* {self.contradictions:,} rows gave another meaning to words that an earlier row has."
        yield f"* {self.repeated_in_held_out:,} examples were not kept back because training has them too."
        yield "* Personal data is found by rule: a name in small letters that nothing announces may remain.\n"
        yield f"Seed {self.seed}, SHA-256 of the examples {self.sha256}."


def count(numbers: Iterable[str]) -> dict[str, int]:
    """Return how often each occurs, the most frequent first."""
    return dict(sorted(Counter(numbers).items(), key=lambda item: (-item[1], item[0])))


def lengths(examples: Sequence[Example]) -> Lengths:
    words = [len(example.turn.message.split()) for example in examples] or [0]
    return Lengths(min(words), statistics.median(words), max(words))


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterable[str]:
    listed = list(rows)
    if not listed:
        return
    yield _line(heads)
    yield _line(["---"] * len(heads))
    yield from map(_line, listed)
    yield ""


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(value: object) -> str:
    """Write a cell so that a name from somebody's file can end no cell and start no markup."""
    if isinstance(value, int):
        return f"{value:,}"
    return "".join(f"\\{mark}" if mark in "|<>[]`*_\\" else mark for mark in " ".join(str(value).split()))
