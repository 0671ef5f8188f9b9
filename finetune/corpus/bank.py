"""The example bank that the product starts with: each frame of the corpus once, as a plain message.

The bank is what a live message is compared with (`chatbot/nearest.py`). A rendering depends on its own
frame and the word banks only, so a new frame adds a line and leaves the others as they are.
"""

import random
from collections.abc import Iterator

from chatbot.prompt import Turn
from finetune.corpus.cases import is_case
from finetune.corpus.frames import Clause, Frame, Piece, Unwritten, Writer, frames, pieces
from finetune.corpus.turns import CORRECTED, LICENCE, command_of
from finetune.examples import Example

SPANISH = "spanish_"

_NAMED = {"short yes": "yes", "short stop": "stop", "date_of_birth": "unclear"}
_SET = {"answers", "corrections"}
_BY_COMMAND = {"requests", "afterwards", "outbound", "replies", "urgent", "lookalikes", "long"}
_CORRECTED = {section: task for task, section in reversed(CORRECTED.items())}
_ANSWERED = {
    "appointment": ("cancel_appointment", "appointment"),
    "order": ("order_status", "order"),
    "waitlist_entry": ("leave_waitlist", "waitlist_entry"),
    "times": ("join_waitlist", "slot"),
}
"""Task and question of an answer that does not belong to a booking."""


def bank(seed: int = 0, *, most: int = 0) -> list[Example]:
    """Return the bank: no scored case among it, and no message twice.

    `most` takes so many frames of each section at the utmost, spread evenly over it.
    """
    found: dict[str, Example] = {}
    for file, sections in frames().items():
        for section, written in sections.items():
            taken = written[:: max(1, -(-len(written) // most))] if most else written
            for example in _rendered(file, section, taken, seed):
                if example.fits and not is_case(example.turn.message):
                    found.setdefault(example.turn.message, example)
    return list(found.values())


def _rendered(file: str, section: str, written: list[Frame], seed: int) -> Iterator[Example]:
    language = "es" if file.startswith(SPANISH) else "en"
    name = file.removeprefix(SPANISH)
    command = _command(name, section)
    if not command:
        return
    for frame in written:
        writer = Writer(random.Random(f"{seed}/{frame.id}"), language)
        try:
            filled = writer.fill(frame.text)
        except Unwritten:
            continue
        yield _example(Clause(tuple(pieces(filled)), command, frame.id), _turn(name, section), language)


def _command(file: str, section: str) -> str:
    """Return what every frame of a section asks for; "" for word banks and for frames of several commands."""
    if file == "questions":
        return "ask_practice"
    if file in _SET:
        return "set"
    if file in _BY_COMMAND and section != "two":
        return _NAMED.get(section, section)
    return ""


def _turn(file: str, section: str) -> Turn:
    """Return the state in which a section's frames are said; its message is still empty."""
    if file == "corrections":
        return Turn("", _CORRECTED[section], "confirmation")
    if file == "answers":
        return Turn("", *_ANSWERED.get(section, ("book_appointment", section)))
    return Turn("")


def _example(clause: Clause, turn: Turn, language: str) -> Example:
    said = clause.pieces
    if clause.command == "ask_practice" and not any(piece.argument for piece in said):
        said = (Piece(clause.text, "question"),)
    whole = Clause(said, clause.command, clause.frame)
    return Example(
        Turn(whole.text, turn.task, turn.asked),
        (command_of(whole, [piece.text for piece in said]),),
        "bank",
        frames=frozenset({clause.frame}),
        language=language,
        licence=LICENCE,
    )
