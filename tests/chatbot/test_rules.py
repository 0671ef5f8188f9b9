"""Keywords and nearest examples give the same closed list of commands as a model."""

import re

import pytest

from chatbot import prompt, rules
from chatbot.commands import GENERAL_COMMANDS, ArgumentOutline, ToolOutline
from chatbot.prompt import Turn


def outline(name: str, *arguments: str) -> ToolOutline:
    return ToolOutline(name, name, tuple(ArgumentOutline(argument, argument) for argument in arguments))


TOOLS = (
    outline("book_appointment", "visit_type", "slot", "provider", "location"),
    outline("reschedule_appointment", "appointment", "slot", "provider"),
    outline("cancel_appointment", "appointment"),
    outline("list_appointments"),
    outline("order_status", "order"),
    outline("balance"),
    outline("pay_balance"),
    outline("ask_practice", "question"),
)


def understood(
    message: str, task: str = "", asked: str = "", last: str = ""
) -> list[tuple[str, dict[str, str]]]:
    """Return the commands as plain pairs, after the check that a model's answer must pass too."""
    commands = rules.understand(Turn(message, task, asked, last), TOOLS)
    prompt.read(prompt.answer(commands), message=message, tools=TOOLS)
    return [(command.name, dict(command.arguments)) for command in commands]


@pytest.mark.parametrize(
    ("message", "name", "arguments"),
    [
        ("I want an eye exam on friday", "book_appointment", {"visit_type": "eye exam", "slot": "on friday"}),
        ("see dr. reyes tomorrow at 2", "book_appointment", {"provider": "dr. reyes",
        "slot": "tomorrow at 2"}),
        ("do you have anything on saturday", "book_appointment", {"slot": "anything on saturday"}),
        ("quiero una cita para el lunes", "book_appointment", {"slot": "el lunes"}),
        ("can u move my exam to fri @ 2pm pls", "reschedule_appointment", {"slot": "fri @ 2pm"}),
        ("move my tuesday appointment to thursday at 3", "reschedule_appointment",
         {"appointment": "my tuesday appointment", "slot": "thursday at 3"}),
        ("i can't make it tuesday, can we do thursday?", "reschedule_appointment",
         {"appointment": "tuesday", "slot": "thursday"}),
        ("cancel my tuesday appointment", "cancel_appointment", {"appointment": "my tuesday appointment"}),
        ("when is my appointment?", "list_appointments", {}),
        ("are my glasses ready yet", "order_status", {"order": "my glasses"}),
        ("what do i owe", "balance", {}),
        ("can i pay my bill", "pay_balance", {}),
        ("hi, do you take VSP? thanks", "ask_practice", {"question": "do you take VSP?"}),
        ("how long do glasses take", "ask_practice", {"question": "how long do glasses take"}),
        ("can i change my address with you?",
        "ask_practice", {"question": "can i change my address with you?"}),
        ("i want to talk to a human", "handoff", {}),
        ("say that again?", "repeat", {}),
        ("hello", "greet", {}),
        ("thanks so much", "thanks", {}),
        ("bye", "goodbye", {}),
        ("qwerty", "unclear", {}),
        ("bleach in my eye", "urgent", {}),
    ],
)  # fmt: skip
def test_a_first_message_is_understood_by_its_keywords(
    message: str, name: str, arguments: dict[str, str]
) -> None:
    assert understood(message) == [(name, arguments)]


@pytest.mark.parametrize(
    ("message", "asked", "name", "arguments"),
    [
        ("contact lens fitting", "visit_type", "set", {"visit_type": "contact lens fitting"}),
        ("tuesday or wednesday", "slot", "set", {"slot": "tuesday or wednesday"}),
        ("the second one", "slot", "set", {"slot": "the second one"}),
        ("doesn't matter who", "provider", "set", {"provider": "doesn't matter who"}),
        ("downtown", "location", "set", {"location": "downtown"}),
        ("any others?", "slot", "more", {}),
        ("never mind", "slot", "stop", {}),
        ("yep that works", "confirmation", "yes", {}),
        ("no", "confirmation", "no", {}),
        ("no, wednesday", "confirmation", "set", {"slot": "wednesday"}),
        ("no with dr okafor please", "confirmation", "set", {"provider": "dr okafor"}),
        ("how long does an exam take?", "slot", "ask_practice", {"question": "how long does an exam take?"}),
        ("something flew in my eye", "slot", "urgent", {}),
    ],
)  # fmt: skip
def test_an_answer_is_understood_by_what_was_asked(
    message: str, asked: str, name: str, arguments: dict[str, str]
) -> None:
    assert understood(message, "book_appointment", asked) == [(name, arguments)]


def test_two_requests_in_one_message_are_both_heard() -> None:
    assert understood("cancel my tuesday appointment and how much do I owe?") == [
        ("cancel_appointment", {"appointment": "my tuesday appointment"}),
        ("balance", {}),
    ]


def test_a_visit_just_booked_can_be_moved_without_naming_it() -> None:
    assert understood("make it 3pm instead", last="book_appointment") == [
        ("reschedule_appointment", {"slot": "3pm"})
    ]


def test_a_task_that_is_not_registered_is_never_answered_with() -> None:
    commands = rules.understand(Turn("what do i owe"), TOOLS[:1])
    assert {command.name for command in commands} <= {"book_appointment", *GENERAL_COMMANDS}


def test_more_requests_than_a_message_can_hold_are_cut() -> None:
    asked = "cancel my exam and what do i owe and are my glasses ready and when is my appointment"
    assert len(understood(asked)) == prompt.COMMAND_LIMIT


UNMISTAKABLE = {"join_list": re.compile(r"\bthe list\b")}
LIST = outline("join_list", "visit_type", "slot")


@pytest.mark.parametrize(
    ("message", "commands"),
    [
        ("put me on the list", [("join_list", {})]),
        (
            "put me on the list, an eye exam on friday",
            [("join_list", {"visit_type": "eye exam", "slot": "on friday"})],
        ),
        (
            "what do i owe? and put me on the list for friday",
            [("balance", {}), ("join_list", {"slot": "friday"})],
        ),
        ("a list of your frames", []),
        ("put me on the list, i splashed bleach in my eye", []),
    ],
)
def test_unmistakable_words_are_heard_beside_what_else_is_asked(
    message: str, commands: list[tuple[str, dict[str, str]]]
) -> None:
    tools = [*TOOLS, LIST]
    heard = rules.in_so_many_words(Turn(message), tools, UNMISTAKABLE)
    assert [(command.name, dict(command.arguments)) for command in heard] == commands
