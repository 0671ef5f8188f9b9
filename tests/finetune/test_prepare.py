"""From uploaded rows to training examples; every row here is invented."""

import json
from pathlib import Path

import pytest

from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.corpus.turns import compose
from finetune.data import DataRefused, cleaning, labelled, likeness
from finetune.data.prepare import Source, open_source, prepare
from finetune.data.report import JSON_NAME, PAGE_NAME
from finetune.examples import Example


def _said(text: str, *commands: Command, conversation: str = "", **state: str) -> Example:
    return Example(
        Turn(text, **state),
        commands or (Command("balance"),),
        "test",
        conversation=conversation,
        licence="own",
    )


def _source(*examples: Example, name: str = "own.jsonl", licence: str = "own") -> Source:
    return Source(name, licence, examples)


DIFFERENT = tuple(
    _said(text)
    for text in (
        "what do I owe you",
        "is there anything left to pay on my account",
        "how much was the last visit",
        "did my insurance cover it all",
        "tell me my balance",
        "do I still have an open bill",
    )
)


def test_each_row_that_cannot_be_used_is_counted_with_its_reason():
    prepared = prepare(
        [
            _source(
                *DIFFERENT,
                _said(" \u200b "),
                _said("hello " * 80),
                _said("sing me a song", Command("sing")),
                _said("cancel friday", Command("cancel_appointment", {"slot": "friday"})),
                _said("cancel it", Command("cancel_appointment", {"appointment": "friday"})),
                _said("the first one", Command("set"), task="book a visit"),
            )
        ],
        seed=1,
    )
    assert prepared.report.dropped == {
        cleaning.EMPTY: 1,
        cleaning.TOO_LONG: 1,
        cleaning.UNKNOWN_COMMAND: 1,
        cleaning.UNKNOWN_ARGUMENT: 1,
        cleaning.NOT_IN_MESSAGE: 1,
        cleaning.UNKNOWN_STATE: 1,
    }
    assert prepared.report.dropped_rows[cleaning.UNKNOWN_COMMAND] == ["own.jsonl, row 9"]
    assert prepared.report.train + prepared.report.held_out == len(DIFFERENT)


def test_control_characters_are_taken_out_and_arguments_trimmed():
    [example] = prepare(
        [
            _source(
                _said("come\u202e on\x07 Friday!!", Command("reschedule_appointment", {"slot": "friday!"}))
            )
        ],
        seed=1,
    ).train
    assert example.turn.message == "come on Friday!!"
    assert example.commands == (Command("reschedule_appointment", {"slot": "Friday"}),)


def test_arguments_come_in_the_order_that_the_grammar_writes():
    book = Command("book_appointment", {"slot": "monday", "visit_type": "exam"})
    [example] = prepare([_source(_said("monday for an exam", book))], seed=1).train
    assert list(example.commands[0].arguments) == ["visit_type", "slot"]


def test_data_of_which_most_cannot_be_used_is_refused_with_the_commonest_reason():
    with pytest.raises(DataRefused, match=r"2 of 3 rows cannot be used; 2 of them: a command") as refused:
        prepare([_source(_said("hm", Command("sing")), _said("ha", Command("dance")), DIFFERENT[0])], seed=1)
    assert "own.jsonl, row 1" in refused.value.hint


def test_data_without_an_example_is_refused():
    with pytest.raises(DataRefused, match="no example"):
        prepare([_source()], seed=1)


def test_data_without_a_licence_is_refused():
    nameless = [Example(Turn("hi"), (Command("greet"),), "x")]
    with pytest.raises(DataRefused, match=r"found.csv: 1 rows do not say under which licence"):
        prepare([Source("found.csv", "", nameless)], seed=1)


def test_the_same_words_in_the_same_state_count_once():
    report = prepare(
        [
            _source(
                *DIFFERENT,
                _said("What do I owe you?"),
                _said("what do i owe you", asked="anything_else", last="book_appointment"),
                _said("what do I owe you", Command("pay_balance")),
                _said("is there anything left to pay on my acount"),
            )
        ],
        seed=1,
    ).report
    assert (report.duplicates, report.contradictions, report.near_duplicates) == (1, 1, 1)
    assert report.train + report.held_out + report.repeated_in_held_out == len(DIFFERENT) + 1


def test_a_thumb_up_is_not_a_thumb_down():
    thumbs = [
        _said("👍", Command("yes"), task="balance", asked="confirmation"),
        _said("👎", Command("no"), task="balance", asked="confirmation"),
    ]
    report = prepare([_source(*thumbs)], seed=1).report
    assert (report.dropped, report.contradictions, report.train + report.held_out) == ({}, 0, 2)


def test_another_day_is_no_repetition():
    tuesday, thursday = (
        _said(
            f"can you move my visit with the doctor to {day} please",
            Command("reschedule_appointment", {"slot": day}),
        )
        for day in ("tuesday", "thursday")
    )
    report = prepare([_source(tuesday, thursday)], seed=1).report
    assert (report.near_duplicates, report.train + report.held_out) == (0, 2)


def test_no_conversation_and_nothing_alike_stands_on_both_sides():
    talks = [
        Example(turn.turn, turn.commands, "own", conversation=f"c{number // 4}", licence="own")
        for number, turn in enumerate(compose(seed=8, turns=800))
    ]
    prepared = prepare([_source(*talks)], seed=4, held_out=0.2)
    assert 40 <= len(prepared.held_out) <= 160
    kept, learnt = (
        {example.conversation for example in side} for side in (prepared.held_out, prepared.train)
    )
    assert not kept & learnt
    texts = [likeness.letters(example.turn.message) for example in (*prepared.train, *prepared.held_out)]
    border = len(prepared.train)
    assert not [pair for pair in likeness.pairs(texts) if (pair[0] < border) != (pair[1] < border)]


def test_what_was_made_of_one_frame_stays_on_one_side():
    examples = [
        Example(example.turn, example.commands, "own", frames=frozenset({f"f{number % 5}"}), licence="own")
        for number, example in enumerate(compose(seed=9, turns=100))
    ]
    prepared = prepare([_source(*examples)], seed=1, held_out=0.3)
    sides = [
        set().union(*(example.frames for example in side)) for side in (prepared.train, prepared.held_out)
    ]
    assert sides[1]
    assert not sides[0] & sides[1]


def test_the_same_seed_prepares_the_same_and_another_one_splits_otherwise():
    source = _source(*compose(seed=8, turns=200))
    first, again, other = (prepare([source], seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.held_out != other.held_out


def test_one_example_alone_is_learnt_from():
    prepared = prepare([_source(DIFFERENT[0])], seed=1)
    assert (len(prepared.train), len(prepared.held_out)) == (1, 0)


def test_the_report_counts_by_command_language_and_source(tmp_path):
    spanish = Example(
        Turn("cuánto debo"), (Command("balance"),), "x", language="es", licence="CC BY 4.0", conversation="c"
    )
    prepared = prepare([_source(*DIFFERENT), Source("otro.csv", "", [spanish])], seed=1)
    prepared.report.write(tmp_path)
    written = json.loads((tmp_path / JSON_NAME).read_text("utf-8"))
    assert written["commands"] == {"balance": 7}
    assert written["languages"] == {"en": 6, "es": 1}
    assert written["sources"][1] == {"name": "otro.csv", "licence": "CC BY 4.0", "read": 1, "used": 1}
    assert "| Spanish" not in (tmp_path / PAGE_NAME).read_text("utf-8")
    assert "| es | 1 |" in (tmp_path / PAGE_NAME).read_text("utf-8")


def test_a_hostile_file_name_cannot_break_out_of_the_reports_table():
    name = "x|<script>alert(1)</script>\n# heading.csv"
    page = prepare([_source(*DIFFERENT, name=name)], seed=1).report.page()
    assert "<script>" not in page
    assert "\n# heading" not in page


def test_a_file_is_read_with_the_licence_it_was_given(tmp_path: Path):
    path = tmp_path / "words.jsonl"
    labelled.write(path, [Example(Turn("hi"), (Command("greet"),), "bank")])
    source = open_source(path, licence="own")
    assert (source.name, source.licence) == ("words.jsonl", "own")
    assert prepare([source], seed=1).train[0].licence == "own"


def test_a_file_of_conversations_is_known_by_who_speaks(tmp_path: Path):
    path = tmp_path / "talks.jsonl"
    rows = [
        {
            "conversation": "c1",
            "who": "patient",
            "text": "cancel it",
            "commands": [{"name": "cancel_appointment"}],
        },
        {"conversation": "c1", "who": "assistant", "text": "Shall I cancel it?", "asked": "confirmation"},
        {"conversation": "c1", "who": "patient", "text": "yes please", "commands": [{"name": "yes"}]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    prepared = prepare([open_source(path, licence="own")], seed=1)
    assert [example.turn.task for example in prepared.train] == ["", "cancel_appointment"]


def test_an_empty_table_is_refused(tmp_path: Path):
    path = tmp_path / "words.csv"
    path.write_text("text,command\n", "utf-8")
    with pytest.raises(DataRefused, match="no example"):
        prepare([open_source(path, licence="own")], seed=1)
