"""What can be read without a model, and what must be left to one."""

import pytest

from chatbot.plain import Courtesy, asks_for_time, courtesy, digit, picked, without_manners, yes_or_no

TIMES = (
    "Tuesday, March 10 at 9:00 AM",
    "Tuesday, March 10 at 10:30 AM",
    "Wednesday, March 11 at 2:00 PM",
)
PROVIDERS = ("Dr. Maya Patel", "Dr. Samuel Okafor", "Dr. Lena Fischer")


@pytest.mark.parametrize(
    "text",
    [
        "yes", "Yes!", "yep that works", "yup", "YES PLEASE", "yeah sounds good", "ok", "k", "sure",
        "perfect, thank you",
        "that's correct", "go ahead", "please do it", "book it", "👍", "👍🏽", "ok 👍", "confirm", "sí",
        "si por favor", "claro",
        "está bien", "yesss", "of course", "no problem", "that works for me thanks", "right", "let's do it",
    ],
)  # fmt: skip
def test_a_plain_yes_is_read(text: str) -> None:
    assert yes_or_no(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "no", "Nope", "no thanks", "no thank you!", "nah", "not now", "no that's wrong", "please don't",
        "👎", "not really",
        "I'd rather not", "no gracias", "mejor no", "noooo", "no that's not right",
    ],
)  # fmt: skip
def test_a_plain_no_is_read(text: str) -> None:
    assert yes_or_no(text) is False


@pytest.mark.parametrize(
    "text",
    [
        "yes but later", "no, wednesday", "yes and how much is it?", "ok can it be at 3", "maybe", "yes no",
        "👍👎", "",
        "is that right eye", "tuesday works", "what?", "I don't know", "yes if dr patel is there", "thanks",
        "the first one",
        "not sure", "no I want to cancel", "yes my eye hurts",
    ],
)  # fmt: skip
def test_an_answer_that_says_more_is_no_plain_answer(text: str) -> None:
    assert yes_or_no(text) is None


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("2", 1), ("#2", 1), ("option 3", 2), ("number two please", 1), ("the second", 1),
        ("second one", 1), ("3.", 2),
        ("last one", 2), ("the latest", 2), ("10:30", 1), ("10:30am", 1), ("1030", 1), ("the 10.30 one", 1),
        ("2pm", 2),
        ("wednesday", 2), ("wed works", 2), ("ten thirty", 1), ("I'll take the first", 0), ("9", 0),
        ("9am pls", 0),
        ("el segundo", 1), ("any of them", 0), ("tuesday at 9", 0), ("yes the 1st one", 0), ("march 11", 2),
    ],
)  # fmt: skip
def test_a_choice_is_picked_by_number_place_or_time(text: str, position: int) -> None:
    assert picked(text, TIMES) == position


@pytest.mark.parametrize(
    "text",
    [
        "tuesday",
        "4",
        "0",
        "the later one",
        "none",
        "friday",
        "10:30 but with dr lee",
        "2 of us",
        "",
        "yes",
        "later",
        "11:45",
    ],
)
def test_a_message_that_fits_no_single_choice_picks_nothing(text: str) -> None:
    assert picked(text, TIMES) is None


def test_the_later_one_picks_the_second_of_two() -> None:
    assert picked("the later one", TIMES[:2]) == 1
    assert picked("earlier", TIMES[:2]) == 0


def test_a_person_is_picked_by_any_part_of_the_name() -> None:
    assert picked("dr okafor please", PROVIDERS) == 1
    assert picked("Lena", PROVIDERS) == 2
    assert picked("dr who", PROVIDERS) is None


def test_nothing_is_picked_when_nothing_was_offered() -> None:
    assert picked("1", ()) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1), ("1.", 1), ("2", 2), ("reply 3", 3), ("three", 3), ("12", None), ("1 or 2?", None),
        ("yes", None),
    ],
)  # fmt: skip
def test_a_bare_digit_answers_a_message_that_offered_three(text: str, number: int | None) -> None:
    assert digit(text) == number


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Sorry, can't make it!", "cant make it"), ("ok thanks, see you then 👍", "see you then"),
        ("Hi! need another time please", "need another time"), ("thanks", "thanks"),
    ],
)  # fmt: skip
def test_what_is_only_polite_is_left_out_around_an_answer(text: str, left: str) -> None:
    assert without_manners(text) == left


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hi", Courtesy.GREET), ("Hello there!", Courtesy.GREET), ("good morning", Courtesy.GREET),
        ("hola buenos dias", Courtesy.GREET),
        ("heyyy", Courtesy.GREET), ("thanks!", Courtesy.THANKS),
        ("ok thank you so much 😊", Courtesy.THANKS), ("muchas gracias", Courtesy.THANKS),
        ("ty", Courtesy.THANKS), ("thanks for your help", Courtesy.THANKS), ("bye", Courtesy.GOODBYE),
        ("thanks, have a great day", Courtesy.GOODBYE), ("see you tuesday", Courtesy.GOODBYE),
        ("adios", Courtesy.GOODBYE),
    ],
)  # fmt: skip
def test_a_message_that_is_only_manners_is_read(text: str, kind: Courtesy) -> None:
    assert courtesy(text) is kind


@pytest.mark.parametrize(
    "text",
    [
        "hi i need an appointment",
        "thanks but I need to cancel",
        "ok",
        "see you at 3 instead",
        "hello?? my eye is red",
        "",
    ],
)
def test_manners_before_a_request_are_no_courtesy(text: str) -> None:
    assert courtesy(text) is None


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("hold on let me check w my husband", True), ("one sec", True), ("wait, let me ask my wife", True),
        ("i need to check my calendar first", True), ("ok give me a minute please", True), ("brb", True),
        ("let me think", True), ("un momento por favor", True),
        ("wait until friday", False), ("check my appointment", False), ("see you friday", False),
        ("ok", False), ("yes please", False), ("can i see dr okafor", False),
        ("i want to see my bill", False),
        ("let me see other times", False), ("ask about parking", False), ("wait 4pm is better", False),
    ],
)  # fmt: skip
def test_who_asks_for_a_moment_is_told_from_who_asks_for_something(text: str, waits: bool) -> None:
    assert asks_for_time(text) is waits
