"""What patients write after a reminder does the right thing, in digits and in words; and on the day."""

from datetime import timedelta

import pytest

from appointments import services as diary
from chatbot import services
from chatbot.models import Handoff
from eyecare import clock
from messaging.models import Message
from tests import factories
from tests.factories import MONDAY

pytestmark = pytest.mark.usefixtures("monday")


@pytest.fixture
def text(anas_exam, ana, settings):
    """Text the practice as Ana, who was reminded of her exam just now."""
    settings.ASSISTANT_ENGINE = "rules"
    remind(ana, anas_exam)
    talk = services.begin(channel="sms", phone=str(ana.phone))
    return lambda words: services.say(talk, words)


def remind(patient, appointment, at=MONDAY - timedelta(hours=1)):
    return Message.objects.create(
        reason=f"reminder:{appointment.pk}",
        kind="appointment_reminder",
        patient=patient,
        to=str(patient.phone),
        body="See you",
        subject_id=str(appointment.pk),
        state=Message.State.SENT,
        claimed_at=at,
    )


def labels(reply):
    return [choice["label"] for choice in reply.choices]


@pytest.mark.parametrize(
    "words",
    [
        "1", "yes", "Yes, see you then!", "👍", "ok", "si", "I'll be there", "see you tomorrow", "confirmed",
        "Yes thanks, will be there", "see you tuesday", "We're coming", "OK thank you, see you then 😊",
        "sounds good", "C",
    ],
)  # fmt: skip
def test_a_yes_in_any_words_confirms_the_visit(text, anas_exam, words):
    assert text(words).text.startswith("Thank you, you are confirmed. See you Tuesday, March 3 at 9:00 AM")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "confirmed"


@pytest.mark.parametrize(
    "words",
    [
        "can't make it", "Sorry I cant make it tomorrow", "I won't be able to come", "no",
        "not able to attend", "I have to miss it", "no puedo ir", "that doesn't work for me anymore",
    ],
)  # fmt: skip
def test_who_cannot_come_is_asked_whether_to_move_or_to_cancel(text, anas_exam, words):
    reply = text(words)
    assert reply.text == "Thank you for telling us. What about your visit Tuesday, March 3 at 9:00 AM?"
    assert labels(reply) == ["Find another time", "Cancel the visit"]
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_the_digits_under_that_question_answer_it_and_not_the_reminder(text, anas_exam):
    text("can't make it")
    assert len(labels(text("1"))) == 3
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_the_visit_of_the_reminder_is_cancelled_after_a_yes_though_there_are_others(
    text, anas_exam, ana, exam, slot_at
):
    other = diary.book(patient=ana, visit_type=exam, slot=slot_at(12, 14), channel="web")
    text("can't make it")
    assert text("2").text == (
        "Cancel your visit on Tuesday, March 3 at 9:00 AM with Dr. Maya Okafor, Main Street?"
    )
    text("yes")
    anas_exam.refresh_from_db()
    other.refresh_from_db()
    assert (anas_exam.state, other.state) == ("cancelled", "booked")


@pytest.mark.parametrize(
    "words",
    ["3", "need another time", "can we reschedule?", "I need a different day", "can I come another day?"],
)
def test_who_wants_another_time_is_offered_some(text, words):
    reply = text(words)
    assert reply.text.startswith("All right, let us find another time.")
    assert len(labels(reply)) == 3


def test_what_is_said_after_a_reminder_is_about_its_visit(text, anas_exam, ana, exam, slot_at):
    diary.book(patient=ana, visit_type=exam, slot=slot_at(12, 14), channel="web")
    reply = text("can you move it to thursday at 10")
    assert reply.text.endswith(
        "Move your visit from Tuesday, March 3 at 9:00 AM to Thursday, March 5 at 10:00 AM"
        " with Dr. Maya Okafor, Main Street?"
    )


def test_a_visit_that_the_words_name_is_meant_and_not_the_reminders(text, ana, exam, slot_at):
    diary.book(patient=ana, visit_type=exam, slot=slot_at(12, 14), channel="web")
    assert "Thursday, March 12 at 2:00 PM" in text("please cancel my exam on march 12").text


def test_a_yes_to_an_open_question_is_no_answer_to_a_reminder_that_came_meanwhile(text, anas_exam, ana):
    text("cancel my appointment please")
    with clock.frozen_at(MONDAY + timedelta(minutes=10)):
        Message.objects.update(claimed_at=clock.now())
        text("yes")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "cancelled"


def test_anything_else_after_a_reminder_reaches_the_assistant(text, anas_exam):
    reply = text("when is my appointment exactly?")
    assert reply.text.startswith("Your next visit:\nTuesday, March 3 at 9:00 AM")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_a_reminder_of_a_child_is_answered_for_the_child(text, ana, anas_exam, exam, slot_at):
    leo = factories.PatientFactory(first_name="Leo", phone=ana.phone, account=None, guarantor=ana)
    leos = diary.book(patient=leo, visit_type=exam, slot=slot_at(4, 9), channel="web")
    remind(leo, leos, at=MONDAY - timedelta(minutes=5))
    text("yes see you then")
    leos.refresh_from_db()
    anas_exam.refresh_from_db()
    assert (leos.state, anas_exam.state) == ("confirmed", "booked")
    assert "Leo's date of birth" in text("when is my appointment").text


@pytest.mark.parametrize(
    "words",
    [
        "running 10 minutes late", "I'm going to be about 15 min late sorry", "stuck in traffic",
        "I'm here", "we are outside", "just got here", "I have arrived for my appointment",
    ],
)  # fmt: skip
def test_the_front_desk_is_told_who_is_late_or_there(text, anas_exam, words):
    with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=5)):
        Message.objects.update(claimed_at=clock.now() - timedelta(hours=20))
        reply = text(words)
    assert reply.text == "Thank you. I have told the front desk for your visit at 9:00 AM."
    assert reply.handoff
    assert Handoff.objects.get().reason.startswith("on the day, visit at 9:00 AM: ")


def test_who_is_late_without_a_visit_today_is_offered_a_person(text):
    reply = text("running late")
    assert reply.text == "I see no visit of yours today. Shall I pass this on to a colleague?"
    assert not reply.handoff


@pytest.mark.parametrize(
    "words",
    [
        "are you open late on thursday", "is there a late fee", "do you have anything late in the day",
        "what happens if i am late", "is it too late to cancel?",
    ],
)  # fmt: skip
def test_a_question_about_late_hours_is_nobody_being_late(text, words):
    assert "front desk" not in text(words).text


def test_a_reminder_of_a_visit_that_has_moved_meanwhile_is_answered_with_where_it_is_now(
    text, anas_exam, slot_at
):
    moved = diary.reschedule(appointment=anas_exam, slot=slot_at(4, 10), channel="web")
    assert text("yes").text.startswith("That visit has moved: it is on Wednesday, March 4 at 10:00 AM")
    moved.refresh_from_db()
    assert moved.state == "booked"
    assert "Wednesday, March 4 at 10:00 AM" in text("can't make it").text


@pytest.mark.parametrize("words", ["2", "actually cant come"])
def test_who_confirmed_may_think_better_of_it(text, words):
    text("1")
    reply = text(words)
    assert "visit" in reply.text
    assert reply.choices


def test_a_no_to_anything_else_is_no_answer_to_the_reminder(text, anas_exam):
    text("1")
    assert not text("no thanks").choices
    assert not text("great, see you then").effects
    anas_exam.refresh_from_db()
    assert anas_exam.state == "confirmed"


@pytest.mark.parametrize("words", ["what time again?", "is it with dr okafor?"])
def test_a_question_about_the_visit_after_its_reminder_is_answered_with_it(text, words):
    assert text(words).text.startswith("Your next visit:\nTuesday, March 3 at 9:00 AM")


def test_who_writes_is_said_to_who_asks(text):
    assert "I am the practice's assistant" in text("who is this?").text


def test_two_children_who_were_reminded_together_are_answered_one_after_the_other(
    text, ana, anas_exam, exam, slot_at
):
    leo = factories.PatientFactory(first_name="Leo", phone=ana.phone, account=None, guarantor=ana)
    leos = diary.book(patient=leo, visit_type=exam, slot=slot_at(4, 9), channel="web")
    remind(leo, leos, at=MONDAY - timedelta(minutes=59))
    assert text("1").text.startswith("For Leo: Thank you, you are confirmed. See you Wednesday, March 4")
    assert text("1").text.startswith("For Ana: Thank you, you are confirmed. See you Tuesday, March 3")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "confirmed"
