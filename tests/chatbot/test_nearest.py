"""The hint of the nearest examples, and how the prompt shows it."""

import numpy as np
import pytest

from chatbot.commands import Command
from chatbot.nearest import hints, likeliest
from chatbot.prompt import Sample, Style, Turn, render


def cosines(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_two_near_examples_outweigh_one_that_is_nearer():
    assert hints(cosines(0.85, 0.75, 0.72), ["ask", "book", "book"]) == (("book", 7), ("ask", 8))


def test_two_commands_at_most_are_named():
    assert hints(cosines(0.95, 0.85, 0.6), ["book", "ask", "cancel"]) == (("book", 9), ("ask", 8))


def test_an_example_below_the_floor_says_nothing():
    assert hints(cosines(0.34, 0.1, -0.2), ["book", "ask", "cancel"]) == ()


def test_an_example_at_the_floor_has_a_say():
    assert hints(cosines(0.35), ["book"]) == (("book", 3),)


def test_the_same_words_are_never_more_than_nine_tenths():
    assert hints(cosines(1.0), ["book"]) == (("book", 9),)


def test_only_the_eight_likeliest_have_a_say():
    assert hints(cosines(0.85, *[0.72] * 7, 0.69), ["ask"] + ["book"] * 7 + ["cancel"]) == (
        ("book", 7),
        ("ask", 8),
    )
    assert hints(cosines(*[0.72] * 8, *[0.69] * 50), ["book"] * 8 + ["ask"] * 50) == (("book", 7),)


def test_an_empty_bank_hints_at_nothing():
    assert hints(cosines(), []) == ()


def test_of_examples_alike_the_earlier_comes_first():
    assert likeliest(cosines(0.5, 0.9, 0.5, 0.5), 3) == [1, 0, 2]


@pytest.mark.parametrize("size", [3, 400])
def test_the_likeliest_come_best_first(size):
    likeness = np.linspace(-1, 1, size, dtype=np.float32)
    assert likeliest(likeness, 2) == ([2] if size == 3 else [399, 398])


def test_the_hinted_style_shows_what_is_near_above_the_message():
    turn = Turn("thursday please", task="book_appointment", near=(("book_appointment", 8), ("ask", 6)))
    assert render(turn, style=Style.HINTED) == [
        {
            "role": "user",
            "content": "task: book_appointment\nasked: none\nlast: none\n"
            "near: book_appointment 8 ask 6\npatient: thursday please",
        }
    ]


def test_the_hinted_style_says_that_nothing_is_near():
    content = render(Turn("xyzzy"), style=Style.HINTED)[0]["content"]
    assert content == "task: none\nasked: none\nlast: none\nnear: none\npatient: xyzzy"


def test_the_compact_style_never_shows_a_hint():
    content = render(Turn("hello", near=(("greet", 9),)))[0]["content"]
    assert content == "task: none\nasked: none\nlast: none\npatient: hello"


def test_the_full_style_shows_samples_and_leaves_the_system_prompt_as_it_is():
    sample = Sample("can i come friday", (Command("book", {"slot": "friday"}),))
    system, user = render(Turn("friday?", samples=(sample,)), style=Style.FULL)
    assert system == render(Turn("hello"), style=Style.FULL)[0]
    assert user["content"] == (
        "Messages like this one, each with its right answer:\n"
        "patient: can i come friday\n"
        '{"commands":[{"name":"book","arguments":{"slot":"friday"}}]}\n'
        "\nNow:\n"
        "assistant said: nothing yet\n"
        "task: none\nasked: none\nlast: none\npatient: friday?"
    )
