"""What patients answer to a recall by text: book, later, no more; and in their own words."""

from datetime import date, timedelta

import pytest

from appointments import recalls
from appointments.models import Appointment, Recall, RecallRule, VisitType
from chatbot import services
from messaging.models import Message
from tests import factories

pytestmark = pytest.mark.usefixtures("monday")


@pytest.fixture
def rule(exam):
    return RecallRule.objects.create(name="Yearly", slug="yearly", books=exam, months=12)


@pytest.fixture
def asked(rule, ana):
    """Ana's recall; she was asked by text just now."""
    factories.ConsentFactory(patient=ana)
    recall = recalls.put_on(patient=ana, rule=rule, last_seen_on=date(2025, 3, 2))
    assert recalls.ask_due() == 1
    Message.objects.update(state="sent", claimed_at=factories.MONDAY - timedelta(hours=1))
    return recall


@pytest.fixture
def text(asked, ana):
    talk = services.begin(channel="sms", phone=str(ana.phone))
    return lambda words: services.say(talk, words)


def stands(recall):
    recall.refresh_from_db()
    return recall.state, recall.snoozed_until


@pytest.mark.parametrize("words", ["1", "1.", "yes please", "Book", "I'd like to book", "sí"])
def test_a_yes_opens_a_booking_of_the_right_visit(text, exam, words):
    VisitType.objects.create(name="Fitting", slug="fitting", minutes=20)
    reply = text(words)
    assert reply.text == "Gladly.\nWhen would you like to come?"
    assert reply.choices[0]["label"] == "Mon, Mar 2 at 11:00 AM with Dr. Maya Okafor"
    assert "Book" in text("1").text
    text("yes")
    booked = Appointment.objects.visits().get()
    assert (booked.visit_type, booked.channel, booked.state) == (exam, "sms", "booked")
    assert recalls.ask_due() == 0


@pytest.mark.parametrize("words", ["2", "later", "not now", "no", "maybe later", "ask me next month"])
def test_a_later_puts_it_off_for_a_month(text, asked, words):
    assert "We will not ask before April 1" in text(words).text
    assert stands(asked) == ("waiting", date(2026, 4, 1))
    assert asked.next_attempt_on == date(2026, 4, 1)


@pytest.mark.parametrize("words", ["3", "no more of these", "please don't ask me again", "not interested"])
def test_a_no_more_ends_the_asking_whatever_it_was_about(text, asked, ana, exam, words):
    other = recalls.put_on(
        patient=ana, rule=RecallRule.objects.create(name="Other", slug="other", books=exam, months=6)
    )
    assert "we will not ask again" in text(words).text
    assert stands(asked)[0] == stands(other)[0] == "declined"


def test_a_no_more_of_anas_leaves_bens_recall_alone(text, rule, ben):
    bens = recalls.put_on(patient=ben, rule=rule)
    text("3")
    assert stands(bens) == ("waiting", None)


def test_words_of_ones_own_lead_to_a_booking_too(text, exam):
    reply = text("yes I'd like to book an eye exam for tuesday morning")
    assert "These times are free: Tuesday, March 3, in the morning." in reply.text


def test_who_has_booked_meanwhile_hears_when(text, ana, exam):
    factories.AppointmentFactory(patient=ana, visit_type=exam, provider=exam.providers.get())
    reply = text("1")
    assert "You have a visit already: Tuesday, March 3 at 9:00 AM" in reply.text
    assert Appointment.objects.count() == 1


def test_a_visit_that_is_booked_by_phone_gives_the_number(text, exam):
    VisitType.objects.update(is_online=False)
    assert "Please call us at (212) 555-0100" in text("1").text


def test_a_move_in_words_is_no_refusal_of_recalls(text, asked):
    text("reschedule")
    assert stands(asked)[0] == "waiting"


def test_an_answer_to_a_recall_that_is_gone_says_so(text, asked):
    Recall.objects.all().delete()
    assert "We could not find that." in text("1").text


def test_a_parent_answers_for_the_child(rule, ana):
    mia = factories.PatientFactory(first_name="Mia", phone="", email="", guarantor=ana, account=None)
    ana.wards.create(patient=mia, relation="parent")
    factories.ConsentFactory(patient=mia)
    recall = recalls.put_on(patient=mia, rule=rule)
    recalls.ask_due()
    Message.objects.update(state="sent", claimed_at=factories.MONDAY - timedelta(hours=1))
    talk = services.begin(channel="sms", phone=str(ana.phone))
    services.say(talk, "2")
    assert stands(recall) == ("waiting", date(2026, 4, 1))
