"""Composes eye-care turns: what a patient writes in which situation, and what it means.

Composing one message draws frames, joins them, and then types them the way people do; the spans go
through all of it together with their words, so that every label stays a run of words of its message.
"""

import random
from collections.abc import Callable, Iterator, Sequence

from chatbot import prompt
from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.corpus import typing_habits
from finetune.corpus.cases import is_case
from finetune.corpus.frames import Clause, Piece, Writer, frames
from finetune.examples import Example, fitting, trim
from finetune.tasks import TOOLS


def compose(seed: int, turns: int) -> list[Example]:
    """Return that many different turns, no scored case among them; the same seed gives the same ones."""
    found: dict[tuple[Turn, str], Example] = {}
    for example in fitting(endless(seed)):
        if not is_case(example.turn.message):
            found.setdefault((example.turn, example.answer), example)
        if len(found) == turns:
            break
    return list(found.values())


def endless(seed: int) -> Iterator[Example]:
    writer = Writer(random.Random(seed))
    situations, weights = zip(*SITUATIONS.items(), strict=True)
    while True:
        [situation] = writer.chance.choices(situations, weights)
        yield situation(writer)


State = tuple[str, str, str]
"""The open task, what was asked, and the task finished last."""

ORDER = prompt.allowed_arguments(TOOLS)
"""Each command's arguments in the order in which the grammar lets them be written."""

ASKED_BY = {
    "book_appointment": ("visit_type", "slot", "slot", "slot", "provider", "location", "confirmation"),
    "reschedule_appointment": ("appointment", "slot", "slot", "slot", "provider", "confirmation"),
    "cancel_appointment": ("appointment", "confirmation"),
    "order_status": ("order", "date_of_birth"),
    "balance": ("date_of_birth",),
    "pay_balance": ("confirmation", "date_of_birth"),
    "list_appointments": ("date_of_birth",),
}
"""What each task may be waiting for."""


def _closed(writer: Writer) -> State:
    """Return task, asked and last of a conversation in which no task is open."""
    last = writer.chance.choice([tool.name for tool in TOOLS])
    return writer.chance.choices(
        [("", "", ""), ("", "anything_else", last), ("", "", last), ("", "anything_else", "")],
        [5, 3, 2, 1],
    )[0]


def _open(writer: Writer, *, asked: str = "") -> State:
    """Return task, asked and last of a conversation in the middle of a task."""
    tasks = [task for task, questions in ASKED_BY.items() if not asked or asked in questions]
    task = writer.chance.choice(tasks)
    return task, asked or writer.chance.choice(ASKED_BY[task]), ""


def _anywhere(writer: Writer) -> State:
    return _open(writer) if writer.likely(0.5) else _closed(writer)


def _write(writer: Writer, state: State, clauses: Sequence[Clause], *, wrap: bool = True) -> Example:
    """Type the clauses as one message and read their commands off the typed words."""
    task, asked, last = state
    whole = _wrapped(writer, clauses) if wrap else list(clauses)
    typed = typing_habits.type_out(
        [[piece.text for piece in clause.pieces] for clause in whole], writer.chance
    )
    message = prompt.normalise("".join("".join(texts) for texts in typed))
    commands = tuple(
        _command(clause, texts) for clause, texts in zip(whole, typed, strict=True) if clause.command
    )
    return Example(Turn(message, task, asked, last), commands, "own")


def _command(clause: Clause, texts: Sequence[str]) -> Command:
    spans = {
        piece.argument: trim(text)
        for piece, text in zip(clause.pieces, texts, strict=True)
        if piece.argument and trim(text)
    }
    order = ORDER[clause.command]
    return Command(clause.command, dict(sorted(spans.items(), key=lambda item: order.index(item[0]))))


def _wrapped(writer: Writer, clauses: Sequence[Clause]) -> list[Clause]:
    """Put a greeting or a hesitation in front, and a courtesy behind, now and then."""
    whole = list(clauses)
    if writer.likely(0.16):
        whole.insert(0, writer.filler("hello", writer.chance.choice([", ", " ", ". ", "! "])))
    elif writer.likely(0.12):
        whole.insert(0, writer.filler("lead", writer.chance.choice([" ", ", ", " "])))
    if writer.likely(0.14):
        whole += [_text(writer.chance.choice([" ", ", ", ". "])), writer.filler("please")]
    return whole


def _text(text: str) -> Clause:
    return Clause((Piece(text),))


def _joined(writer: Writer, clauses: Sequence[Clause]) -> list[Clause]:
    """Put words such as "and also" between the clauses."""
    whole = [clauses[0]]
    for clause in clauses[1:]:
        joint = writer.fill(writer.deal("joints", "between requests"))
        whole += [_text(f" {joint} " if joint[0].isalnum() or joint == "&" else f"{joint} "), clause]
    return whole


def asks(writer: Writer) -> Example:
    """One task is asked for, at the start, after another, or in the middle of another."""
    state = _open(writer) if writer.likely(0.25) else _closed(writer)
    return _write(writer, state, [writer.request(without={state[0]})])


def asks_for_two(writer: Writer) -> Example:
    first = writer.request()
    second = writer.request(without={first.command})
    if writer.likely(0.06):
        third = writer.request(without={first.command, second.command})
        return _write(writer, _closed(writer), _joined(writer, [first, second, third]))
    return _write(writer, _closed(writer), _joined(writer, [first, second]))


ANSWERS = {"slot": 4, "visit_type": 2, "provider": 1, "location": 1, "appointment": 2, "order": 1}
"""Which questions are answered how often."""


def answers(writer: Writer) -> Example:
    """The open question is answered, sometimes with more than was asked."""
    [asked] = writer.chance.choices(list(ANSWERS), list(ANSWERS.values()))
    return _write(writer, _open(writer, asked=asked), [writer.clause("answers", asked, "set")])


def answers_and_asks(writer: Writer) -> Example:
    asked = writer.chance.choice(["slot", "visit_type", "provider", "location", "appointment", "order"])
    state = _open(writer, asked=asked)
    answer = writer.clause("answers", asked, "set")
    return _write(writer, state, _joined(writer, [answer, writer.request(without={state[0]})]))


def corrects(writer: Writer) -> Example:
    """A detail is changed instead of confirmed."""
    state = _open(writer, asked="confirmation")
    section = {"book_appointment": "book", "reschedule_appointment": "move", "cancel_appointment": "cancel"}
    if state[0] not in section:
        state = ("book_appointment", "confirmation", "")
    return _write(writer, state, [writer.clause("corrections", section[state[0]], "set")])


def corrects_afterwards(writer: Writer) -> Example:
    """The task is over, and the patient wants its outcome changed."""
    last, command = writer.chance.choice(
        [
            ("book_appointment", "reschedule_appointment"),
            ("book_appointment", "reschedule_appointment"),
            ("reschedule_appointment", "reschedule_appointment"),
            ("book_appointment", "cancel_appointment"),
            ("reschedule_appointment", "cancel_appointment"),
            ("list_appointments", "reschedule_appointment"),
            ("list_appointments", "cancel_appointment"),
            ("balance", "pay_balance"),
            ("cancel_appointment", "book_appointment"),
        ]
    )
    asked = writer.chance.choice(["", "anything_else"])
    return _write(writer, ("", asked, last), [writer.clause("afterwards", command, command)])


def replies(writer: Writer) -> Example:
    """A yes, a no, a wish for other choices: what fits what was asked."""
    section = writer.chance.choice(list(REPLIES))
    asked = writer.chance.choice(REPLIES[section])
    state = _open(writer, asked=asked) if asked in _ASKABLE else _closed_after(writer, asked)
    return _write(writer, state, [writer.clause("replies", section, section)], wrap=False)


_ASKABLE = {question for questions in ASKED_BY.values() for question in questions}

REPLIES = {
    "yes": (
        "confirmation",
        "confirmation",
        "confirmation",
        "confirmation",
        "slot",
        "provider",
        "anything_else",
    ),
    "no": ("confirmation", "confirmation", "anything_else", "anything_else", "slot", "provider"),
    "stop": ("confirmation", "slot", "visit_type", "appointment", "order", "date_of_birth", "provider"),
    "more": ("slot", "slot", "slot", "provider", "location", "visit_type"),
    "repeat": ("confirmation", "slot", "anything_else", "", "visit_type"),
}
"""When each reply is given."""


def _closed_after(writer: Writer, asked: str) -> State:
    return "", asked, writer.chance.choice([tool.name for tool in TOOLS])


def agrees_and_asks(writer: Writer) -> Example:
    state = _open(writer, asked="confirmation")
    agreed = writer.clause("replies", "short yes", "yes")
    return _write(writer, state, _joined(writer, [agreed, writer.request(without={state[0]})]), wrap=False)


def declines_and_asks(writer: Writer) -> Example:
    """ "No, but when do you close?": after "anything else?" only the question counts."""
    if writer.likely(0.5):
        no = _text(writer.fill(writer.deal("joints", "no but")) + " ")
        return _write(writer, _closed_after(writer, "anything_else"), [no, writer.request()], wrap=False)
    yes = _text(writer.fill(writer.deal("joints", "yes also")) + " ")
    return _write(writer, _closed_after(writer, "anything_else"), [yes, writer.request()], wrap=False)


def gives_up_and_asks(writer: Writer) -> Example:
    state = _open(writer)
    stopped = writer.clause("replies", "short stop", "stop")
    return _write(writer, state, _joined(writer, [stopped, writer.request(without={state[0]})]), wrap=False)


def small_talk(writer: Writer) -> Example:
    section = writer.chance.choice(["greet", "thanks", "goodbye", "thanks", "goodbye"])
    state = _closed(writer) if writer.likely(0.8) else _open(writer)
    return _write(writer, state, [writer.clause("replies", section, section)], wrap=False)


def wants_a_person(writer: Writer) -> Example:
    return _write(writer, _anywhere(writer), [writer.clause("replies", "handoff", "handoff")])


def is_unclear(writer: Writer) -> Example:
    clause = writer.clause("replies", "unclear", "unclear")
    return _write(writer, _anywhere(writer), [clause], wrap=writer.likely(0.3))


def is_urgent(writer: Writer) -> Example:
    """A red flag is one command alone, whatever else the message asks for."""
    clause = writer.clause("urgent", "urgent", "urgent")
    if not writer.likely(0.2):
        return _write(writer, _anywhere(writer), [clause])
    asked_too = Clause((Piece(writer.request().text),))
    order = [clause, asked_too] if writer.likely(0.6) else [asked_too, clause]
    return _write(writer, _anywhere(writer), _joined(writer, order))


def only_sounds_urgent(writer: Writer) -> Example:
    """Words of a red flag in a message that is none."""
    command = writer.chance.choice(list(frames()["lookalikes"]))
    clause = writer.clause("lookalikes", command, command)
    if command == "ask_practice":
        clause = Clause((Piece(clause.text, "question"),), command)
    return _write(
        writer, _closed(writer) if command != "set" else _open(writer, asked="visit_type"), [clause]
    )


SITUATIONS: dict[Callable[[Writer], Example], float] = {
    asks: 34,
    asks_for_two: 8,
    answers: 20,
    answers_and_asks: 3,
    corrects: 4,
    corrects_afterwards: 3,
    replies: 13,
    agrees_and_asks: 2,
    declines_and_asks: 2,
    gives_up_and_asks: 1,
    small_talk: 4,
    wants_a_person: 4,
    is_unclear: 4,
    is_urgent: 8,
    only_sounds_urgent: 4,
}
"""What happens in a turn, and how often."""
