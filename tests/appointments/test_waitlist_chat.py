"""The waitlist by text message and in the chat: joining, leaving, and the answers to an offer."""

from datetime import date, time, timedelta

import pytest

from appointments import services as diary
from appointments import waitlist
from appointments.chat_tools.waitlist import Times
from appointments.models import Appointment, Opening, WaitlistEntry, WaitlistOffer
from chatbot import delivery, services, sms, when
from chatbot.models import ChatMessage
from eyecare import clock
from messaging.backends import memory
from messaging.models import InboundText
from tests import factories
from tests.factories import MONDAY, ZONE

pytestmark = pytest.mark.usefixtures("monday")


@pytest.fixture
def web(ana, exam):
    """Say something on the portal as Ana, understood by keywords."""
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    return lambda text: services.say(talk, text)


@pytest.fixture
def text(django_capture_on_commit_callbacks):
    """Text the practice and return its answer: text(ana, "1")."""

    def text(patient, body):
        phone = str(patient.phone)
        with django_capture_on_commit_callbacks(execute=True):
            came = InboundText.objects.create(
                provider_id=f"SM{InboundText.objects.count()}",
                sender=phone,
                recipient="+12125550100",
                body=body,
            )
            sms.receive(came.pk)
            InboundText.objects.filter(pk=came.pk).update(processed_at=clock.now())
        said = ChatMessage.objects.filter(conversation__phone=phone, author="assistant").last()
        return delivery.as_text(said)

    return text


@pytest.fixture
def asked(ana, ben, exam, slot_at, django_capture_on_commit_callbacks):
    """Ana and Ben wait for an exam; Tuesday at 9 comes free and both are asked."""
    somebody = factories.PatientFactory(first_name="Somebody")
    visit = diary.book(patient=somebody, visit_type=exam, slot=slot_at(3, 9), channel="web")
    for patient in (ana, ben):
        factories.ConsentFactory(patient=patient)
        waitlist.join(patient=patient, visit_type=exam, channel="web")
    with django_capture_on_commit_callbacks(execute=True):
        diary.cancel(appointment=visit, channel="staff")
    return Opening.objects.get()


def states(opening):
    return {offer.entry.patient.first_name: offer.state for offer in opening.offers.all()}


# What is kept of a wish


@pytest.mark.parametrize(
    ("said", "times"),
    [
        ("any time", Times()),
        ("tuesdays or thursdays before noon", Times(weekdays=(1, 3), until_time=time(12))),
        ("next week", Times(first_day=date(2026, 3, 9), last_day=date(2026, 3, 15))),
        ("not on fridays", Times(weekdays=(0, 1, 2, 3, 5, 6))),
        ("after 3pm", Times(from_time=time(15))),
        (
            "tuesday at 3",
            Times(date(2026, 3, 3), date(2026, 3, 3), from_time=time(15), until_time=time(15, 30)),
        ),
    ],
)
def test_a_wish_becomes_days_and_hours_that_can_be_waited_for(said, times):
    read = Times.of(when.read(said, MONDAY.astimezone(ZONE), None))
    assert read == times
    assert Times.loads(read.dumps()) == read


# Joining and leaving


def test_who_asks_for_the_waitlist_is_put_on_it_after_a_yes(web, ana):
    reply = web("please put me on the waitlist")
    assert reply.text.endswith("Which days and times would suit you?")
    reply = web("tuesdays or thursdays before noon")
    assert reply.text == (
        "Put you on the waitlist for Comprehensive eye exam: Tuesdays or Thursdays, before 12:00 PM?"
    )
    assert not WaitlistEntry.objects.exists()
    reply = web("yes")
    entry = WaitlistEntry.objects.get()
    assert reply.text.startswith("You are on the waitlist.")
    assert (entry.patient, entry.channel, entry.weekdays, entry.until_time) == (ana, "chat", [1, 3], time(12))
    assert reply.effects == [{"action": "waitlist.joined", "object": "waitlist_entry", "id": str(entry.pk)}]


def test_who_cannot_be_reached_is_told_so_at_once(web, ana):
    web("waitlist please")
    web("any time")
    assert "we can neither text nor e-mail you" in web("yes").text


@pytest.mark.parametrize(
    "said",
    [
        "let me know if anything earlier opens up",
        "can you text me if something sooner comes available",
        "put me on the cancellation list",
        "is there a way to get in if someone cancels",
    ],
)
def test_an_earlier_time_is_wished_for_the_visit_that_the_patient_has(web, ana, exam, slot_at, said):
    visit = diary.book(patient=ana, visit_type=exam, slot=slot_at(20, 9), channel="web")
    factories.ConsentFactory(patient=ana)
    reply = web(said)
    assert reply.text == "Write to you when a time before Friday, March 20 at 9:00 AM comes free?"
    assert web("yes").text.startswith("Done. You keep your visit")
    assert WaitlistEntry.objects.get().moving == visit


def test_without_a_visit_an_earlier_time_leads_to_the_waitlist(web):
    assert "just write: waitlist" in web("let me know if anything earlier opens up").text
    assert "Which days and times" in web("waitlist").text


def test_leaving_the_waitlist_is_read_back_first(web, ana, exam):
    entry = waitlist.join(patient=ana, visit_type=exam, channel="web", weekdays=[1])
    reply = web("take me off the waitlist please")
    assert reply.text == "Take you off the waitlist for Comprehensive eye exam (Tuesdays)?"
    web("yes")
    entry.refresh_from_db()
    assert entry.state == "withdrawn"
    assert web("take me off the waitlist").text.startswith("You are not on our waitlist")


# The answers to an offer


def test_the_whole_story_by_text(ana, ben, asked, text):
    answer = text(ben, "1")
    visit = Appointment.objects.active().get()
    assert answer.startswith("You are booked: Tuesday, March 3 at 9:00 AM with Dr. Maya Okafor, Main Street.")
    assert (visit.patient, visit.channel) == (ben, "sms")
    assert states(asked) == {"Ana": "lost", "Ben": "accepted"}
    assert any("no longer free" in told.body for told in memory.outbox if told.to == str(ana.phone))
    answer = text(ana, "1")
    assert answer.startswith("Sorry, somebody else was first. You keep your place on our waitlist.")
    assert "\n1) " in answer  # other times are offered at once
    assert waitlist.entries_for(ana).exists()
    assert Appointment.objects.active().get() == visit


@pytest.mark.parametrize("said", ["1", "yes please", "I'll take it", "👍", "please take the slot", "book it"])
def test_a_yes_in_any_words_takes_the_time(ana, asked, text, said):
    assert text(ana, said).startswith("You are booked: Tuesday, March 3 at 9:00 AM")
    assert states(asked)["Ana"] == "accepted"


@pytest.mark.parametrize(
    "said", ["2", "no", "no thanks", "keep waiting", "that doesn't work for me", "I can't"]
)
def test_a_no_in_any_words_keeps_the_place(ana, asked, text, said):
    assert text(ana, said).startswith("All right. You keep your place")
    assert states(asked) == {"Ana": "declined", "Ben": "offered"}
    assert not Appointment.objects.active().exists()


def test_three_means_nothing_here_and_says_what_does(ana, asked, text):
    assert text(ana, "3").startswith("Reply 1 to take the time that came free, or 2 to keep waiting.")
    assert states(asked)["Ana"] == "offered"


def test_an_earlier_time_moves_the_visit_by_one_digit(
    ana, exam, slot_at, text, django_capture_on_commit_callbacks
):
    factories.ConsentFactory(patient=ana)
    late = diary.book(patient=ana, visit_type=exam, slot=slot_at(20, 9), channel="web")
    somebody = factories.PatientFactory()
    visit = diary.book(patient=somebody, visit_type=exam, slot=slot_at(3, 9), channel="web")
    waitlist.join(patient=ana, visit_type=exam, moving=late, channel="web")
    with django_capture_on_commit_callbacks(execute=True):
        diary.cancel(appointment=visit, channel="staff")
    assert text(ana, "1").startswith("Done. Your visit is now Tuesday, March 3 at 9:00 AM")
    late.refresh_from_db()
    assert late.state == "moved"
    assert Appointment.objects.active().count() == 1


def test_a_parent_answers_for_the_child_whom_the_offer_was_for(
    ana, exam, slot_at, text, django_capture_on_commit_callbacks
):
    leo = factories.PatientFactory(first_name="Leo", phone=ana.phone, account=None, guarantor=ana)
    factories.ConsentFactory(patient=leo)
    waitlist.join(patient=leo, visit_type=exam, channel="staff")
    visit = diary.book(patient=factories.PatientFactory(), visit_type=exam, slot=slot_at(3, 9), channel="web")
    with django_capture_on_commit_callbacks(execute=True):
        diary.cancel(appointment=visit, channel="staff")
    text(ana, "1")
    assert Appointment.objects.active().get().patient == leo


def test_an_answer_after_the_time_is_over_still_gets_a_free_time(ana, ben, asked, text):
    with clock.frozen_at(MONDAY + timedelta(minutes=50)):
        waitlist.sweep()
        assert text(ana, "1").startswith("You are booked")
        assert text(ben, "1").startswith("Sorry, somebody else was first.")
    assert WaitlistOffer.objects.filter(state="accepted").count() == 1


def test_who_asks_for_the_waitlist_while_booking_is_not_asked_again_for_what_was_said(web, ana):
    web("book an eye exam on tuesday in the morning")
    assert (
        web("put me on the waitlist").text
        == "Put you on the waitlist for Comprehensive eye exam: before 12:00 PM, on Tuesday, March 3?"
    )
    web("yes")
    assert waitlist.entries_for(ana).get().last_day == date(2026, 3, 3)
