"""Labelled messages in files: what is read, and what is refused with which words."""

import csv
import io
import json

import pytest

from chatbot import labelled
from chatbot.commands import ArgumentOutline, Command, ToolOutline
from chatbot.labelled import Labelled, NotLabelled, checked


def outline(name: str, *arguments: str) -> ToolOutline:
    return ToolOutline(name, name, tuple(ArgumentOutline(argument, argument) for argument in arguments))


TOOLS = (outline("book", "visit_type", "slot"), outline("balance"))


def book(**arguments: str) -> Command:
    return Command("book", arguments)


def test_a_message_is_kept_as_the_model_sees_it() -> None:
    kept = checked(Labelled("  An exam,\n “Friday”  ", (book(slot="Friday", visit_type="an exam"),)), TOOLS)
    assert kept.text == "An exam, 'Friday'"
    assert list(kept.commands[0].arguments.items()) == [("visit_type", "An exam"), ("slot", "Friday")]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (Labelled(" \x00 ", (book(),)), "There is no message."),
        (Labelled("word " * 90, (book(),)), "longer than the 400 characters"),
        (Labelled("friday", ()), "one to 3 things"),
        (Labelled("friday", (book(),) * 4), "one to 3 things"),
        (Labelled("friday", (Command("fly"),)), "knows no “fly”"),
        (Labelled("friday", (Command("balance", {"slot": "friday"}),)), "“balance” takes no “slot”"),
        (Labelled("friday", (book(slot="thursday"),)), "“thursday” does not stand in the message"),
        (Labelled("friday", (book(slot="fri"),)), "“fri” does not stand in the message"),
        (Labelled("friday", (Command("set"),)), "“set” gives details"),
        (Labelled("friday", (book(),), task="fly"), "No task is called “fly”"),
        (Labelled("friday", (book(),), last="fly"), "cannot be the last task"),
        (Labelled("friday", (book(),), asked="height"), "ever asked for “height”"),
        (Labelled("friday", (book(),), language="x" * 9), "too long"),
    ],
)
def test_what_no_answer_could_be_is_refused_in_a_sentence(message: Labelled, problem: str) -> None:
    with pytest.raises(NotLabelled, match=problem):
        checked(message, TOOLS)


@pytest.mark.parametrize(
    ("span", "found"),
    [
        ("at 3", "at 3"),
        ("DR. Reyes", "dr. reyes"),
        ("reyes", "reyes"),
        ("reyes,", ""),
        ("rey", ""),
        ("3 pm", ""),
    ],
)
def test_an_argument_is_a_run_of_whole_words(span: str, found: str) -> None:
    assert labelled.run_of_words(span, "see dr. reyes, friday at 3") == found


def test_every_line_of_a_file_is_read_or_refused_by_its_number() -> None:
    lines = [
        json.dumps({"text": "book friday", "commands": [{"name": "book", "arguments": {"slot": "friday"}}]}),
        "",
        '{"text": "what do I owe"}',
        "[1]",
        '{"text": 5, "commands": [{"name": "book"}]}',
        '{"text": "friday", "commands": [{"name": ["book"]}]}',
        '{"text": "friday", "commands": [{"name": "book", "arguments": {"slot": 3}}]}',
        "{" * 5000,
    ]
    read = list(labelled.read("\ufeff" + "\r\n".join(lines), TOOLS))
    assert [(line.number, line.problem) for line in read] == [
        (1, ""),
        (3, "There is no list of commands."),
        (4, "This is not a JSON object."),
        (5, "“text” must be text."),
        (6, "A command needs a name, and its arguments by their names."),
        (7, "An argument is words of the message."),
        (8, "This is not a JSON object."),
    ]
    assert read[0].labelled == Labelled("book friday", (book(slot="friday"),))


def test_a_table_has_a_column_for_each_argument() -> None:
    text = "text,command,slot,command_2,language\nbook friday and what do i owe,book,friday,balance,es\n"
    [line] = labelled.read(text, TOOLS)
    assert line.labelled == Labelled(
        "book friday and what do i owe", (book(slot="friday"), Command("balance")), language="es"
    )


@pytest.mark.parametrize("text", ["name,age\nx,3\n", "hello", "", "\x00\x00"])
def test_a_file_of_another_kind_is_refused_once(text: str) -> None:
    [line] = labelled.read(text, TOOLS)
    assert line.problem == "The first line must name the columns, “text” and “command” among them."


def test_what_is_written_is_read_back_the_same() -> None:
    messages = [
        Labelled("=friday, or", (book(slot="friday"),), task="book", asked="slot", licence="Apache-2.0"),
        Labelled('"an exam" and what do i owe', (book(visit_type="an exam"), Command("balance"))),
    ]
    messages = [checked(message, TOOLS) for message in messages]
    for text in (
        "".join(labelled.as_lines(messages)),
        "".join(labelled.as_table(messages, ["visit_type", "slot"])),
    ):
        assert [line.labelled for line in labelled.read(text, TOOLS)] == messages


def test_no_cell_of_a_table_is_a_formula() -> None:
    formula = Labelled("=1+1", (Command("balance"),))
    [row] = csv.DictReader(io.StringIO("".join(labelled.as_table([formula], []))))
    assert row["text"] == "'=1+1"
