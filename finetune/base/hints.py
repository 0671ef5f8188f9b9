"""Gives training turns the hint that a live message gets: what the likeliest examples of the bank ask for.

In training the hint has to be as unreliable as in life. So a turn is compared with a random part of the
bank only, never with an example made of one of its own frames or worded like it, and some turns get none.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from chatbot import nearest, prompt
from finetune.examples import Example
from finetune.progress import Progress, Silent

QUARTERS = 4
BATCH = 128
"""Texts of like length that are embedded in one go."""

ROWS = 512
"""Turns that are compared with the bank at a time."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Hinter:
    """The bank in the embedder's space; vectors that were computed once are kept in `folder`."""

    bank: Sequence[Example]
    folder: Path
    progress: Progress = field(default_factory=Silent)

    def teach(self, examples: Sequence[Example], *, share: float, seed: int) -> list[Example]:
        """Return the examples, about `share` of them with a hint out of a random part of the bank."""
        chance = np.random.default_rng(seed)
        chosen = np.flatnonzero(chance.random(len(examples)) < share).tolist()
        shown = self._quarters_shown(len(chosen), chance)
        hints = self._hints([examples[place] for place in chosen], shown)
        hinted = list(examples)
        for place, near in zip(chosen, hints, strict=True):
            example = examples[place]
            hinted[place] = replace(example, turn=replace(example.turn, near=near))
        return hinted

    def tell(self, examples: Sequence[Example]) -> list[Example]:
        """Return the examples with the hint that the whole bank gives, as the product hints a message."""
        shown = np.ones((len(examples), QUARTERS), dtype=bool)
        hints = self._hints(examples, shown)
        return [
            replace(example, turn=replace(example.turn, near=near))
            for example, near in zip(examples, hints, strict=True)
        ]

    def _quarters_shown(self, turns: int, chance: np.random.Generator) -> NDArray[np.bool_]:
        """Return which quarters of the bank each turn is compared with: one to four of them."""
        wanted = chance.integers(1, QUARTERS + 1, size=(turns, 1))
        return chance.permuted(np.tile(np.arange(QUARTERS), (turns, 1)), axis=1) < wanted

    def _hints(
        self, examples: Sequence[Example], shown: NDArray[np.bool_]
    ) -> Iterator[tuple[nearest.Hint, ...]]:
        known = vectors([said(example) for example in self.bank], self.folder, progress=self.progress)
        asked = vectors([said(example) for example in examples], self.folder, progress=self.progress)
        quarter = np.random.default_rng(0).integers(0, QUARTERS, size=len(self.bank))
        names = [example.commands[0].name for example in self.bank]
        own = _Own.of(self.bank)
        for start in range(0, len(examples), ROWS):
            likeness = asked[start : start + ROWS].astype(np.float32) @ known.astype(np.float32).T
            likeness[~shown[start : start + ROWS][:, quarter]] = -1
            for row, example in zip(likeness, examples[start : start + ROWS], strict=True):
                row[own.places(example)] = -1
                yield nearest.hints(row, names)


@dataclass(frozen=True)
class _Own:
    """Where in the bank the examples of each frame and of each wording stand."""

    by_frame: dict[str, list[int]]
    by_words: dict[str, list[int]]

    @classmethod
    def of(cls, bank: Sequence[Example]) -> "_Own":
        by_frame: defaultdict[str, list[int]] = defaultdict(list)
        by_words: defaultdict[str, list[int]] = defaultdict(list)
        for place, example in enumerate(bank):
            by_words[said(example).casefold()].append(place)
            for frame in example.frames:
                by_frame[frame].append(place)
        return cls(dict(by_frame), dict(by_words))

    def places(self, example: Example) -> list[int]:
        """Return the places that would give the example its own answer away."""
        of_frames = [place for frame in example.frames for place in self.by_frame.get(frame, [])]
        return of_frames + self.by_words.get(said(example).casefold(), [])


def said(example: Example) -> str:
    return prompt.normalise(example.turn.message)


def vectors(texts: Sequence[str], folder: Path, *, progress: Progress | None = None) -> NDArray[np.float16]:
    """Return the texts' vectors of length one; each different text is embedded once, and kept on disk."""
    different = sorted(set(texts), key=lambda text: (len(text), text))
    digest = hashlib.sha256("\0".join(different).encode()).hexdigest()[:16]
    path = folder / f"vectors-{digest}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished.npy")
        np.save(unfinished, _embedded(different, progress or Silent()))
        unfinished.replace(path)
    place = {text: row for row, text in enumerate(different)}
    return np.load(path)[[place[text] for text in texts]]


def _embedded(texts: Sequence[str], progress: Progress) -> NDArray[np.float16]:
    """Embed on one thread and in bf16: two threads that other programs interrupt wait for each other."""
    from chatbot.modelhost.embedder import DIMENSIONS, MiniLm

    made = np.zeros((len(texts), DIMENSIONS), dtype=np.float16)
    done, threads = 0, torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for group in MiniLm().embed(texts, batch=BATCH):
            made[done : done + len(group)] = group
            done += len(group)
            progress.report("embed", done, len(texts))
            progress.stop_if_cancelled()
    torch.set_num_threads(threads)
    return made
