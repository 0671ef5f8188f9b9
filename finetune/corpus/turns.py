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
from finetune.corpus.frames import Clause, Piece, Unwritten, Writer
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


LANGUAGES = {"en": 0.88, "es": 0.12}
"""How much is written in which language."""


def endless(seed: int) -> Iterator[Example]:
    chance = random.Random(seed)
    writers = [Writer(chance, language) for language in LANGUAGES]
    while True:
        [writer] = chance.choices(writers, list(LANGUAGES.values()))
        [situation] = chance.choices(list(SITUATIONS), list(SITUATIONS.values()))
        try:
            yield situation(writer)
        except Unwritten:
            continue  # so far nobody wrote for this situation in this language


LICENCE = "Apache-2.0"

State = tuple[str, str, str]
"""The open task, what was asked, and the task finished last."""

ORDER = prompt.allowed_arguments(TOOLS)
"""Each command's arguments in the order in which the grammar lets them be written."""

ASKED_BY = {
    "book_appointment": ("visit_type", "slot", "slot", "slot", "provider", "location", "confirmation"),
    "reschedule_appointment": ("appointment", "slot", "slot", "slot", "provider", "confirmation"),
    "cancel_appointment": ("appointment", "confirmation"),
    "join_waitlist": ("visit_type", "slot", "slot", "provider", "confirmation"),
    "wait_for_earlier": ("appointment", "slot", "confirmation"),
    "leave_waitlist": ("waitlist_entry", "confirmation"),
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
        [[piece.text for piece in clause.pieces] for clause in whole], writer.chance, writer.language
    )
    message = prompt.normalise("".join("".join(texts) for texts in typed))
    commands = tuple(
        command_of(clause, texts) for clause, texts in zip(whole, typed, strict=True) if clause.command
    )
    return Example(
        Turn(message, task, asked, last),
        commands,
        "own",
        frames=frozenset(clause.frame for clause in whole if clause.frame),
        language=writer.language,
        licence=LICENCE,
    )


def command_of(clause: Clause, texts: Sequence[str]) -> Command:
    """Return the command of a clause whose pieces were typed as these texts.

    A clause may mark more than its command takes; a dropped mark is only a word.
    """
    order = ORDER[clause.command]
    spans = {
        piece.argument: trim(text)
        for piece, text in zip(clause.pieces, texts, strict=True)
        if piece.argument in order and trim(text)
    }
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


def _asked_too(clause: Clause) -> Clause:
    """Return the words of a request that is not acted upon."""
    return Clause((Piece(clause.text),), frame=clause.frame)


def _joined(writer: Writer, clauses: Sequence[Clause]) -> list[Clause]:
    """Put words such as "and also" between the clauses."""
    whole = [clauses[0]]
    for clause in clauses[1:]:
        joint = writer.words("joints", "between requests")
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


ANSWERS = {
    "slot": 8,
    "visit_type": 4,
    "provider": 2,
    "location": 2,
    "appointment": 4,
    "order": 2,
    "waitlist_entry": 1,
}
"""Which questions are answered how often."""

WAITING = {"join_waitlist", "wait_for_earlier"}
"""Tasks whose times may be as wide as somebody likes."""


def _answer(writer: Writer, state: State) -> Clause:
    task, asked, _ = state
    wide = asked == "slot" and task in WAITING and "times" in writer.sections("answers")
    return writer.clause("answers", "times" if wide and writer.likely(0.6) else asked, "set")


def answers(writer: Writer) -> Example:
    """The open question is answered, sometimes with more than was asked."""
    state = _open(writer, asked=writer.choose(ANSWERS))
    return _write(writer, state, [_answer(writer, state)])


def answers_and_asks(writer: Writer) -> Example:
    state = _open(writer, asked=writer.chance.choice(list(ANSWERS)))
    answer = _answer(writer, state)
    return _write(writer, state, _joined(writer, [answer, writer.request(without={state[0]})]))


def corrects(writer: Writer) -> Example:
    """A detail is changed instead of confirmed."""
    state = _open(writer, asked="confirmation")
    if state[0] not in CORRECTED:
        state = ("book_appointment", "confirmation", "")
    return _write(writer, state, [writer.clause("corrections", CORRECTED[state[0]], "set")])


CORRECTED = {
    "book_appointment": "book",
    "reschedule_appointment": "move",
    "cancel_appointment": "cancel",
    "join_waitlist": "waitlist",
    "wait_for_earlier": "waitlist",
}
"""The section of corrections that fits a task."""


def corrects_afterwards(writer: Writer) -> Example:
    """The task is over, and the patient wants its outcome changed, or what follows from it."""
    last, command = writer.chance.choice(SECOND_THOUGHTS)
    if writer.likely(0.3):
        command = writer.chance.choice(list(writer.sections("afterwards")) or [command])
        last = writer.chance.choice([tool.name for tool in TOOLS])
    asked = writer.chance.choice(["", "anything_else"])
    return _write(writer, ("", asked, last), [_whole(writer, "afterwards", command)])


SECOND_THOUGHTS = (
    ("book_appointment", "reschedule_appointment"),
    ("book_appointment", "reschedule_appointment"),
    ("reschedule_appointment", "reschedule_appointment"),
    ("book_appointment", "cancel_appointment"),
    ("reschedule_appointment", "cancel_appointment"),
    ("list_appointments", "reschedule_appointment"),
    ("list_appointments", "cancel_appointment"),
    ("balance", "pay_balance"),
    ("cancel_appointment", "book_appointment"),
    ("book_appointment", "wait_for_earlier"),
    ("list_appointments", "wait_for_earlier"),
    ("cancel_appointment", "join_waitlist"),
    ("join_waitlist", "leave_waitlist"),
)
"""What was done last, and what is wanted then."""


def answers_what_we_sent(writer: Writer) -> Example:
    """A reminder, a recall or an offer of ours is answered, with no task open."""
    section = writer.chance.choice(list(writer.sections("outbound")) or [""])
    state = ("", "", "") if writer.likely(0.9) else _closed(writer)
    return _write(writer, state, [_whole(writer, "outbound", section)], wrap=writer.likely(0.3))


def _whole(writer: Writer, file: str, command: str) -> Clause:
    """Return a clause of a file whose sections are commands; a question is all of it, unless it marks one."""
    clause = writer.clause(file, command, command)
    if command != "ask_practice" or any(piece.argument for piece in clause.pieces):
        return clause
    return Clause((Piece(clause.text, "question"),), command, clause.frame)


def tells_a_story(writer: Writer) -> Example:
    """A message of several sentences, in which the request has to be found."""
    sections = list(writer.sections("long")) or [""]
    section = writer.chance.choice(sections)
    state = _open(writer) if writer.likely(0.15) else _closed(writer)
    if section == "two":
        return _write(writer, state, writer.clauses("long", section), wrap=False)
    return _write(writer, state, [_whole(writer, "long", section)], wrap=writer.likely(0.3))


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
        no = _text(writer.words("joints", "no but") + " ")
        return _write(writer, _closed_after(writer, "anything_else"), [no, writer.request()], wrap=False)
    yes = _text(writer.words("joints", "yes also") + " ")
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


def gives_no_birth_date(writer: Writer) -> Example:
    """Code reads dates of birth before any model does; what is left here it could not read."""
    state = _open(writer, asked="date_of_birth")
    return _write(writer, state, [writer.clause("replies", "date_of_birth", "unclear")], wrap=False)


def is_urgent(writer: Writer) -> Example:
    """A red flag is one command alone, whatever else the message asks for."""
    clause = writer.clause("urgent", "urgent", "urgent")
    if not writer.likely(0.2):
        return _write(writer, _anywhere(writer), [clause])
    asked_too = _asked_too(writer.request())
    order = [clause, asked_too] if writer.likely(0.6) else [asked_too, clause]
    return _write(writer, _anywhere(writer), _joined(writer, order))


def only_sounds_urgent(writer: Writer) -> Example:
    """Words of a red flag in a message that is none."""
    command = writer.chance.choice(list(writer.sections("lookalikes")) or [""])
    clause = _whole(writer, "lookalikes", command)
    state = _open(writer, asked="visit_type") if command == "set" else _closed(writer)
    return _write(writer, state, [clause])


SITUATIONS: dict[Callable[[Writer], Example], float] = {
    asks: 34,
    asks_for_two: 8,
    answers: 20,
    answers_and_asks: 3,
    corrects: 4,
    corrects_afterwards: 4,
    answers_what_we_sent: 3,
    tells_a_story: 4,
    replies: 13,
    agrees_and_asks: 2,
    declines_and_asks: 2,
    gives_up_and_asks: 1,
    small_talk: 4,
    wants_a_person: 4,
    is_unclear: 4,
    gives_no_birth_date: 0.5,
    is_urgent: 8,
    only_sounds_urgent: 4,
}
"""What happens in a turn, and how often."""
