"""What is kept for a patient while they think: put aside at the read-back, given back if not taken."""

from collections.abc import Callable, Iterator

import pytest

from chatbot import handoff, prompt, services
from chatbot.arguments import ToolContext
from chatbot.backends.memory import ScriptedBackend
from chatbot.commands import Command
from chatbot.models import ChatMessage, Conversation
from chatbot.tools import Effect, Kept, Reply, registry, tool
from eyecare.errors import Refusal
from patients.models import Account, Patient
from tests import factories
from tests.chatbot import tea

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday", "tea_tools")]

Say = Callable[..., ChatMessage]
kept: list[str] = []
given_back: list[str] = []


class NoMoreToday(Refusal):
    code = "no_more_today"


@pytest.fixture(autouse=True)
def terrace() -> Iterator[None]:
    """A task that puts the table aside before it asks for a yes."""
    kept.clear()
    given_back.clear()

    def put_aside(patient: Patient, *, context: ToolContext, table: tea.Table, **_: object) -> Kept:
        if table in tea.taken:
            raise tea.TableTaken("It went just now.", alternatives=[tea.Table(table.room, 9)])
        if table.hour == 17:
            raise NoMoreToday("Nobody sits so late without a call.")
        kept.append(str(table))
        return Kept(str(table), "I keep it for you.")

    def only_guests(patient: Patient | None) -> None:
        if patient and patient.first_name == "Ben":
            raise NoMoreToday("Ben is served at home.")

    @tool(
        confirm="Lay {table} on the terrace?",
        keep=put_aside,
        let_go=given_back.append,
        only_if=only_guests,
        needs_person=(NoMoreToday,),
        words=r"\bterrace\b",
    )
    def lay_terrace(patient: Patient, room: tea.Room, table: tea.TableArgument) -> Reply:
        """Lay a table on the terrace."""
        if table in tea.taken:
            raise tea.TableTaken("It went just now.", alternatives=[tea.Table(table.room, 9)])
        return Reply.done("Laid.", effect=Effect("table.laid", "table", str(table)))

    yield
    registry.remove("lay_terrace")


@pytest.fixture
def talk(practice: object) -> Conversation:
    ana = factories.PatientFactory()
    return services.begin(channel="web", patient=ana, account=ana.account)


@pytest.fixture
def say(model: ScriptedBackend, talk: Conversation) -> Say:
    def say(text: str, *commands: str | tuple[str, dict[str, str]]) -> ChatMessage:
        listed = [Command(entry) if isinstance(entry, str) else Command(*entry) for entry in commands]
        if listed:
            model.answers.append(prompt.answer(listed))
        reply = services.say(talk, text)
        assert reply is not None
        assert not model.answers, "the model was not asked"
        return reply

    return say


def lay(say: Say, hour: int = 10) -> ChatMessage:
    text = f"the garden at {hour}"
    return say(text, ("lay_terrace", {"room": "garden", "table": f"at {hour}"}))


def test_what_is_read_back_is_kept_and_not_given_back_once_it_was_taken(say: Say) -> None:
    assert lay(say).text == "I keep it for you.\nLay Garden at 10:00 on the terrace?"
    assert kept == ["Garden at 10:00"]
    assert say("yes").effects[0]["action"] == "table.laid"
    assert kept == ["Garden at 10:00"]


def test_a_question_in_between_leaves_it_kept(say: Say) -> None:
    lay(say)
    say("when do you serve", "ask_tea")
    assert given_back == []


@pytest.mark.parametrize("answer", ["no", "never mind", "bye"])
def test_a_no_a_stop_and_a_goodbye_give_it_back(say: Say, answer: str) -> None:
    lay(say)
    say(answer, *(["stop"] if answer == "never mind" else []))
    assert given_back == ["Garden at 10:00"]


def test_another_choice_gives_back_the_first_and_keeps_the_second(say: Say) -> None:
    lay(say)
    say("rather at 11", ("set", {"table": "at 11"}))
    assert (given_back, kept) == (["Garden at 10:00"], ["Garden at 10:00", "Garden at 11:00"])


def test_a_red_flag_and_a_person_give_it_back(say: Say) -> None:
    lay(say)
    assert say("i splashed bleach in my eye").urgent
    assert given_back == ["Garden at 10:00"]


def test_a_person_who_is_called_in_gives_it_back(say: Say) -> None:
    lay(say)
    say("let me talk to a real person", "handoff")
    assert given_back == ["Garden at 10:00"]


def test_staff_who_end_a_conversation_in_their_hands_give_it_back(
    say: Say, talk: Conversation, dana: Account
) -> None:
    lay(say)
    handoff.take(conversation=talk, account=dana)
    talk.refresh_from_db()
    handoff.end(conversation=talk)
    assert given_back == ["Garden at 10:00"]


def test_what_cannot_be_kept_is_told_at_once_with_what_can(say: Say) -> None:
    tea.taken.add(tea.Table("Garden", 11))
    say("the garden", ("lay_terrace", {"room": "garden"}))
    tea.taken.add(tea.Table("Garden", 10))
    reply = say("the second")
    assert reply.text.startswith("That table has just been taken.")
    assert kept == []


def test_after_a_refusal_that_needs_a_person_one_is_offered_and_nothing_stays_open(
    say: Say, talk: Conversation
) -> None:
    reply = lay(say, 17)
    assert reply.text == "Nobody sits so late without a call. Shall I ask a colleague to answer you here?"
    assert tea.as_dict(reply.choices) == ["Yes", "No"]
    assert say("yes").handoff
    talk.refresh_from_db()
    assert talk.status == Conversation.Status.WAITING


def test_a_no_to_the_person_ends_it(say: Say) -> None:
    lay(say, 17)
    reply = say("no thanks")
    assert (reply.text, reply.handoff) == ("All right.", False)


def test_who_may_not_do_it_at_all_is_told_before_anything_is_asked(say: Say, talk: Conversation) -> None:
    Patient.objects.filter(pk=talk.patient_id).update(first_name="Ben")
    talk.refresh_from_db()
    reply = say("a table outside", "lay_terrace")
    assert reply.text.startswith("Ben is served at home.")


def test_unmistakable_words_open_a_task_without_any_engine(say: Say) -> None:
    reply = say("the terrace please")
    assert (reply.text, reply.engine) == ("Which room?", "")


def test_an_emergency_in_the_same_breath_comes_first(say: Say) -> None:
    assert say("the terrace please, and i splashed bleach in my eye").urgent
