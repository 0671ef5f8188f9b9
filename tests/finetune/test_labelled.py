"""The exchange format: what is read, and what is refused with the line that is wrong."""

import json
from pathlib import Path

import pytest

from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.data import DataRefused, files, labelled
from finetune.examples import Example

MOVE = (Command("reschedule_appointment", {"slot": "thursday"}),)


@pytest.fixture
def upload(tmp_path: Path):
    def upload(content: str | bytes, name: str = "words.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return upload


def _line(**fields: object) -> str:
    return json.dumps({"text": "hi", "commands": [{"name": "greet"}]} | fields)


def test_what_is_written_is_read_again(tmp_path):
    example = Example(
        Turn("can i come thursday instead", "book_appointment", "slot", ""),
        MOVE,
        "bank",
        conversation="c17",
        language="es",
        licence="Apache-2.0",
    )
    labelled.write(tmp_path / "bank.jsonl", [example])
    assert labelled.read(tmp_path / "bank.jsonl") == [example]
    assert [path.name for path in tmp_path.iterdir()] == ["bank.jsonl"]


def test_only_the_text_and_the_commands_are_required(upload):
    [example] = labelled.read(upload(_line(reviewer="dana")), licence="own")
    assert example == Example(Turn("hi"), (Command("greet"),), "words", licence="own")


def test_a_table_has_a_column_for_each_argument(upload):
    table = "text,command,slot,asked\ncan i come thursday,reschedule_appointment,thursday,\n"
    [example] = labelled.read(upload(table, "words.csv"))
    assert example.turn == Turn("can i come thursday")
    assert example.commands == MOVE


@pytest.mark.parametrize("mark", [";", "\t", ","])
def test_a_table_may_be_separated_as_spreadsheets_do_it(upload, mark):
    table = f'Text{mark}Command\r\n"hello{mark} you"{mark}greet\r\n'
    [example] = labelled.read(upload(table, "words.csv"))
    assert example.turn.message == f"hello{mark} you"


def test_a_table_can_hold_several_commands_as_json(upload):
    table = 'text,commands\nhi and bye,"[{""name"": ""greet""}, {""name"": ""goodbye""}]"\n'
    [example] = labelled.read(upload(table, "words.csv"))
    assert example.commands == (Command("greet"), Command("goodbye"))


def test_a_table_can_give_further_commands_columns_of_their_own(upload):
    table = "text,command,appointment,command_2\ncancel friday and bye,cancel_appointment,friday,goodbye\n"
    [example] = labelled.read(upload(table, "words.csv"))
    assert example.commands == (
        Command("cancel_appointment", {"appointment": "friday"}),
        Command("goodbye"),
    )


def test_the_assistants_last_words_are_kept_where_they_are_given(upload, tmp_path):
    [example] = labelled.read(upload(_line(reply="Hello, what can I do?")))
    assert example.turn.reply == "Hello, what can I do?"
    assert labelled.row(example)["reply"] == "Hello, what can I do?"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_usual_encodings_are_read(upload, encoding):
    [example] = labelled.read(upload(_line(text="¿cuánto debo?").encode(encoding)))
    assert example.turn.message == "¿cuánto debo?"


def test_a_table_in_the_windows_encoding_is_read(upload):
    [example] = labelled.read(upload("text,command\n¿cuánto debo?,balance\n".encode("cp1252"), "words.csv"))
    assert example.turn.message == "¿cuánto debo?"


def test_a_formula_in_a_cell_stays_text(upload):
    [example] = labelled.read(upload("text,command\n\"=cmd|'/C calc'!A0\",unclear\n", "words.csv"))
    assert example.turn.message == "=cmd|'/C calc'!A0"


def test_a_line_separator_within_a_message_ends_no_line(upload):
    row = json.dumps({"text": "one\u2028two\u0085three", "commands": [{"name": "greet"}]}, ensure_ascii=False)
    [example] = labelled.read(upload(row))
    assert example.turn.message == "one\u2028two\u0085three"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (_line() + "\n{", r"line 2: not JSON"),
        (_line() + "\n\n[1]", r"line 3: not a JSON object"),
        ("[" * 5000, r"line 1: not JSON"),
        (_line(text=None), r'line 1: "text" is missing'),
        (_line(text=7), r'line 1: "text" is not a text'),
        (_line(task=["a"]), r'line 1: "task" is not a text'),
        (_line(commands=[]), r'line 1: "commands" is not a list of commands'),
        (_line(commands="greet"), r'line 1: "commands" is not JSON'),
        (_line(commands=[{"nam": "greet"}]), r'line 1: a command needs a "name"'),
        (_line(commands=[{"name": "set", "arguments": {"slot": 3}}]), r"line 1: the arguments of 'set'"),
        (_line(commands=[{"name": "set", "arguments": ["x"]}]), r"line 1: the arguments of 'set'"),
        (_line(text="x" * 70_000), r"line 1: longer than 65,536 characters"),
        (_line().encode() + b"\n\xff", r"line 2: not valid UTF-8"),
        (b"PK\x03\x04\0\0", r"not a text file"),
        ("  \n", r"words.jsonl is empty"),
    ],
)
def test_what_has_not_the_form_is_refused_with_its_line(upload, content, problem):
    with pytest.raises(DataRefused, match=problem):
        labelled.read(upload(content))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("message,command\nhi,greet\n", r'line 2: "text" is missing'),
        ("text,label\nhi,greet\n", r'line 2: "commands" is not a list of commands'),
        ("text,command\nhi,greet,now\n", r"line 2: 3 cells under 2 columns"),
        ("text,text\nhi,hi\n", r"line 1: the column 'text' stands there twice"),
        ('text,command\n"hi,greet\n', r"line 2: unexpected end of data"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_line(upload, table, problem):
    with pytest.raises(DataRefused, match=problem):
        labelled.read(upload(table, "words.csv"))


def test_too_big_a_file_is_refused_before_it_is_read(upload):
    with pytest.raises(DataRefused, match="at most"):
        files.read_text(upload(_line()), files.Limits(size_bytes=10, rows=1))


def test_too_many_rows_are_refused(upload):
    with pytest.raises(DataRefused, match="more than 2 rows"):
        list(files.rows(upload("\n".join([_line()] * 3)), files.Limits(size_bytes=1000, rows=2)))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataRefused, match=r"gone.csv cannot be read: No such file"):
        labelled.read(tmp_path / "gone.csv")
