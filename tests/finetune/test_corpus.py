"""What the generator composes is what the assistant can say."""

import itertools
import random
import re
from collections import Counter
from contextlib import suppress

import pytest

from chatbot import prompt
from chatbot.commands import GENERAL_COMMANDS
from chatbot.prompt import COMMAND_LIMIT
from finetune.corpus import cases
from finetune.corpus import frames as corpus_frames
from finetune.corpus import turns as composed
from finetune.corpus.frames import Frame, Unwritten, Writer, frames, pieces
from finetune.examples import Example
from finetune.tasks import TOOLS


@pytest.fixture(scope="module")
def turns() -> list[Example]:
    return composed.compose(seed=11, turns=4000)


def test_every_answer_is_read_back_as_the_commands_it_stands_for(turns):
    for example in turns:
        read = prompt.read(example.answer, message=example.turn.message, tools=TOOLS)
        assert tuple(read) == example.commands


def test_every_span_is_a_run_of_whole_words_of_its_message(turns):
    for example in turns:
        said = prompt.normalise(example.turn.message)
        assert example.fits, example
        assert all(span in said for command in example.commands for span in command.arguments.values())


def test_arguments_stand_in_the_order_that_the_grammar_writes(turns):
    allowed = prompt.allowed_arguments(TOOLS)
    for command in itertools.chain.from_iterable(example.commands for example in turns):
        order = [allowed[command.name].index(name) for name in command.arguments]
        assert order == sorted(order)
        assert command.name != "set" or command.arguments


def test_every_command_is_taught(turns):
    taught = Counter(command.name for example in turns for command in example.commands)
    assert set(taught) == {*GENERAL_COMMANDS, *(tool.name for tool in TOOLS)}
    assert min(taught.values()) >= 15, taught


def test_the_same_seed_composes_the_same_turns():
    assert composed.compose(seed=3, turns=50) == composed.compose(seed=3, turns=50)
    assert composed.compose(seed=3, turns=50) != composed.compose(seed=4, turns=50)


def test_composed_turns_are_all_different(turns):
    assert len({(example.turn, example.answer) for example in turns}) == len(turns)


def test_a_red_flag_is_never_joined_with_another_command(turns):
    urgent = [example for example in turns if "urgent" in {command.name for command in example.commands}]
    assert len(urgent) > 100
    assert all(len(example.commands) == 1 for example in urgent)


def test_no_message_holds_more_commands_than_are_read(turns):
    counts = Counter(len(example.commands) for example in turns)
    assert max(counts) <= COMMAND_LIMIT
    assert counts[2] > 100


@pytest.mark.parametrize("language", composed.LANGUAGES)
@pytest.mark.parametrize("situation", composed.SITUATIONS, ids=lambda situation: situation.__name__)
def test_a_situation_shows_the_model_only_states_that_occur(situation, language):
    writer = Writer(random.Random(2), language)
    for _ in range(50):
        with suppress(Unwritten):
            turn = situation(writer).turn
            assert turn.task == "" or turn.last == ""
            assert turn.task in {"", *composed.ASKED_BY}


def test_every_frame_can_be_filled_and_marks_known_arguments_only():
    chance = random.Random(1)
    writers = {language: Writer(chance, language) for language in composed.LANGUAGES}
    known = {argument.name for tool in TOOLS for argument in tool.arguments}
    for name, sections in frames().items():
        writer = writers["es" if name.startswith("spanish_") else "en"]
        for frame in itertools.chain.from_iterable(sections.values()):
            filled = list(pieces(re.sub(r"@\w+~([^~]*)~", r"\1", writer.fill(frame.text))))
            assert not any(set("{}<[]|") & set(piece.text) for piece in filled), frame
            assert {piece.argument for piece in filled} <= {*known, ""}, frame


BY_COMMAND = {"requests", "replies", "afterwards", "lookalikes", "outbound", "long"}


def test_sections_that_are_commands_are_commands_that_the_assistant_knows():
    known = {*GENERAL_COMMANDS, *(tool.name for tool in TOOLS), "short yes", "short stop", "date_of_birth"}
    for name, sections in frames().items():
        if name.removeprefix("spanish_") in {
            "requests",
            "replies",
            "afterwards",
            "lookalikes",
            "outbound",
            "long",
        }:
            assert set(sections) <= {*known, "two"}, name


def test_an_example_knows_the_frames_that_it_was_made_of(turns):
    every = {frame.id for sections in frames().values() for written in sections.values() for frame in written}
    assert all(example.frames and example.frames <= every for example in turns)
    assert any(len(example.frames) == 2 for example in turns)


def test_a_file_is_continued_in_another():
    assert frames()["requests"]["balance"][0].id == "requests/balance/0"
    assert not [name for name in frames() if "-" in name]


def test_words_of_another_language_come_from_its_own_banks(monkeypatch):
    banks = {"day": [Frame("", "monday")], "day_es": [Frame("", "lunes")], "street": [Frame("", "Oak St")]}
    monkeypatch.setattr(corpus_frames, "frames", lambda: {"banks": banks})
    spanish = Writer(random.Random(1), "es")
    assert spanish.fill("el <slot:day> en {street}") == "el [slot=lunes] en Oak St"
    assert spanish.filler("street").text == ""
    assert Writer(random.Random(1)).fill("<slot:day>") == "[slot=monday]"


def test_a_frame_may_hold_several_commands(monkeypatch):
    frame = Frame(
        "long/two/0", "hi, @cancel_appointment~cancel [appointment=friday]~ and @balance~what i owe~!"
    )
    monkeypatch.setattr(corpus_frames, "frames", lambda: {"long": {"two": [frame]}, "banks": {}})
    clauses = Writer(random.Random(1)).clauses("long", "two")
    assert [clause.command for clause in clauses] == ["", "cancel_appointment", "", "balance", ""]
    assert [piece.argument for piece in clauses[1].pieces] == ["", "appointment"]


@pytest.mark.parametrize(("path", "at_least"), [(cases.DEVELOPMENT, 80), (cases.HELD_OUT, 60)])
def test_cases_are_labelled_as_the_assistant_would_read_them(path, at_least):
    written = cases.read_cases(path)
    assert len(written) >= at_least
    for case in written:
        assert case.fits, case
        assert tuple(prompt.read(case.answer, message=case.turn.message, tools=TOOLS)) == case.commands


def test_no_scored_message_is_ever_trained_on(turns):
    assert cases.is_case("HIYA!")
    assert not [example for example in turns if cases.is_case(example.turn.message)]


def test_what_scores_the_whole_assistant_is_left_out_unless_it_is_everybodys(tmp_path, monkeypatch):
    (tmp_path / "cases.jsonl").write_text(
        '{"text": "My tortoise sat on my bifocals, what now?"}\n\n{"text": "Yes please"}\n'
    )
    monkeypatch.setattr(cases, "SCORED_ELSEWHERE", (tmp_path, tmp_path / "absent"))
    cases._messages.cache_clear()
    try:
        assert cases.is_case("my tortoise sat on my bifocals what now")
        assert not cases.is_case("yes please")
    finally:
        cases._messages.cache_clear()
