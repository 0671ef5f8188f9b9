"""Reads the hand-written frames and fills them: a sentence, and which of its words are arguments."""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FRAMES = Path(__file__).parent / "frames"

Sections = dict[str, list[str]]

_ALTERNATIVES = re.compile(r"\(([^()]*\|[^()]*)\)")
_BANK = re.compile(r"\{(\w+)\}")
_ARGUMENT = re.compile(r"<(\w+)(?::(\w+))?>")
_MARK = re.compile(r"\[(\w+)=([^\[\]]*)\]")


@dataclass(frozen=True)
class Piece:
    """Some words of a message, and the argument that they are, if any."""

    text: str
    argument: str = ""


@dataclass(frozen=True)
class Clause:
    """The words of a message that make one command; filler has no command."""

    pieces: tuple[Piece, ...]
    command: str = ""

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def _load(name: str) -> Sections:
    """Read a frame file: a heading starts a section, every other line is one frame."""
    sections: Sections = {}
    for line in (FRAMES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            current = sections.setdefault(line[3:].strip(), [])
        elif line.strip() and not line.startswith("# "):
            current.append(line.rstrip())
    return sections


@cache
def frames() -> dict[str, Sections]:
    """Return every frame file by its name."""
    return {path.stem: _load(path.stem) for path in sorted(FRAMES.glob("*.txt"))}


REQUESTS = {
    "book_appointment": 24,
    "reschedule_appointment": 15,
    "cancel_appointment": 12,
    "list_appointments": 9,
    "order_status": 11,
    "balance": 9,
    "pay_balance": 7,
    "ask_practice": 26,
}
"""How often each task is asked for. Only the proportions matter."""


class Writer:
    """Draws frames and fills them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._decks: dict[str, list[str]] = {}

    def deal(self, file: str, section: str) -> str:
        """Return the next frame of a shuffled deck, so that no frame is left out for long."""
        deck = self._decks.setdefault(f"{file}/{section}", [])
        if not deck:
            every = frames()[file][section]
            deck.extend(self.chance.sample(every, len(every)))
        return deck.pop()

    def fill(self, frame: str) -> str:
        """Resolve alternatives and banks until only marked arguments are left."""
        text = _ARGUMENT.sub(lambda match: f"[{match[1]}={{{match[2] or match[1]}}}]", frame)
        while True:
            if match := _ALTERNATIVES.search(text):
                filled = self.chance.choice(match[1].split("|"))
            elif match := _BANK.search(text):
                filled = self.chance.choice(frames()["banks"][match[1]])
            else:
                return re.sub(r" +", " ", text).replace(" ,", ",").replace(" ?", "?").strip()
            text = text[: match.start()] + filled + text[match.end() :]

    def clause(self, file: str, section: str, command: str) -> Clause:
        return Clause(tuple(pieces(self.fill(self.deal(file, section)))), command)

    def filler(self, bank: str, after: str = "") -> Clause:
        return Clause((Piece(self.fill(f"{{{bank}}}") + after),))

    def request(self, *, without: Iterable[str] = ()) -> Clause:
        """Return a clause that opens a task."""
        left = {name: weight for name, weight in REQUESTS.items() if name not in without}
        [name] = self.chance.choices(list(left), list(left.values()))
        return self.question() if name == "ask_practice" else self.clause("requests", name, name)

    def question(self) -> Clause:
        """Return a question; now and then it begins or goes on as it was not written."""
        topic = self.chance.choice(list(frames()["questions"]))
        asked = self.clause("questions", topic, "ask_practice").text
        if self.likely(0.12):
            asked = f"{self.fill('{question_head}')} {asked}"
        if self.likely(0.22):
            asked = f"{asked} {self.fill('{question_tail}')}"
        return Clause((Piece(asked, "question"),), "ask_practice")

    def likely(self, probability: float) -> bool:
        return self.chance.random() < probability


def pieces(filled: str) -> Iterator[Piece]:
    at = 0
    for mark in _MARK.finditer(filled):
        if mark.start() > at:
            yield Piece(filled[at : mark.start()])
        yield Piece(mark[2], mark[1])
        at = mark.end()
    if at < len(filled):
        yield Piece(filled[at:])
