"""What a model understood is held against the words of the message."""

import pytest

from chatbot.commands import ArgumentOutline, Command, ToolOutline
from chatbot.prompt import Turn
from chatbot.proofreading import proofread

Pairs = list[tuple[str, dict[str, str]]]


def outline(name: str, *arguments: str) -> ToolOutline:
    return ToolOutline(name, name, tuple(ArgumentOutline(argument, argument) for argument in arguments))


TOOLS = (
    outline("book_appointment", "visit_type", "slot", "provider", "location"),
    outline("reschedule_appointment", "appointment", "slot", "provider"),
    outline("cancel_appointment", "appointment"),
    outline("list_appointments"),
    outline("order_status", "order"),
    outline("balance"),
    outline("ask_practice", "question"),
)


def proof(message: str, *said: str | tuple[str, dict[str, str]], **state: str) -> Pairs:
    commands = [Command(entry) if isinstance(entry, str) else Command(*entry) for entry in said]
    kept = proofread(commands, Turn(message, **state), TOOLS)
    return [(command.name, dict(command.arguments)) for command in kept]


@pytest.mark.parametrize(
    "message",
    [
        "my eye feels weird today",
        "everything is blurry",
        "me duele mucho",
        "red eye since noon",
        "two steering wheels, two hands on each, started at breakfast",
        "my vision has been blacking out for seconds at a time all day",
        "veo destellos y muchas moscas negras desde esta mañana",
    ],
)
def test_an_emergency_that_the_model_hears_stands_whatever_the_words(message: str) -> None:
    assert proof(message, "urgent") == [("urgent", {})]


def test_a_second_task_without_a_word_for_it_is_left_out() -> None:
    said = ("never mind ill call tomorrow", "stop", ("cancel_appointment", {"appointment": "tomorrow"}))
    assert proof(*said, task="book_appointment", asked="slot") == [("stop", {})]


def test_a_task_said_twice_is_one() -> None:
    twice = (("balance", {}), ("balance", {}))
    assert proof("got a bill, how much is left of my bill", *twice) == [("balance", {})]


def test_a_second_task_that_another_clause_asks_for_is_heard() -> None:
    kept = proof("cancel wednesday and tell me how much i owe", ("cancel_appointment", {}))
    assert [name for name, _ in kept] == ["cancel_appointment", "balance"]


def test_a_person_is_not_called_when_nobody_spoke_of_one() -> None:
    assert proof("cuanto debo?", "handoff") == [("balance", {})]
    assert proof("put a person on", "handoff") == [("handoff", {})]


@pytest.mark.parametrize(
    ("message", "said", "kept"),
    [
        ("exam on february 30", {"slot": "30"}, {"slot": "on february 30", "visit_type": "exam"}),
        ("exam next month works", {"slot": "next month works"}, {"slot": "next month", "visit_type": "exam"}),
        ("come in monday with reyes", {"slot": "monday"}, {"slot": "monday", "provider": "reyes"}),
        ("soon w okafor", {"slot": "soon w okafor"}, {"slot": "soon", "provider": "okafor"}),
        ("fitting thurs pm", {"visit_type": "fitting thurs pm"}, {"visit_type": "fitting thurs pm"}),
    ],
)
def test_details_are_cut_to_what_they_are(message: str, said: dict[str, str], kept: dict[str, str]) -> None:
    assert proof(message, ("book_appointment", said)) == [("book_appointment", kept)]


def test_what_was_taken_for_a_visits_name_is_told_from_the_wish() -> None:
    said = ("reschedule_appointment", {"appointment": "my exam to friday"})
    expected = {"appointment": "my exam", "slot": "friday"}
    assert proof("can you put my exam to friday", said) == [("reschedule_appointment", expected)]


def test_words_that_name_no_visit_are_no_detail() -> None:
    said = ("cancel_appointment", {"appointment": "my appointment"})
    assert proof("please cancel my appointment", said) == [("cancel_appointment", {})]


@pytest.mark.parametrize(
    ("task", "asked"), [("book_appointment", "slot"), ("book_appointment", "confirmation")]
)
def test_a_move_of_what_is_just_being_booked_is_another_time_for_it(task: str, asked: str) -> None:
    said = ("reschedule_appointment", {"slot": "10:30"})
    kept = proof("actually can we make it 10:30 instead", said, task=task, asked=asked)
    assert kept == [("set", {"slot": "10:30"})]


@pytest.mark.parametrize("name", ["set", "book_appointment", "reschedule_appointment"])
def test_another_time_right_after_a_booking_moves_it(name: str) -> None:
    kept = proof("make it 3pm instead", (name, {"slot": "3pm"}), last="book_appointment")
    assert kept == [("reschedule_appointment", {"slot": "3pm"})]


def test_a_yes_or_no_with_a_change_in_it_is_the_change() -> None:
    at_the_end = {"task": "book_appointment", "asked": "confirmation"}
    assert proof("yes but with okafor", "yes", **at_the_end) == [("set", {"provider": "okafor"})]
    assert proof("no a bit later", "stop", **at_the_end) == [("set", {"slot": "later"})]
    assert proof("no, tuesday doesnt work", "no", **at_the_end) == [("no", {})]


def test_a_time_is_one_whatever_was_asked_for() -> None:
    said = ("set", {"visit_type": "after 5pm"})
    kept = proof("after 5pm", said, task="book_appointment", asked="visit_type")
    assert kept == [("set", {"slot": "after 5pm"})]


def test_a_question_goes_to_the_end_of_its_sentence() -> None:
    said = ("ask_practice", {"question": "how much is an exam if i"})
    kept = proof("hi. how much is an exam if i dont have insurance? thanks", said)
    assert kept == [("ask_practice", {"question": "how much is an exam if i dont have insurance"})]


def test_the_time_that_a_visit_should_get_is_no_name_of_a_visit() -> None:
    message = "can we make it the week after instead, in the afternoon?"
    for taken_for_a_visit in ("the week after", "the week after instead"):
        heard = ("reschedule_appointment", {"appointment": taken_for_a_visit, "slot": "in the afternoon"})
        assert proof(message, heard, last="book_appointment") == [
            ("reschedule_appointment", {"slot": "the week after instead, in the afternoon"})
        ]
    assert proof(message, ("reschedule_appointment", {"slot": "in the afternoon"})) == [
        ("reschedule_appointment", {"slot": "the week after instead, in the afternoon"})
    ]
    heard = ("reschedule_appointment", {"appointment": "tuesday", "slot": "friday"})
    assert proof("move my tuesday visit to friday", heard) == [heard]
