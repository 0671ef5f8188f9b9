"""What patients text back when they are reminded: 1, 2, 3, or whatever comes to their mind."""

from datetime import datetime, timedelta

import pytest

from appointments import services
from appointments.models import Appointment, ReminderRule
from appointments.tasks import sweep_reminders
from chatbot import sms
from chatbot.models import ChatMessage, Conversation
from eyecare import clock
from messaging import services as messaging
from messaging import tasks as outbox
from messaging.models import InboundText, Message
from tests import factories
from tests.factories import ZONE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday")]

WEDNESDAY = datetime(2026, 3, 4, 9, tzinfo=ZONE)
THURSDAY = datetime(2026, 3, 5, 9, tzinfo=ZONE)


@pytest.fixture
def reminded(ana, exam, slot_at):
    """Ana's exam on Thursday at nine, of which she was reminded on Wednesday at nine."""
    factories.ConsentFactory(patient=ana)
    ReminderRule.objects.create(lead=24)
    visit = services.book(patient=ana, visit_type=exam, slot=slot_at(5, 9), channel="web")
    with clock.frozen_at(WEDNESDAY):
        sweep_reminders()
        outbox.sweep()
    assert Message.objects.get(kind="appointment_reminder").state == "sent"
    return visit


def text(patient, body, at=WEDNESDAY + timedelta(minutes=5)):
    """Text the practice and return what it answers."""
    number = InboundText.objects.count()
    with clock.frozen_at(at + timedelta(minutes=number)):
        came = InboundText.objects.create(
            provider_id=f"SM{number}", sender=patient.phone, recipient="+12125550100", body=body
        )
        sms.receive(came.pk)
        InboundText.objects.filter(pk=came.pk).update(processed_at=clock.now())
        outbox.sweep()
    return last_said(patient).text


def last_said(patient):
    return ChatMessage.objects.filter(conversation__phone=patient.phone, author="assistant").last()


def state_of(visit):
    return Appointment.objects.get(pk=visit.pk).state


@pytest.mark.parametrize(
    "said", ["1", "1.", " 1 ", "yes", "Yes!", "YES see you", "ok", "👍", "👍🏽", "confirm"]
)
def test_a_plain_yes_confirms_and_says_when(reminded, ana, said):
    answer = text(ana, said)
    assert state_of(reminded) == "confirmed"
    assert "confirmed. See you Thursday, March 5 at 9:00 AM with Dr. Maya Okafor" in answer


@pytest.mark.parametrize("said", ["see you then", "I'll be there", "see you tomorrow", "sí", "confirmo"])
def test_other_words_for_yes_confirm(reminded, ana, said):
    text(ana, said)
    assert state_of(reminded) == "confirmed"


@pytest.mark.parametrize("said", ["2", "I need to cancel", "please cancel"])
def test_a_cancel_is_asked_about_before_it_happens(reminded, ana, said):
    assert "Cancel your visit on Thursday, March 5 at 9:00 AM" in text(ana, said)
    assert state_of(reminded) == "booked"
    text(ana, "yes")
    assert state_of(reminded) == "cancelled"


def test_a_no_to_the_question_keeps_the_visit(reminded, ana):
    text(ana, "2")
    text(ana, "no")
    assert state_of(reminded) == "booked"


@pytest.mark.parametrize("said", ["can't make it", "cant make it tomorrow", "no"])
def test_who_cannot_come_is_asked_what_about_the_visit(reminded, ana, said):
    answer = text(ana, said)
    assert answer == "Thank you for telling us. What about your visit Thursday, March 5 at 9:00 AM?"
    assert [choice["label"] for choice in last_said(ana).choices] == ["Find another time", "Cancel the visit"]
    text(ana, "2")
    text(ana, "yes")
    assert state_of(reminded) == "cancelled"


@pytest.mark.parametrize("said", ["3", "need to reschedule", "different time please"])
def test_a_change_offers_other_times_and_moves_the_visit(reminded, ana, said):
    text(ana, said)
    assert [choice["label"][:10] for choice in last_said(ana).choices][:1] == ["Wed, Mar 4"]
    assert state_of(reminded) == "booked"
    text(ana, "2")
    text(ana, "yes")
    assert state_of(reminded) == "moved"


@pytest.mark.parametrize("said", ["running late 10 min", "I'm running about ten minutes late"])
def test_who_is_late_on_the_day_reaches_the_front_desk(reminded, ana, said):
    text(ana, said, at=THURSDAY - timedelta(minutes=5))
    assert state_of(reminded) == "booked"
    assert Conversation.objects.get().status == Conversation.Status.WAITING


def test_what_is_no_answer_changes_nothing(reminded, ana):
    assert text(ana, "do you have parking") != ""
    assert state_of(reminded) == "booked"


def test_an_answer_after_the_visit_was_cancelled_confirms_nothing(reminded, ana):
    with clock.frozen_at(WEDNESDAY + timedelta(minutes=1)):
        services.cancel(appointment=reminded, channel="staff", reason="The doctor is ill.")
    assert "confirmed" not in text(ana, "1")
    assert state_of(reminded) == "cancelled"


def test_an_answer_after_the_visit_has_moved_tells_the_new_time(reminded, ana, slot_at):
    with clock.frozen_at(WEDNESDAY + timedelta(minutes=1)):
        services.reschedule(
            appointment=reminded, slot=slot_at(6, 11), channel="staff", reason="The doctor is ill."
        )
    assert "Friday, March 6 at 11:00 AM with Dr. Maya Okafor" in text(ana, "1")


def test_one_twice_confirms_once(reminded, ana):
    text(ana, "1")
    text(ana, "1")
    assert reminded.events.filter(to_state="confirmed").count() == 1


def test_a_yes_from_another_phone_confirms_nothing(reminded, ben):
    text(ben, "1")
    assert state_of(reminded) == "booked"


def test_nobody_is_reminded_of_what_they_have_cancelled_by_text(reminded, ana):
    ReminderRule.objects.create(lead=2)
    text(ana, "2")
    text(ana, "yes")
    with clock.frozen_at(THURSDAY - timedelta(hours=2)):
        assert sweep_reminders() == 0


def test_stop_ends_the_texts_and_keeps_the_visit(reminded, ana):
    with clock.frozen_at(WEDNESDAY + timedelta(minutes=5)):
        messaging.receive(provider_id="SM-s", sender=str(ana.phone), recipient="+12125550100", body="Stop")
    assert messaging.is_opted_out(str(ana.phone))
    assert state_of(reminded) == "booked"
