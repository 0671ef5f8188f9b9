"""The benchmark of understanding: what is counted, and what Rasa is given to learn from."""

import json

import pytest

from benchmarks import understanding
from benchmarks.understanding import Case, Result
from chatbot.commands import Command
from chatbot.prompt import Turn


def _case(name: str, file: str = "a.jsonl", **arguments: str) -> Case:
    wanted = {"expect": {"commands": [{"name": name, "arguments": arguments}]}}
    return Case(file, Turn("x"), wanted, None)


def test_only_messages_in_a_given_state_are_read(tmp_path):
    path = tmp_path / "cases.jsonl"
    rows = [
        {"now": "2026-03-02T09:00", "context": {}, "text": "hi", "expect": {"commands": [{"name": "greet"}]}},
        {"text": "played", "expect": {"commands": [{"name": "greet"}]}},
        {
            "context": {"asked": "slot"},
            "text": "3pm",
            "expect": {"commands": [{"name": "set"}], "urgent": False},
        },
        {"context": {}, "text": "only urgent", "expect": {"urgent": True}},
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert [(case.turn, case.now) for case in understanding.read(path)] == [
        (Turn("hi"), "2026-03-02T09:00"),
        (Turn("3pm", asked="slot"), "2026-03-02T09:00"),
    ]


def test_every_argument_counts_for_exact_and_none_for_the_first_command():
    case = _case("set", slot="friday")
    wrong = [Command("set", {"slot": "monday"})]
    assert understanding.is_exact(case, [Command("set", {"slot": "on friday"})])
    assert not understanding.is_exact(case, wrong)
    assert understanding.first_of(wrong) == "set"
    assert understanding.first_of([]) == ""


def test_a_lead_is_in_points_and_its_interval_is_the_same_each_time():
    one, other = [True] * 60 + [False] * 40, [True] * 50 + [False] * 50
    points, low, high = understanding.ahead(one, other, range(100))
    assert points == 10
    assert 3 < low < 10 < high < 17
    assert understanding.ahead(one, other, range(100)) == (points, low, high)
    assert understanding.ahead(one, one, range(100)) == (0, 0, 0)


def test_figures_are_told_by_file_and_for_all(tmp_path):
    cases = [_case("greet", "a.jsonl"), _case("greet", "b.jsonl")]
    results = [
        Result("model", (True, True), (True, True), 9.0),
        Result("keywords", (True, False), (True, True), 1),
    ]
    whole = understanding.figures_of(results, cases, None)
    [_, of_b] = understanding.figures_of(results, cases, tmp_path / "b.jsonl")
    assert [figure["exact"] for figure in whole] == [1.0, 0.5]
    assert (of_b["exact"], of_b["first"], of_b["messages"]) == (0.0, 1.0, 1)
    assert "| b.jsonl | keywords | 1 | 0.0% | +100.0 (+100.0 to +100.0) | 100.0% |" in understanding.table(
        [of_b]
    )


@pytest.mark.parametrize(
    ("text", "commands", "entities"),
    [
        ("Friday at 3", [{"name": "set", "arguments": {"slot": "friday"}}], [(0, 6, "slot")]),
        ("what is open?", [{"name": "ask_practice", "arguments": {"question": "what is open?"}}], []),
        (
            "cancel friday and bye",
            [{"name": "cancel_appointment", "arguments": {"appointment": "friday"}}, {"name": "goodbye"}],
            [(7, 13, "appointment")],
        ),
    ],
)
def test_rasa_learns_the_first_command_as_intent_and_its_arguments_as_entities(text, commands, entities):
    made = understanding._as_rasa(text, commands)
    assert made["intent"] == commands[0]["name"]
    assert [(found["start"], found["end"], found["entity"]) for found in made["entities"]] == entities
