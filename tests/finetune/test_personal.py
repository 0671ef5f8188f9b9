"""What personal data is found in messages, and what stays; everybody here is made up."""

import random

import pytest

from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.data import findings, personal
from finetune.data.personal import Disguise
from finetune.data.prepare import Source, prepare
from finetune.examples import Example


@pytest.fixture
def worn() -> Disguise:
    return Disguise(random.Random(1))


def _kinds(text: str, asked: str = "") -> list[tuple[str, str]]:
    return [(found.kind, text[found.start : found.end]) for found in findings.find(text, asked=asked)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("my name is maria lopez and i am late", [("name", "maria lopez")]),
        ("this is Sofia, can you move me", [("name", "Sofia")]),
        ("i need a visit for my daughter sofía on march 4", [("name", "sofía")]),
        ("me llamo Lucía Fernández", [("name", "Lucía Fernández")]),
        ("mr. john smith here", [("name", "john smith")]),
        ("mr gaertti is not well", [("name", "gaertti")]),
        ("is my visit with Ms. Diaz", [("name", "Diaz")]),
        ("i'll have to cancel Mr Rezaei's visit", [("name", "Rezaei")]),
        ("james wilson wants to cancel", [("name", "james wilson")]),
        ("can James come with me", [("name", "James")]),
        ("see you then, thanks, Ana", [("name", "Ana")]),
        ("call me at (212) 555-0199", [("phone", "(212) 555-0199")]),
        ("my cell: +1 212.736.5000", [("phone", "+1 212.736.5000")]),
        ("it's 736-5000", [("phone", "736-5000")]),
        ("write to maria.lopez@mail.test", [("e-mail", "maria.lopez@mail.test")]),
        ("born march 3rd 1985", [("date of birth", "march 3rd 1985")]),
        ("3/4/1985", [("date of birth", "3/4/1985")]),
        ("dob 3/4/19", [("date of birth", "3/4/19")]),
        ("nací el 3 de marzo de 1985", [("date of birth", "3 de marzo de 1985")]),
        ("my member id is XJ-4471289", [("account number", "XJ-4471289")]),
        ("policy number: 88-1234-X", [("account number", "88-1234-X")]),
        ("ssn 123-45-6789", [("person number", "123-45-6789")]),
        ("4111 1111 1111 1111", [("card number", "4111 1111 1111 1111")]),
        ("i live at 123 main street apt 4", [("address", "123 main street apt 4")]),
        ("I moved to Springfield, IL 62704", [("postcode", "62704")]),
    ],
)
def test_personal_data_is_found(text, found):
    assert _kinds(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "can i come may 3rd at 10:30 instead",
        "will you be open on april 5 2026",
        "is Dr. Okafor in on Monday",
        "i'm late and i am so sorry",
        "my iris hurts, it is red",
        "this is urgent",
        "will mark the day in june",
        "can i get in at 3 on monday with dr okafor",
        "i owe $1,200.50 since 2 or 3 weeks",
        "my prescription is -2.75 with 20/20 vision",
        "hello there",
        "between 9 and 5, the 12th",
        "Good morning, I need an Eye Exam",
        "do you take Blue Cross",
        "do you drop people who miss visits",
        "i have ms, do you see people with ms do you",
        "my name is still down for it",
        "i signed up by accident",
    ],
)
def test_what_is_no_personal_data_stays(text):
    assert _kinds(text) == []


def test_an_answer_to_a_question_about_birth_is_one():
    assert _kinds("5/6/19", "date_of_birth") == [("date of birth", "5/6/19")]
    assert _kinds("5/6/19", "slot") == []


def test_a_replacement_has_the_form_of_what_it_replaces(worn):
    told, found = personal.disguise_text("MARIA lopez, 3/4/1985, (212) 736-5000, id AB-12345", worn)
    name, birth, phone, account = told.split(", ")
    assert [word.isupper() for word in name.split()] == [True, False]
    assert name.casefold() != "maria lopez"
    assert len(birth.split("/")) == 3
    assert birth != "3/4/1985"
    assert phone[:1] == "("
    assert phone[5:11] == " 555-0"
    assert account.startswith("id ")
    assert len(account) == len("id AB-12345")
    assert sum(found.values()) == 4


def test_a_person_number_becomes_one_that_is_never_given_out(worn):
    assert personal.disguise_text("123-45-6789", worn)[0].startswith("000-")


def _example(text: str, command: Command, **state: str) -> Example:
    return Example(Turn(text, **state), (command,), "own", conversation="c1", licence="own")


def test_an_argument_moves_with_its_words(worn):
    question = "is 212-736-5000 the number you have for me"
    example = _example(f"my name is maria lopez, {question}", Command("ask_practice", {"question": question}))
    told, _ = personal.disguise(example, worn)
    assert told.fits
    assert "736" not in told.turn.message
    assert told.commands[0].arguments["question"] in told.turn.message


def test_an_argument_that_ends_within_a_name_takes_the_name_whole(worn):
    command = Command("ask_practice", {"question": "is it maria"})
    told, _ = personal.disguise(_example("is it maria lopez", command), worn)
    assert told.fits
    assert told.commands[0].arguments["question"] == told.turn.message


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("with maria lopez please", Command("set", {"provider": "maria lopez"})),
        ("the one at 12 main street", Command("set", {"location": "12 main street"})),
        ("on april 3 2015", Command("set", {"slot": "april 3 2015"})),
        ("cancel 3/4/2015", Command("cancel_appointment", {"appointment": "3/4/2015"})),
    ],
)
def test_what_a_label_needs_is_kept(worn, text, command):
    told, found = personal.disguise(_example(text, command), worn)
    assert (told.turn.message, told.commands) == (text, (command,))
    assert not found


def test_one_person_keeps_one_name_throughout_a_conversation():
    ask = Command("balance")
    lines = [
        "my name is Maria Lopez",
        "what do I owe? this is maria lopez",
        "it's Maria again, my balance please",
    ]
    told = prepare([Source("own", "own", [_example(line, ask) for line in lines])], seed=1).train
    first, last = told[0].turn.message.removeprefix("my name is ").split()
    assert told[1].turn.message.endswith(
        f"this is {first} {last}".replace(first, first.lower()).replace(last, last.lower())
    )
    assert told[2].turn.message.startswith(f"it's {first} again")


def test_people_of_different_conversations_do_not_share_a_name():
    examples = [
        Example(
            Turn("my name is Maria Lopez"), (Command("balance"),), "own", conversation=name, licence="own"
        )
        for name in ("a", "b")
    ]
    prepared = prepare([Source("own", "own", examples)], seed=1)
    messages = {example.turn.message for example in (*prepared.train, *prepared.held_out)}
    assert len(messages) == 2
    assert prepared.report.personal_data == {"name": 2}
