"""The turn loop, with a model that says what the script says and a task about tea."""

from collections.abc import Callable
from typing import Any

import pytest

from chatbot import prompt, sayings, services
from chatbot.backends.memory import ScriptedBackend
from chatbot.commands import Command
from chatbot.models import ChatMessage, Conversation, RedFlag
from chatbot.stack import Stack, Task
from eyecare import clock
from patients.models import Patient
from tests import factories
from tests.chatbot import tea
from tests.chatbot.tea import Table

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday", "tea_tools")]

Say = Callable[..., ChatMessage]


@pytest.fixture
def talk(ana: Patient) -> Conversation:
    return services.begin(channel="web", patient=ana, account=ana.account)


@pytest.fixture
def say(model: ScriptedBackend, talk: Conversation) -> Say:
    """Say something; what the model makes of it is given as (name, arguments) pairs."""

    def say(text: str, *commands: tuple[str, dict[str, str]] | str) -> ChatMessage:
        if commands:
            listed = [Command(entry) if isinstance(entry, str) else Command(*entry) for entry in commands]
            model.answers.append(prompt.answer(listed))
        reply = services.say(talk, text)
        assert reply is not None
        assert not model.answers, "the model was not asked"
        return reply

    return say


def test_a_task_asks_for_what_is_missing_reads_back_and_runs_once_after_a_yes(say: Say) -> None:
    first = say("a table please", "book_table")
    assert first.text == "Which room?"
    assert tea.as_dict(first.choices) == ["Garden", "Library"]
    assert say("the second one").text == "When?"
    third = say("10")
    assert third.text == "Lay Library at 10:00?"
    assert tea.served == []
    done = say("yes please")
    assert done.text.startswith("Library at 10:00 is yours.")
    assert done.effects == [{"action": "table.booked", "object": "sitting", "id": "0"}]
    assert [row[1] for row in tea.served] == [Table("Library", 10)]


def test_everything_said_at_once_leads_straight_to_the_read_back(say: Say) -> None:
    reply = say("garden at 15 with mum", ("book_table", {"table": "15", "room": "garden", "guest": "mum"}))
    assert reply.text == "Lay Garden at 15:00?"
    say("yes")
    assert tea.served[0][1:3] == (Table("Garden", 15), "mum")


def test_words_that_mean_nothing_yet_are_kept_until_they_do(say: Say) -> None:
    assert say("a table in the morning", ("book_table", {"table": "in the morning"})).text == "Which room?"
    reply = say("Garden")
    assert reply.text == "In the morning I have these."
    assert tea.as_dict(reply.choices) == ["Garden at 9:00", "Garden at 10:00"]


def test_a_no_to_the_read_back_offers_other_times_and_books_nothing(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    reply = say("no")
    assert reply.text == "Or when?"
    assert tea.served == []


def test_a_correction_at_the_read_back_is_read_back_anew(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    assert say("no, 11", "no", ("set", {"table": "11"})).text == "Lay Garden at 11:00?"
    assert say("in the library rather", ("set", {"room": "library"})).text == "Lay Library at 11:00?"
    say("yes")
    assert [row[1] for row in tea.served] == [Table("Library", 11)]


def test_a_yes_that_comes_with_a_change_agrees_to_nothing(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    reply = say("yes but at 11", "yes", ("set", {"table": "11"}))
    assert reply.text == "Lay Garden at 11:00?"
    assert tea.served == []


def test_an_ordinal_at_the_read_back_is_no_yes(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    assert say("the first").text.splitlines() == [sayings.YES_OR_NO, "Lay Garden at 9:00?"]
    say("1", "unclear")
    assert tea.served == []


def test_a_question_in_between_is_answered_and_the_open_question_asked_again(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    reply = say("when do you serve?", "ask_tea")
    assert reply.text == "Tea is served from nine.\nNow, back to where we were.\nLay Garden at 9:00?"
    say("yes")
    assert len(tea.served) == 1


def test_two_wishes_in_one_message_are_both_answered(say: Say) -> None:
    reply = say("a table in the garden, and what do i owe", ("book_table", {"room": "garden"}), "tea_bill")
    assert reply.text.splitlines() == ["Ana owes $4.20. Pay now?"]
    assert say("no").text.splitlines() == [sayings.ALL_RIGHT, sayings.BACK, "When?"]


def test_a_yes_to_a_suggestion_is_no_yes_to_what_was_read_back_before(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    assert say("what do i owe", "tea_bill").text == "Ana owes $4.20. Pay now?"
    assert say("yes").text.splitlines() == ["Paid.", sayings.BACK, "Lay Garden at 9:00?"]
    assert tea.served == []
    say("yes")
    assert len(tea.served) == 1


def test_what_was_taken_meanwhile_is_not_booked_and_others_are_offered(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    tea.taken.add(Table("Garden", 9))
    reply = say("yes")
    assert reply.text == "That table has just been taken."
    assert tea.as_dict(reply.choices) == ["Garden at 10:00", "Garden at 11:00"]
    assert tea.served == []
    assert say("the first").text == "Lay Garden at 10:00?"


def test_more_offers_what_was_not_offered_yet(say: Say) -> None:
    say("a table in the garden", ("book_table", {"room": "garden"}))
    assert tea.as_dict(say("other times?", "more").choices) == ["Garden at 11:00", "Garden at 14:00"]
    assert tea.as_dict(say("others", "more").choices) == ["Garden at 15:00", "Garden at 16:00"]


def test_stop_gives_the_task_up_undone(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    assert say("never mind", "stop").text == "All right, I have stopped. Nothing was changed."
    say("yes")
    assert tea.served == []


def test_a_value_that_does_not_exist_is_asked_for_again_with_what_does(say: Say) -> None:
    reply = say("in the kitchen", ("book_table", {"room": "kitchen"}))
    assert reply.text == "We have the Garden and the Library. Which room?"
    assert tea.as_dict(reply.choices) == ["Garden", "Library"]


def test_an_optional_value_that_is_unknown_can_be_left_out(say: Say) -> None:
    say(
        "garden at 9 with a stranger", ("book_table", {"room": "garden", "table": "9", "guest": "a stranger"})
    )
    assert say("no").text == "Lay Garden at 9:00?"


def test_a_suggestion_is_followed_by_a_yes_and_forgotten_after_another_message(say: Say) -> None:
    assert say("what do i owe", "tea_bill").text == "Ana owes $4.20. Pay now?"
    assert say("yes").effects == [{"action": "tea.paid", "object": "bill", "id": "1"}]
    say("what do i owe", "tea_bill")
    say("when do you serve", "ask_tea")
    assert say("yes").effects == []


def test_what_was_just_done_goes_without_saying_in_the_next_task(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    say("yes")
    say("garden at 10", ("book_table", {"room": "garden", "table": "10"}))
    say("yes")
    assert say("drop it", "drop_table").text == "Give up sitting 1?"


def test_a_task_that_cannot_be_done_says_why_and_closes(say: Say) -> None:
    reply = say("drop my table", "drop_table")
    assert reply.text == "You have no table booked."
    assert say("hello").text.startswith("Hello Ana!")


def test_after_two_misses_real_choices_and_a_person_are_offered_and_after_four_one_comes(
    say: Say, talk: Conversation
) -> None:
    assert say("purple monkey", "unclear").text == "Sorry, I did not get that."
    second = say("dishwasher", "unclear")
    assert "Talk to a person" in tea.as_dict(second.choices)
    assert "Book a table" in tea.as_dict(second.choices)
    say("hmm hmm", "unclear")
    fourth = say("hmm hmm hmm", "unclear")
    assert fourth.handoff
    talk.refresh_from_db()
    assert talk.status == Conversation.Status.WAITING


def test_a_choice_of_the_menu_opens_its_task(say: Say) -> None:
    say("hello")
    assert say("Book a table").text == "Which room?"


def test_an_answer_that_the_model_misses_is_read_as_the_answer_to_what_was_asked(say: Say) -> None:
    say("a table", "book_table")
    assert say("library i guess", "unclear").text == "When?"


def test_repeat_says_the_last_reply_again(say: Say) -> None:
    first = say("a table", "book_table")
    again = say("what?", "repeat")
    assert (again.text, again.choices) == (first.text, first.choices)


def test_the_model_is_not_asked_for_a_yes_a_number_or_manners(say: Say, model: ScriptedBackend) -> None:
    say("a table", "book_table")
    model.history.clear()
    say("1")
    say("2")
    say("👍")
    say("thanks!")
    assert model.history == []
    assert len(tea.served) == 1


def test_the_model_sees_the_open_task_what_was_asked_and_what_was_done_last(
    say: Say, model: ScriptedBackend
) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    say("make it 10", ("set", {"table": "10"}))
    assert model.history[-1].messages[0]["content"] == (
        "task: book_table\nasked: confirmation\nlast: none\nnear: none\npatient: make it 10"
    )
    say("yes")
    say("and where", "ask_tea")
    assert "task: none\nasked: anything_else\nlast: book_table" in model.history[-1].messages[0]["content"]


def test_keywords_stand_in_when_the_model_is_down_or_unreadable(
    talk: Conversation, model: ScriptedBackend
) -> None:
    reply = services.say(talk, "hello, are you a real person? I want to talk to a human")
    assert reply is not None
    assert (reply.engine, reply.handoff) == ("rules", True)
    model.answers.append("no json at all")
    again = services.say(talk, "let me talk to a human being please")
    assert again is not None
    assert again.engine == "rules"


def test_a_red_flag_is_answered_word_for_word_stops_the_task_and_calls_staff(
    say: Say, talk: Conversation, model: ScriptedBackend
) -> None:
    RedFlag.objects.all().delete()
    RedFlag.objects.create(
        name="splash", level="emergency", patterns=[["bleach", "eye|eyes"]], advice="Rinse for 15 minutes."
    )
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    reply = say("i got bleach in my eye")
    assert reply.text == "Rinse for 15 minutes.\nOur phone: (212) 555-0199."
    assert (reply.urgent, reply.handoff) == (True, True)
    handoff = talk.handoffs.get()
    assert (handoff.is_urgent, handoff.reason) == (True, "red flag: splash")
    assert say("yes").effects == []
    assert tea.served == []
    assert "call us" in say("then book a table", "book_table").text


def test_the_models_urgent_gives_careful_advice_and_asks_before_it_calls_staff(
    say: Say, talk: Conversation
) -> None:
    say("a table", "book_table")
    reply = say("my eye feels really weird today", "urgent")
    assert (reply.urgent, reply.handoff) == (True, False)
    assert "call us now at (212) 555-0199" in reply.text
    assert reply.text.endswith("Shall I tell the team that it is urgent?")
    told = say("yes")
    assert [effect["action"] for effect in told.effects] == ["handoff.requested"]
    assert talk.handoffs.get().is_urgent


def test_after_a_false_alarm_of_the_model_the_task_goes_on(say: Say, talk: Conversation) -> None:
    say("a table", "book_table")
    say("do white lights look nicer to the eyes?", "urgent")
    assert say("no").text.splitlines() == [sayings.ALL_RIGHT, sayings.BACK, "Which room?"]
    assert not talk.handoffs.exists()


def test_only_a_plain_yes_is_a_yes_whatever_the_model_makes_of_a_message(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    for message in (
        "yes but with my aunt",
        "yes so how much will that cost me",
        "i guess i could make that one",
    ):
        assert say(message, "yes").text.splitlines() == [sayings.YES_OR_NO, "Lay Garden at 9:00?"]
    assert tea.served == []


def test_a_question_that_a_model_takes_for_a_yes_is_answered(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    reply = say("wait how much will that cost me", "yes")
    assert [command["name"] for command in reply.commands] == ["ask_practice"]
    assert tea.served == []


def test_a_visitor_who_is_not_signed_in_may_ask_and_is_asked_to_sign_in_for_the_rest(
    model: ScriptedBackend, practice: object
) -> None:
    visit = services.begin(channel="web")
    model.answers += [prompt.answer([Command("ask_tea")]), prompt.answer([Command("tea_bill")])]
    asked, refused = services.say(visit, "when do you serve"), services.say(visit, "what do i owe")
    assert asked is not None
    assert refused is not None
    assert asked.text == "Tea is served from nine."
    assert refused.text.startswith("Please sign in first")
    assert refused.cards[0]["link"] == "Sign in"


def test_the_same_action_keeps_its_key_until_it_is_another_action(say: Say, talk: Conversation) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    say("when do you serve", "ask_tea")
    talk.refresh_from_db()
    pending = talk.state["tasks"][0]["pending"]
    say("at 10", ("set", {"table": "10"}))
    talk.refresh_from_db()
    assert talk.state["tasks"][0]["pending"] != pending
    say("yes")
    assert tea.served[0][3].startswith(str(talk.pk))


def test_a_break_in_a_tool_is_told_and_a_person_learns_of_it(
    say: Say, talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tea.RoomKind, "ask", lambda self, situation: 1 / 0)
    reply = say("a table", "book_table")
    assert "something went wrong" in reply.text
    assert talk.handoffs.get().reason == "the assistant broke"


def test_open_tasks_are_forgotten_after_a_long_rest(say: Say, talk: Conversation) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    with clock.frozen_at(factories.MONDAY + services.FORGOTTEN_AFTER * 2):
        say("yes")
    assert tea.served == []


@pytest.mark.parametrize(
    "kept",
    [
        {"tasks": [{"tool": "gone"}]},
        {"tasks": 1},
        {"colour": "blue"},
        Stack(tasks=[Task("gone", asked="colour", question="Which?")]).as_json(),
    ],
)
def test_what_an_earlier_version_kept_and_nobody_knows_counts_as_nothing_open(
    say: Say, talk: Conversation, kept: dict[str, Any]
) -> None:
    Conversation.objects.update(state=kept)
    assert say("a table", "book_table").text == "Which room?"


def test_a_choice_stays_on_offer_beneath_a_suggestion(say: Say) -> None:
    say("a table", "book_table")
    assert say("what do i owe", "tea_bill").text == "Ana owes $4.20. Pay now?"
    assert say("ok the second one then").text == "When?"


def test_a_yes_to_a_list_asks_which_one(say: Say) -> None:
    say("a table in the garden", ("book_table", {"room": "garden"}))
    reply = say("yes please")
    assert (reply.text, tea.as_dict(reply.choices)) == (
        sayings.WHICH_ONE,
        ["Garden at 9:00", "Garden at 10:00"],
    )


def test_a_time_that_was_declined_is_not_offered_again(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    assert "Garden at 9:00" not in tea.as_dict(say("no").choices)


def test_who_waits_for_a_person_is_not_greeted_as_if_nothing_had_been(say: Say) -> None:
    say("a person please", "handoff")
    assert say("hello?").text == f"{sayings.PERSON_KNOWS} {sayings.MEANWHILE}"


def test_ok_thanks_is_a_yes_to_the_read_back_and_thanks_at_the_end(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    say("ok thanks")
    assert len(tea.served) == 1
    assert say("ok thanks").text == sayings.THANKS


def test_who_says_goodbye_is_asked_nothing_more(say: Say) -> None:
    say("a table", "book_table")
    assert say("bye").text == sayings.GOODBYE
    assert say("yes").text == sayings.WHAT_CAN_I_DO


def test_a_suggestion_over_an_open_task_can_be_repeated(say: Say) -> None:
    say("a table", "book_table")
    say("what do i owe", "tea_bill")
    assert say("what did you say?", "repeat").text == "Ana owes $4.20. Pay now?"


def test_a_stop_after_the_booking_does_not_claim_that_nothing_was_changed(say: Say) -> None:
    say("garden at 9", ("book_table", {"room": "garden", "table": "9"}))
    say("yes")
    assert say("nvm", "stop").text == sayings.ALL_RIGHT
