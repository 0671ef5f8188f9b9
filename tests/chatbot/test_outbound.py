"""What a model wrote leaves only when our own sources hold every figure in it."""

import pytest
from django.conf import LazySettings

from chatbot.backends.memory import ScriptedBackend
from chatbot.outbound import is_backed, unbacked
from chatbot.phrasing import phrased

PASSAGE = "An exam costs $145.00. We are open Monday to Friday from 9 a.m. to 5:30 p.m. Call (212) 555-0100."


@pytest.mark.parametrize(
    "text",
    [
        "An exam costs $145.",
        "We open at 9am and close at 5:30 PM.",
        "We are open on Mondays.",
        "Please call (212) 555-0100.",
        "We are open on weekdays.",
    ],
)
def test_what_the_source_holds_may_be_said_in_another_spelling(text: str) -> None:
    assert is_backed(text, [PASSAGE])


@pytest.mark.parametrize(
    ("text", "made_up"),
    [
        ("An exam costs $154.", {"$154"}),
        ("It costs $14.50.", {"$14.50"}),
        ("We open at 8am.", {"8am"}),
        ("We close at 5:30 am.", {"5:30am"}),
        ("We are open on Saturday.", {"saturday"}),
        ("Come in two hours.", {"two"}),
        ("Call 212-555-0199.", {"2125550199"}),
        ("You get 10% off.", {"10%"}),
    ],
)
def test_a_figure_that_no_source_holds_is_found(text: str, made_up: set[str]) -> None:
    assert unbacked(text, [PASSAGE]) == made_up
    assert not is_backed(text, [PASSAGE])


@pytest.mark.parametrize(
    "text",
    ["See https://evil.example/9", "![x](//evil.example)", "<img src=x>", "Write to me@evil.example.com"],
)
def test_nothing_that_a_model_writes_points_anywhere(text: str) -> None:
    assert not is_backed(text, [text])


@pytest.fixture
def writer(model: ScriptedBackend, settings: LazySettings) -> ScriptedBackend:
    settings.LLM_PROMPT_STYLE = "full"
    return model


@pytest.mark.parametrize(
    ("written", "said"),
    [("It is $145.", "It is $145."), ("It is $99.", PASSAGE), ("", PASSAGE), ("word " * 200, PASSAGE)],
)
def test_the_passage_is_quoted_where_the_model_made_something_up(
    writer: ScriptedBackend, written: str, said: str
) -> None:
    writer.answers.append(written)
    assert phrased("how much is an exam", PASSAGE) == said


def test_the_passage_is_quoted_when_the_model_is_down_or_writes_no_prose(
    writer: ScriptedBackend, settings: LazySettings
) -> None:
    assert phrased("how much is an exam", PASSAGE) == PASSAGE
    settings.LLM_PROMPT_STYLE = "compact"
    writer.answers.append("It is $145.")
    assert phrased("how much is an exam", PASSAGE) == PASSAGE
