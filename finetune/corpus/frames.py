"""Reads the hand-written frames and fills them: a sentence, and which of its words are arguments."""

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FRAMES = Path(__file__).parent / "frames"

_ALTERNATIVES = re.compile(r"\(([^()]*\|[^()]*)\)")
_BANK = re.compile(r"\{(\w+)\}")
_ARGUMENT = re.compile(r"<(\w+)(?::(\w+))?>")
_MARK = re.compile(r"\[(\w+)=([^\[\]]*)\]")
_COMMAND = re.compile(r"@(\w+)~([^~]*)~")


class Unwritten(LookupError):
    """Nobody has written such a frame yet, in this language."""


@dataclass(frozen=True)
class Frame:
    """A line of a frame file; its id says in which file and section it stands, and where."""

    id: str
    text: str


Sections = dict[str, list[Frame]]


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
    frame: str = ""

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def _load(path: Path) -> Sections:
    """Read a frame file: a heading starts a section, every other line is one frame."""
    sections: Sections = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
            current = sections.setdefault(heading, [])
        elif line.strip() and not line.startswith("# "):
            current.append(Frame(f"{path.stem}/{heading}/{len(current)}", line.rstrip()))
    return sections


@cache
def frames() -> dict[str, Sections]:
    """Return every frame file by its name; `requests-more.txt` goes on with `requests.txt`."""
    files: dict[str, Sections] = {}
    for path in sorted(FRAMES.glob("*.txt")):
        sections = files.setdefault(path.stem.split("-")[0], {})
        for heading, written in _load(path).items():
            sections.setdefault(heading, []).extend(written)
    return files


REQUESTS = {
    "book_appointment": 24,
    "reschedule_appointment": 15,
    "cancel_appointment": 12,
    "list_appointments": 9,
    "join_waitlist": 8,
    "wait_for_earlier": 6,
    "leave_waitlist": 3,
    "see_waitlist": 2,
    "tell_front_desk": 3,
    "order_status": 11,
    "balance": 9,
    "pay_balance": 7,
    "ask_practice": 26,
}
"""How often each task is asked for. Only the proportions matter."""


class Writer:
    """Draws frames of one language and fills them."""

    def __init__(self, chance: random.Random, language: str = "en") -> None:
        self.chance = chance
        self.language = language
        self._decks: dict[str, list[Frame]] = {}

    def sections(self, file: str) -> Sections:
        """Return the sections of a file in the writer's language; none when there is no such file."""
        return frames().get(file if self.language == "en" else f"spanish_{file}", {})

    def deal(self, file: str, section: str) -> Frame:
        """Return the next frame of a shuffled deck, so that no frame is left out for long.

        Raises Unwritten when the section is empty or missing.
        """
        deck = self._decks.setdefault(f"{file}/{section}", [])
        if not deck:
            every = self.sections(file).get(section, [])
            deck.extend(self.chance.sample(every, len(every)))
        if not deck:
            raise Unwritten(f"{file}/{section} in {self.language}")
        return deck.pop()

    def fill(self, frame: str) -> str:
        """Resolve alternatives and banks until only marked arguments are left."""
        text = _ARGUMENT.sub(lambda match: f"[{match[1]}={{{match[2] or match[1]}}}]", frame)
        while True:
            if match := _ALTERNATIVES.search(text):
                filled = self.chance.choice(match[1].split("|"))
            elif match := _BANK.search(text):
                filled = self.chance.choice(self.bank(match[1])).text
            else:
                return re.sub(r" +", " ", text).replace(" ,", ",").replace(" ?", "?").strip()
            text = text[: match.start()] + filled + text[match.end() :]

    def bank(self, name: str) -> list[Frame]:
        """Return a bank's words: those of the writer's language where they are told apart."""
        banks = frames()["banks"]
        for known in (f"{name}_{self.language}", f"{self.language}_{name}", name):
            if found := banks.get(known):
                return found
        raise Unwritten(f"bank {name} in {self.language}")

    def words(self, file: str, section: str) -> str:
        """Return the words of a frame that marks nothing."""
        return self.fill(self.deal(file, section).text)

    def clause(self, file: str, section: str, command: str) -> Clause:
        frame = self.deal(file, section)
        return Clause(tuple(pieces(self.fill(frame.text))), command, frame.id)

    def clauses(self, file: str, section: str) -> list[Clause]:
        """Return a frame that holds several commands, each wrapped as `@command~its words~`."""
        frame = self.deal(file, section)
        return list(_commands(self.fill(frame.text), frame.id))

    def filler(self, bank: str, after: str = "") -> Clause:
        """Return a courtesy; no words at all where the bank has none in the writer's language."""
        said = self.chance.choice(self.bank(bank))
        if self.language != "en" and said in frames()["banks"].get(bank, []):
            return Clause(())
        return Clause((Piece(self.fill(said.text) + after),))

    def request(self, *, without: Iterable[str] = ()) -> Clause:
        """Return a clause that opens a task."""
        name = self.choose({task: weight for task, weight in REQUESTS.items() if task not in {*without}})
        return self.question() if name == "ask_practice" else self.clause("requests", name, name)

    def question(self) -> Clause:
        """Return a question; now and then it begins or goes on as it was not written."""
        topics = list(self.sections("questions"))
        if not topics:
            raise Unwritten(f"questions in {self.language}")
        clause = self.clause("questions", self.chance.choice(topics), "ask_practice")
        asked = clause.text
        if self.likely(0.12):
            asked = f"{self.filler('question_head').text} {asked}".strip()
        if self.likely(0.22):
            asked = f"{asked} {self.filler('question_tail').text}".strip()
        return Clause((Piece(asked, "question"),), "ask_practice", clause.frame)

    def choose(self, weights: Mapping[str, float]) -> str:
        [name] = self.chance.choices(list(weights), list(weights.values()))
        return name

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


def _commands(filled: str, frame: str) -> Iterator[Clause]:
    at = 0
    for mark in _COMMAND.finditer(filled):
        if mark.start() > at:
            yield Clause((Piece(filled[at : mark.start()]),), frame=frame)
        yield Clause(tuple(pieces(mark[2])), mark[1], frame)
        at = mark.end()
    if at < len(filled):
        yield Clause((Piece(filled[at:]),), frame=frame)
