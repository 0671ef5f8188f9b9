"""A turn in training gets the hint that a live message would get, and never its own answer."""

import json
from pathlib import Path

import numpy as np
import pytest

from chatbot.commands import Command
from chatbot.prompt import Style, Turn
from finetune.base import hints
from finetune.base.hints import Hinter
from finetune.corpus.bank import bank
from finetune.corpus.cases import is_case
from finetune.examples import Example

WORDS = ("owe", "bill", "book", "exam", "move", "hours")


def _example(text: str, command: str, *frames: str) -> Example:
    return Example(Turn(text), (Command(command),), "own", frames=frozenset(frames))


KNOWN = [
    _example("what do i owe", "balance", "requests/balance/0"),
    _example("my bill", "balance", "requests/balance/1"),
    _example("book an exam", "book_appointment", "requests/book_appointment/0"),
    _example("move my exam", "reschedule_appointment", "requests/reschedule_appointment/0"),
]


@pytest.fixture(autouse=True)
def _words_as_vectors(monkeypatch):
    """Stand in for the sentence embedder: messages are alike when they share known words."""

    def vectors(texts, folder, *, progress=None):
        found = np.array([[word in text for word in WORDS] for text in texts], dtype=np.float32) + 1e-6
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    monkeypatch.setattr(hints, "vectors", vectors)


@pytest.fixture
def hinter(tmp_path: Path) -> Hinter:
    return Hinter(KNOWN, tmp_path)


def test_a_message_is_told_what_the_likeliest_examples_ask_for(hinter):
    [told] = hinter.tell([_example("the exam i want to book", "book_appointment")])
    assert told.turn.near == (("book_appointment", 9), ("reschedule_appointment", 5))
    assert "\nnear: book_appointment 9 reschedule_appointment 5\n" in told.prompt_in(Style.HINTED)
    assert "near" not in told.prompt_in(Style.COMPACT)


def test_an_example_made_of_the_same_frame_says_nothing(hinter):
    [told] = hinter.tell([_example("how much do i owe", "balance", "requests/balance/0")])
    assert told.turn.near == ()


def test_an_example_of_the_same_words_says_nothing(hinter):
    [told] = hinter.tell([_example("My bill", "balance")])
    assert told.turn.near == ()


def test_in_training_some_turns_get_no_hint_and_some_see_a_part_of_the_bank(hinter):
    taught = hinter.teach([_example("book the exam", "book_appointment")] * 400, share=0.85, seed=1)
    near = [example.turn.near for example in taught]
    assert 0.15 < near.count(()) / 400 < 0.5
    assert {dict(each).get("book_appointment") for each in near} == {9, None}
    assert taught == hinter.teach([_example("book the exam", "book_appointment")] * 400, share=0.85, seed=1)


def test_the_first_bank_holds_no_scored_case_and_no_message_twice():
    known = bank(most=60)
    texts = [example.turn.message for example in known]
    assert len(set(texts)) == len(texts) > 3000
    assert not [text for text in texts if is_case(text)]
    assert all(example.fits for example in known)


def test_the_bank_in_the_repository_is_in_the_form_that_the_portal_loads():
    path = Path(__file__).parents[2] / "chatbot" / "examples.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {row["language"] for row in rows} == {"en", "es"}
    assert all(row["commands"] for row in rows)


def test_a_rendering_depends_on_its_frame_alone():
    some, every = bank(most=20), bank()
    assert {example.turn.message for example in some} <= {example.turn.message for example in every}
