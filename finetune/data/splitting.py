"""Splits examples into those to learn from and those to be examined with, so that neither knows the other."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from finetune.data import likeness
from finetune.examples import Example

SHORT_WORDS = 3
"""A message of so few words ("yes please") ties no conversations together: everybody says it."""


@dataclass(frozen=True)
class Split:
    """Both sides, and what was taken out of the second because the first says it as well."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    repeated: int


def split(examples: Sequence[Example], *, share: float, seed: int) -> Split:
    """Hold out about `share` of the examples, whole conversations with all that is like them.

    What hangs together is never divided, so the share can come out smaller, down to nothing.
    """
    texts = [likeness.letters(example.turn.message) for example in examples]
    alike = [(one, other) for one, other, _ in likeness.pairs(texts)]
    groups = _groups(examples, texts, alike)
    random.Random(seed).shuffle(groups)
    chosen = _choose(groups, share * len(examples))
    repeated = _repeated(chosen, alike)
    return Split(
        tuple(example for position, example in enumerate(examples) if position not in chosen),
        tuple(examples[position] for position in sorted(chosen - repeated)),
        len(repeated),
    )


def _groups(
    examples: Sequence[Example], texts: Sequence[str], alike: Sequence[tuple[int, int]]
) -> list[list[int]]:
    """Return positions that must stay together, by conversation, frame and likeness."""
    ties = _Ties(len(examples))
    first: dict[tuple[str, str], int] = {}
    for position, example in enumerate(examples):
        marks = [("conversation", example.conversation), *(("frame", frame) for frame in example.frames)]
        for mark in marks:
            if mark[1]:
                ties.tie(position, first.setdefault(mark, position))
    for one, other in alike:
        if len(texts[one].split()) > SHORT_WORDS:
            ties.tie(one, other)
    return ties.groups()


def _choose(groups: Sequence[Sequence[int]], wanted: float) -> set[int]:
    chosen: set[int] = set()
    for group in groups:
        if len(chosen) + len(group) <= max(wanted, 1):
            chosen.update(group)
    return chosen if len(groups) > 1 else set()


def _repeated(chosen: set[int], alike: Sequence[tuple[int, int]]) -> set[int]:
    """Return those of the chosen that are like one that is not."""
    across = [pair for pair in alike if (pair[0] in chosen) != (pair[1] in chosen)]
    return {position for pair in across for position in pair if position in chosen}


class _Ties:
    """Disjoint sets of positions (Tarjan's union and find)."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def tie(self, one: int, other: int) -> None:
        self._above[self._top(one)] = self._top(other)

    def _top(self, position: int) -> int:
        while self._above[position] != position:
            self._above[position] = self._above[self._above[position]]
            position = self._above[position]
        return position

    def groups(self) -> list[list[int]]:
        found: defaultdict[int, list[int]] = defaultdict(list)
        for position in range(len(self._above)):
            found[self._top(position)].append(position)
        return list(found.values())
