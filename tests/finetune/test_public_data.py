"""How turns of public dialogues are retold; the rows here are invented."""

import gzip
import json
from pathlib import Path

import pytest

from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.data import public


def _row(user: str, acts: list[list[object]], *, before: str = "", dialogue: str = "d1") -> dict[str, object]:
    return {
        "dialogue": dialogue,
        "previous_system": before,
        "user": user,
        "acts": acts,
        "turn_services": ["Clinic_1"],
    }


@pytest.fixture
def read(tmp_path: Path):
    def read_rows(*rows: dict[str, object]):
        folder = tmp_path / "sgd_train"
        folder.mkdir()
        with gzip.open(folder / "user_turns.jsonl.gz", "wt", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)
        return public.read(tmp_path)

    return read_rows


def test_an_intent_opens_a_task_that_later_turns_belong_to(read):
    opened, answered = read(
        _row(
            "Find me a doctor in Lindow",
            [["INFORM_INTENT", "FindProvider", []], ["INFORM", "city", ["Lindow"]]],
        ),
        _row("On Friday.", [["INFORM", "appointment_date", ["Friday"]]], before="When do you want to come?"),
    )
    assert opened.turn == Turn("Find me a doctor in Lindow")
    assert opened.commands == (Command("find_provider", {"location": "Lindow"}),)
    assert answered.turn == Turn("On Friday.", "find_provider", "slot")
    assert answered.commands == (Command("set", {"slot": "Friday"}),)


def test_a_day_and_a_time_close_together_become_one_slot(read):
    [example] = read(
        _row("Friday at 3 pm", [["INFORM", "date", ["Friday"]], ["INFORM", "time", ["3 pm"]]], before="When?")
    )
    assert example.commands == (Command("set", {"slot": "Friday at 3 pm"}),)


def test_a_correction_at_the_confirmation_is_no_refusal(read):
    [example] = read(
        _row("No, 4 pm.", [["NEGATE", None, []], ["INFORM", "time", ["4 pm"]]], before="Shall I book 3 pm?")
    )
    assert example.turn.asked == "confirmation"
    assert example.commands == (Command("set", {"slot": "4 pm"}),)


def test_thanks_count_only_when_nothing_else_is_said(read):
    first, second = read(
        _row("Yes, thank you.", [["AFFIRM", None, []], ["THANK_YOU", None, []]], before="Is that right?"),
        _row("Thank you.", [["THANK_YOU", None, []]], dialogue="d2"),
    )
    assert first.commands == (Command("yes"),)
    assert second.commands == (Command("thanks"),)


def test_a_value_that_the_message_does_not_hold_is_left_out(read):
    assert read(_row("The second one", [["INFORM", "city", ["Lindow"]]], before="Which city?")) == []


def test_without_the_data_it_says_so_and_gives_nothing(tmp_path, capsys):
    assert public.read(tmp_path / "absent") == []
    assert public.read(None) == []
    assert capsys.readouterr().out.count("using our own corpus only") == 2
