"""How turns of public dialogues are retold; the rows here are invented."""

import gzip
import json
from pathlib import Path

import pytest

from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.data import courtesies, public, retelling


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
    assert (answered.turn.message, answered.turn.asked) == ("On Friday.", "slot")
    assert answered.turn.task in {"find_provider", *retelling.TIMED}
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


def test_a_day_and_a_time_far_apart_tell_half_of_the_message_and_are_left_out(read):
    acts = [["INFORM", "date", ["Friday"]], ["INFORM", "time", ["11:00"]], ["INFORM", "city", ["Lindow"]]]
    assert read(_row("On Friday, in the town of Lindow. Is there one at 11:00?", acts)) == []


def test_every_turn_names_its_dialogue_and_its_licence(read):
    [example] = read(_row("Thank you.", [["THANK_YOU", None, []]], dialogue="d7"))
    assert (example.conversation, example.licence) == ("d7", "CC BY-SA 4.0")


@pytest.fixture
def restaurants(tmp_path: Path):
    def read_rows(text: str, *labels: tuple[str, str], requested: tuple[str, ...] = ()):
        folder = tmp_path / "restaurant8k"
        folder.mkdir()
        row = {
            "context": {"requested_slots": list(requested)},
            "userInput": {"text": text},
            "labels": [{"slot": slot, "value": value} for slot, value in labels],
        }
        with gzip.open(folder / "train.jsonl.gz", "wt", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        return public.read(tmp_path)

    return read_rows


def test_a_day_alone_answers_a_question_of_ours(restaurants):
    [example] = restaurants("maybe friday then", ("date", "friday"))
    assert example.turn.task in retelling.TIMED
    assert example.turn.asked == "slot"
    assert example.commands == (Command("set", {"slot": "friday"}),)


def test_a_table_stays_a_table(restaurants):
    [example] = restaurants("a table for 6 on friday", ("people", "6"), ("date", "friday"))
    assert example.commands == (Command("reserve_restaurant", {"people": "6", "slot": "friday"}),)


def test_a_table_that_is_given_up_is_a_visit_that_is(restaurants):
    [example] = restaurants("please cancel my booking for friday", ("date", "friday"))
    assert example.commands == (Command("cancel_appointment", {"appointment": "friday"}),)


def test_a_booking_under_a_name_is_not_guessed_at(restaurants):
    assert restaurants("cancel the booking of Ana", ("first_name", "Ana")) == []


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("Yes, that's right.", "yes"),
        ("yes please", "yes"),
        ("Nope, that's wrong", "no"),
        ("ok thANK YOU", "thanks"),
        ("No, that's all, thanks. Bye!", "goodbye"),
        ("no thank you that is all", "no"),
        ("Do you have any other options?", "more"),
        ("can you repeat that please", "repeat"),
        ("Hello there!", "greet"),
        ("yes but later", ""),
        ("please", ""),
        ("friday is fine", ""),
        ("", ""),
    ],
)
def test_a_short_reply_means_the_same_in_every_trade(message, meaning):
    assert courtesies.meaning(message) == meaning


@pytest.fixture
def several_intents(tmp_path: Path):
    def read_row(text: str, *intents: str, **slots: str):
        folder = tmp_path / "nlupp"
        folder.mkdir()
        row = {
            "text": text,
            "intents": intents,
            "slots": {name: {"text": value} for name, value in slots.items()},
        }
        (folder / "hotels.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
        return [(example.turn, *example.commands) for example in public.read(tmp_path)]

    return read_row


@pytest.mark.parametrize(
    ("text", "intents", "slots", "command"),
    [
        ("no, put me through to a person", ("deny", "handoff"), {}, Command("handoff")),
        ("thanks, bye for today", ("thank", "end_call"), {}, Command("goodbye")),
        ("i need to move my booking", ("booking", "change"), {}, Command("reschedule_appointment")),
        (
            "move my reservation to friday",
            ("booking", "change"),
            {"date": "friday"},
            Command("reschedule_appointment", {"slot": "friday"}),
        ),
        (
            "change my reservation for friday",
            ("booking", "change"),
            {"date": "friday"},
            Command("reschedule_appointment", {"appointment": "friday"}),
        ),
        (
            "cancel my booking on friday",
            ("booking", "cancel_close_leave_freeze"),
            {"date": "friday"},
            Command("cancel_appointment", {"appointment": "friday"}),
        ),
        (
            "an appointment at noon please",
            ("appointment", "make_open_apply_setup_get_activate"),
            {"time": "noon"},
            Command("book_appointment", {"slot": "noon"}),
        ),
        ("when is my appointment?", ("appointment", "when"), {}, Command("list_appointments")),
        (
            "is there parking?",
            ("parking", "request_info"),
            {},
            Command("ask_practice", {"question": "is there parking"}),
        ),
    ],
)
def test_several_intents_become_the_one_command_that_they_mean(
    several_intents, text, intents, slots, command
):
    assert several_intents(text, *intents, **slots) == [(Turn(text), command)]


def test_a_correction_is_a_detail_of_a_task_of_ours(several_intents):
    [(turn, command)] = several_intents("no, monday", "deny", date="monday")
    assert (turn.asked, command) == ("confirmation", Command("set", {"slot": "monday"}))


@pytest.mark.parametrize(
    ("text", "intents"),
    [
        ("change the room of my booking", ("booking", "change")),
        ("i want to open an account", ("account", "make_open_apply_setup_get_activate")),
        ("the transfer failed", ("transfer_payment_deposit", "wrong_notworking_notshowing")),
    ],
)
def test_what_belongs_to_another_trade_is_left_out(several_intents, text, intents):
    assert several_intents(text, *intents) == []


def test_without_the_data_it_says_so_and_gives_nothing(tmp_path, capsys):
    assert public.read(tmp_path / "absent") == []
    assert public.read(None) == []
    assert capsys.readouterr().out.count("using our own corpus only") == 2
