"""Documents are cut where a reader would cut them, and nothing unseen gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot import passages

UNSEEN = "\u200b\u200d\u2060\ufeff\u202e\ufe0f\U000e0041\U000e007f\x00\x1b"


def test_a_passage_never_crosses_a_heading() -> None:
    body = "Before.\n\n## Main Street\nOpen at nine.\n\n## Riverside\nOpen at ten.\n\nClosed at six."
    assert passages.split(body) == [
        passages.Piece("", "Before."),
        passages.Piece("Main Street", "Open at nine."),
        passages.Piece("Riverside", "Open at ten.\n\nClosed at six."),
    ]


def test_paragraphs_are_gathered_up_to_a_hundred_words() -> None:
    paragraph = "word " * 39 + "end."
    sizes = [len(piece.text.split()) for piece in passages.split("\n\n".join([paragraph] * 5))]
    assert sizes == [80, 80, 40]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    pieces = passages.split(
        " ".join(f"Sentence number {number} has exactly seven words." for number in range(40))
    )
    assert all(len(piece.text.split()) <= 100 and piece.text.endswith("words.") for piece in pieces)
    assert " ".join(piece.text for piece in pieces).count("exactly") == 40


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Open from 9 a.m. to 5 p.m. on weekdays. Closed on Sunday.", 2),
        ("Ask for Dr. Okafor. She is in on Monday.", 2),
        ("It costs $39.50. That is all.", 2),
        ("Bring:\n- your glasses\n- a list of medicines", 3),
        ("A line that\nwas wrapped.", 1),
    ],
)
def test_sentences_end_where_they_end(text: str, found: int) -> None:
    assert len(passages.sentences(text)) == found


def test_what_no_reader_sees_does_not_get_in() -> None:
    assert passages.clean(f"Pay{UNSEEN} by\r\ncard\t.") == "Pay by\ncard\t."


def test_a_quotation_grows_around_the_best_sentence_to_the_length_of_a_text() -> None:
    parts = [f"{number} " + "word " * 24 for number in range(5)]
    assert passages.quote(parts, best=2) == f"{parts[2]} {parts[3]}"
    assert passages.quote(parts, best=4) == f"{parts[3]} {parts[4]}"


@given(st.text(alphabet=st.characters() | st.sampled_from("#\n- .\u200b"), max_size=400))
def test_splitting_keeps_every_word_that_is_seen(body: str) -> None:
    pieces = passages.split(body)
    kept = "".join(piece.text for piece in pieces)
    prose = "\n".join(line for line in passages.clean(body).split("\n") if not line.strip().startswith("#"))
    assert "".join(kept.split()) == "".join(prose.split()) or "#" in kept
