"""From what was uploaded to what is trained on: cleaned, without personal data, without repetition, split."""

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from chatbot import prompt
from chatbot.commands import ToolOutline
from finetune.data import DataRefused, cleaning, conversations, files, labelled, likeness, personal, splitting
from finetune.data.personal import Disguise
from finetune.data.report import Report, SourceCount, count, lengths
from finetune.examples import Example
from finetune.tasks import TOOLS

ROWS_NAMED = 5
"""Rows that the report names for each reason."""


@dataclass(frozen=True)
class Source:
    """Examples that came together, with the licence they may be used under."""

    name: str
    licence: str
    """That of the examples which name none."""
    examples: Sequence[Example]

    @property
    def licences(self) -> tuple[str, ...]:
        return tuple(sorted({example.licence or self.licence for example in self.examples}))


@dataclass(frozen=True)
class Prepared:
    """What is trained on, what is kept back to examine the model, and what was done."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    report: Report


@dataclass
class _Counts:
    dropped: Counter[str] = field(default_factory=Counter)
    rows: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    personal: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    near_duplicates: int = 0
    contradictions: int = 0

    def drop(self, reason: str, row: str) -> None:
        self.dropped[reason] += 1
        if len(self.rows[reason]) < ROWS_NAMED:
            self.rows[reason].append(row)


def open_source(path: Path, *, licence: str = "") -> Source:
    """Read labelled messages, or labelled conversations: those say of each line who spoke it.

    `licence` is that of rows which name none. Raises DataRefused.
    """
    _, first = next(files.rows(path), (0, {}))
    reader = conversations.read if "who" in first else labelled.read
    return Source(path.name, licence, reader(path, licence=licence))


def prepare(
    sources: Sequence[Source], *, seed: int, held_out: float = 0.1, tools: Sequence[ToolOutline] = TOOLS
) -> Prepared:
    """Return the examples of all sources, ready for training; the same seed gives the same ones.

    Raises DataRefused when a source has no licence, or when most of the rows cannot be used.
    """
    _check_licences(sources)
    counts = _Counts()
    usable = list(_usable(sources, tools, counts))
    _check_usable(usable, sources, counts)
    nameless = list(_without_personal_data(usable, seed, counts))
    different = _without_repetition(nameless, counts)
    split = splitting.split(different, share=held_out, seed=seed)
    return Prepared(split.train, split.held_out, _report(sources, split, counts, seed))


def _check_licences(sources: Sequence[Source]) -> None:
    for source in sources:
        missing = sum(not (example.licence or source.licence) for example in source.examples)
        if missing:
            raise DataRefused(
                f"{source.name}: {missing} rows do not say under which licence they may be used.",
                hint='Give the licence of the file, or a "licence" in each row; for a practice\'s own '
                'messages that is "own".',
            )


def _usable(sources: Iterable[Source], tools: Sequence[ToolOutline], counts: _Counts) -> Iterable[Example]:
    allowed = prompt.allowed_arguments(tools)
    for source in sources:
        for number, raw in enumerate(source.examples, 1):
            try:
                example = cleaning.clean(raw, allowed)
            except cleaning.Unusable as reason:
                counts.drop(str(reason), f"{source.name}, row {number}")
                continue
            yield replace(example, source=source.name, licence=raw.licence or source.licence)


def _check_usable(usable: Sequence[Example], sources: Iterable[Source], counts: _Counts) -> None:
    read = sum(len(source.examples) for source in sources)
    if usable and len(usable) * 2 >= read:
        return
    if not read:
        raise DataRefused("There is no example in the data.", hint="Upload messages with what they mean.")
    reason, rows = counts.dropped.most_common(1)[0]
    raise DataRefused(
        f"{read - len(usable)} of {read} rows cannot be used; {rows} of them: {reason}.",
        hint=f"Look at {'; '.join(counts.rows[reason])}.",
    )


def _without_personal_data(examples: Iterable[Example], seed: int, counts: _Counts) -> Iterable[Example]:
    worn: dict[tuple[str, str], Disguise] = {}
    for example in examples:
        talk = example.source, example.conversation or f"\n{example.turn.message}"
        if talk not in worn:
            worn[talk] = Disguise(random.Random(f"{seed} {talk}"))
        told, found = personal.disguise(example, worn[talk])
        counts.personal.update(found)
        yield told


def _without_repetition(examples: Sequence[Example], counts: _Counts) -> list[Example]:
    """Keep the first of those that say the same, or nearly the same with the same meaning, in one state."""
    known: dict[tuple[str, ...], Example] = {}
    for example in examples:
        turn = example.turn
        key = likeness.letters(turn.message), turn.task, turn.asked, turn.last
        first = known.setdefault(key, example)
        counts.contradictions += _meaning(first) != _meaning(example)
        counts.duplicates += first is not example and _meaning(first) == _meaning(example)
    kept = list(known.values())
    near = _nearly_repeated(kept)
    counts.near_duplicates = len(near)
    return [example for position, example in enumerate(kept) if position not in near]


def _nearly_repeated(examples: Sequence[Example]) -> set[int]:
    texts = [likeness.letters(example.turn.message) for example in examples]
    near: set[int] = set()
    for one, other, _ in sorted(likeness.pairs(texts, floor=likeness.SAME)):
        if one not in near and _situation(examples[one]) == _situation(examples[other]):
            near.add(other)
    return near


def _meaning(example: Example) -> list[tuple[str, dict[str, str]]]:
    """Return the commands with their words, capitals and marks aside."""
    return [
        (command.name, {name: likeness.letters(span) for name, span in command.arguments.items()})
        for command in example.commands
    ]


def _situation(example: Example) -> tuple[object, ...]:
    turn = example.turn
    return turn.task, turn.asked, turn.last, _meaning(example)


def _report(sources: Sequence[Source], split: splitting.Split, counts: _Counts, seed: int) -> Report:
    used = (*split.train, *split.held_out)
    return Report(
        read=sum(len(source.examples) for source in sources),
        train=len(split.train),
        held_out=len(split.held_out),
        sources=tuple(_source_count(source, used) for source in sources),
        commands=count(command.name for example in used for command in example.commands),
        arguments=count(
            name for example in used for command in example.commands for name in command.arguments
        ),
        languages=count(example.language for example in used),
        words=lengths(used),
        dropped=dict(counts.dropped.most_common()),
        dropped_rows=dict(counts.rows),
        duplicates=counts.duplicates,
        near_duplicates=counts.near_duplicates,
        contradictions=counts.contradictions,
        repeated_in_held_out=split.repeated,
        personal_data=dict(counts.personal.most_common()),
        seed=seed,
        sha256=_sha256(used),
    )


def _source_count(source: Source, used: Sequence[Example]) -> SourceCount:
    return SourceCount(
        source.name,
        ", ".join(source.licences),
        len(source.examples),
        sum(example.source == source.name for example in used),
    )


def _sha256(examples: Iterable[Example]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(labelled.row(example), sort_keys=True).encode())
    return digest.hexdigest()
