"""The assistant in the diary: books, moves and cancels what was read back, and offers only what is free."""

from datetime import timedelta

import pytest

from appointments import services as diary
from appointments.chat_tools.booking import list_appointments
from appointments.models import Appointment, ScheduleException
from chatbot import backends, prompt, services
from chatbot.arguments import ToolContext
from chatbot.commands import Command
from eyecare import clock
from messaging.models import Message
from tests import factories
from tests.factories import MONDAY

pytestmark = pytest.mark.usefixtures("monday")


@pytest.fixture
def model(settings):
    settings.ASSISTANT_ENGINE = "model"
    settings.LLM_BACKEND = "chatbot.backends.memory.ScriptedBackend"
    scripted = backends.chat_backend()
    scripted.answers.clear()
    yield scripted
    scripted.answers.clear()


@pytest.fixture
def fitting(okafor):
    return factories.VisitTypeFactory(
        name="Contact lens fitting", slug="fitting", minutes=60, also_called=["contacts"], providers=[okafor]
    )


@pytest.fixture
def chen(exam, main_street):
    """Works on Tuesdays only."""
    provider = factories.ProviderFactory(first_name="Li", last_name="Chen", locations=[main_street])
    factories.WeeklyHoursFactory(provider=provider, location=main_street, weekday=1)
    exam.providers.add(provider)
    return provider


@pytest.fixture
def say(model, ana, exam):
    """Say something on the portal as Ana; what the model makes of it is given as (name, arguments)."""
    talk = services.begin(channel="web", patient=ana, account=ana.account)

    def say(text, *commands):
        if commands:
            listed = [Command(entry) if isinstance(entry, str) else Command(*entry) for entry in commands]
            model.answers.append(prompt.answer(listed))
        reply = services.say(talk, text)
        assert not model.answers, "the model was not asked"
        return reply

    return say


def labels(reply):
    return [choice["label"] for choice in reply.choices]


def book(**arguments):
    return "book_appointment", arguments


def test_a_day_and_an_hour_that_are_free_are_read_back_and_booked_after_a_yes(say, ana):
    reply = say("an exam tuesday at 3", book(visit_type="exam", slot="tuesday at 3"))
    assert reply.text == (
        "Book Comprehensive eye exam on Tuesday, March 3 at 3:00 PM with Dr. Maya Okafor, Main Street?"
    )
    assert not Appointment.objects.visits().exists()
    reply = say("yes")
    booked = Appointment.objects.get()
    assert reply.text.startswith("You are booked: Comprehensive eye exam on Tuesday, March 3 at 3:00 PM")
    assert reply.effects == [{"action": "appointment.booked", "object": "appointment", "id": str(booked.pk)}]
    assert (booked.patient, booked.channel, booked.events.last().actor) == (ana, "chat", ana.account)


def test_a_booked_visit_can_be_put_into_the_patients_own_calendar(say, client, ana):
    say("an exam tuesday at 3", book(visit_type="exam", slot="tuesday at 3"))
    (card,) = say("yes").cards
    (link,) = card["more"]
    assert link["words"] == "Add to calendar"
    client.force_login(ana.account)
    assert client.get(link["url"]).headers["Content-Type"].startswith("text/calendar")


def test_a_vague_wish_is_answered_with_times_on_different_days(say):
    reply = say(
        "my eyes checked next week in the morning",
        book(visit_type="eyes checked", slot="next week in the morning"),
    )
    assert labels(reply) == [
        "Mon, Mar 9 at 9:00 AM with Dr. Maya Okafor",
        "Tue, Mar 10 at 9:00 AM with Dr. Maya Okafor",
        "Wed, Mar 11 at 9:00 AM with Dr. Maya Okafor",
    ]
    assert "next week" in reply.text
    say("the second one")
    say("yes please")
    assert f"{diary.slot_of(Appointment.objects.get()):%m-%d %H:%M}" == "03-10 09:00"


def test_more_offers_other_times_that_match(say):
    first = say("exam tuesday", book(visit_type="exam", slot="tuesday"))
    second = say("anything else?", "more")
    assert len(labels(first)) == len(labels(second)) == 3
    assert not set(labels(first)) & set(labels(second))
    assert all(label.startswith("Tue, Mar 3") for label in labels(second))


def test_a_later_word_about_the_hour_keeps_the_day(say):
    say("exam on thursday", book(visit_type="exam", slot="thursday"))
    reply = say("after 4", ("set", {"slot": "after 4"}))
    assert labels(reply) == [
        "Thu, Mar 5 at 4:00 PM with Dr. Maya Okafor",
        "Thu, Mar 5 at 4:30 PM with Dr. Maya Okafor",
    ]


def test_a_later_word_about_the_day_keeps_the_hour(say):
    say("exam thursday at 3", book(visit_type="exam", slot="thursday at 3"))
    reply = say("no, wednesday", ("set", {"slot": "wednesday"}))
    assert "Wednesday, March 4 at 3:00 PM" in reply.text


def test_a_broad_wish_does_not_keep_an_earlier_hour(say):
    say("exam thursday at 3", book(visit_type="exam", slot="thursday at 3"))
    reply = say("no, sometime in april", ("set", {"slot": "sometime in april"}))
    assert labels(reply)[0] == "Wed, Apr 1 at 9:00 AM with Dr. Maya Okafor"


def test_what_was_read_back_and_refused_is_not_offered_again(say):
    say("exam thursday at 3", book(visit_type="exam", slot="thursday at 3"))
    assert labels(say("no")) == [
        "Thu, Mar 5 at 2:30 PM with Dr. Maya Okafor",
        "Thu, Mar 5 at 3:30 PM with Dr. Maya Okafor",
        "Thu, Mar 5 at 2:00 PM with Dr. Maya Okafor",
    ]


def test_a_taken_time_is_answered_with_the_nearest(say, ben, exam, slot_at):
    diary.book(patient=ben, visit_type=exam, slot=slot_at(3, 15), channel="web")
    reply = say("exam tuesday at 3", book(visit_type="exam", slot="tuesday at 3"))
    assert reply.text == "Tuesday, March 3 at 3:00 PM is taken. These are the nearest times."
    assert labels(reply)[:3] == [
        "Tue, Mar 3 at 2:30 PM with Dr. Maya Okafor",
        "Tue, Mar 3 at 3:30 PM with Dr. Maya Okafor",
        "Tue, Mar 3 at 2:00 PM with Dr. Maya Okafor",
    ]


def test_without_a_kind_of_visit_the_kinds_there_are_are_offered(say, fitting):
    reply = say("I need an appointment", book())
    assert labels(reply) == ["Comprehensive eye exam", "Contact lens fitting"]
    assert labels(say("contact lens fitting"))[0] == "Mon, Mar 2 at 11:00 AM with Dr. Maya Okafor"


def test_the_only_kind_of_visit_goes_without_saying(say):
    reply = say("an appointment wednesday at 9", book(slot="wednesday at 9"))
    assert reply.text.startswith("Book Comprehensive eye exam on Wednesday, March 4 at 9:00 AM")


def test_a_visit_by_the_patients_own_name_for_it_is_known(say, fitting):
    reply = say("contacts on wednesday at 9", book(visit_type="contacts", slot="wednesday at 9"))
    assert reply.text.startswith("Book Contact lens fitting on Wednesday, March 4 at 9:00 AM")


def test_a_visit_that_is_arranged_by_phone_is_not_booked_here(say, fitting):
    fitting.is_online = False
    fitting.save()
    reply = say("I want contacts", book(visit_type="contacts"))
    assert "we arrange that by phone. Please call (212) 555-0100" in reply.text


def test_a_wish_for_somebody_is_kept(say, chen):
    reply = say("exam with dr chen asap", book(visit_type="exam", provider="dr chen", slot="asap"))
    assert labels(reply)[0] == "Tue, Mar 3 at 9:00 AM with Dr. Li Chen"
    assert all("Chen" in label for label in labels(reply))


def test_a_providers_name_is_not_read_as_a_month(say, exam, okafor, main_street):
    april = factories.ProviderFactory(first_name="April", last_name="May", locations=[main_street])
    factories.WeeklyHoursFactory(provider=april, location=main_street, weekday=3)
    exam.providers.set([april])
    say("exam thursday", book(visit_type="exam", slot="thursday"))
    say("the first one")
    reply = say("rather at 11", ("set", {"slot": "at 11"}))
    assert "Thursday, March 5 at 11:00 AM with Dr. April May" in reply.text


def test_a_slip_of_the_pen_in_a_name_is_forgiven(say, chen):
    reply = say(
        "exam with okafer tuesday at 9", book(visit_type="exam", provider="okafer", slot="tuesday at 9")
    )
    assert "with Dr. Maya Okafor" in reply.text


def test_with_another_provider_the_wish_for_the_time_stands(say, chen):
    say("exam tuesday at 9 with okafor", book(visit_type="exam", provider="okafor", slot="tuesday at 9"))
    reply = say("rather dr chen", ("set", {"provider": "dr chen"}))
    assert reply.text.startswith(
        "Book Comprehensive eye exam on Tuesday, March 3 at 9:00 AM with Dr. Li Chen"
    )


def test_nobody_of_that_name_is_answered_with_who_there_is(say, chen):
    reply = say("exam with dr house", book(visit_type="exam", provider="dr house"))
    assert reply.text == "I do not know that name. Whom would you like to see?"
    assert labels(reply) == ["Dr. Li Chen", "Dr. Maya Okafor"]


def test_who_has_no_time_then_does_not_leave_the_patient_without_any(say, chen):
    reply = say("exam wednesday with chen", book(visit_type="exam", provider="chen", slot="wednesday"))
    assert reply.text.startswith("Dr. Li Chen does not see patients then (Wednesday, March 4).")
    assert all("Dr. Li Chen" in label for label in labels(reply)[:3])


def test_when_nothing_at_all_is_free_the_phone_is_given(say, okafor):
    okafor.weekly_hours.all().delete()
    reply = say("exam tomorrow", book(visit_type="exam", slot="tomorrow"))
    assert "I find no free time for this. Please call us at (212) 555-0100." in reply.text


def test_words_that_name_no_time_are_asked_again_with_times_that_exist(say):
    reply = say("exam after the fog lifts", book(visit_type="exam", slot="the fog lifts"))
    assert len(reply.choices) == 3


def test_the_only_visit_is_the_one_to_move(say, anas_exam):
    reply = say(
        "move my appointment to thursday at 10", ("reschedule_appointment", {"slot": "thursday at 10"})
    )
    assert reply.text == (
        "Move your visit from Tuesday, March 3 at 9:00 AM to Thursday, March 5 at 10:00 AM"
        " with Dr. Maya Okafor, Main Street?"
    )
    reply = say("yes")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "moved"
    assert reply.effects[0]["action"] == "appointment.moved"
    assert reply.effects[0]["id"] == str(anas_exam.moved_to.pk)


def test_a_visit_moves_in_relation_to_where_it_is(say, anas_exam):
    reply = say("same time next week", ("reschedule_appointment", {"slot": "same time next week"}))
    assert all("at 9:00 AM" in label for label in labels(reply)) or "9:00 AM" in reply.text


def test_a_new_hour_alone_moves_a_visit_within_its_day(say, anas_exam):
    reply = say("make it 3pm", ("reschedule_appointment", {"slot": "3pm"}))
    assert "to Tuesday, March 3 at 3:00 PM with" in reply.text


def test_a_visit_stays_with_its_provider_unless_told_otherwise(say, anas_exam, chen, okafor):
    ScheduleException.objects.create(kind="closed", date="2026-03-10", provider=okafor)
    reply = say("move it to next tuesday", ("reschedule_appointment", {"slot": "next tuesday"}))
    assert reply.text.startswith("Dr. Maya Okafor is away on Tuesday, March 10.")
    reply = say("with anyone", ("set", {"provider": "anyone"}))
    assert reply.text.startswith("These times are free: Tuesday, March 10.")
    assert all("Tue, Mar 10" in label and "Chen" in label for label in labels(reply))


def test_of_several_visits_the_one_described_is_meant(say, anas_exam, ana, fitting, slot_at):
    slot = diary.slot_from_key(fitting, slot_at(12, 14).key)
    other = diary.book(patient=ana, visit_type=fitting, slot=slot, channel="web")
    reply = say("cancel the fitting", ("cancel_appointment", {"appointment": "the fitting"}))
    assert "Thursday, March 12 at 2:00 PM" in reply.text
    say("yes")
    other.refresh_from_db()
    anas_exam.refresh_from_db()
    assert (other.state, anas_exam.state) == ("cancelled", "booked")


def test_of_several_visits_the_patient_is_asked_which(say, anas_exam, ana, exam, slot_at):
    diary.book(patient=ana, visit_type=exam, slot=slot_at(12, 14), channel="web")
    reply = say("cancel my exam", ("cancel_appointment", {"appointment": "my exam"}))
    assert labels(reply) == [
        "Tue, Mar 3 at 9:00 AM with Dr. Maya Okafor",
        "Thu, Mar 12 at 2:00 PM with Dr. Maya Okafor",
    ]


def test_the_next_one_is_the_first_to_come(say, anas_exam, ana, exam, slot_at):
    diary.book(patient=ana, visit_type=exam, slot=slot_at(12, 14), channel="web")
    reply = say("cancel my next appointment", ("cancel_appointment", {"appointment": "my next appointment"}))
    assert "Tuesday, March 3 at 9:00 AM" in reply.text


def test_a_description_that_fits_nothing_cancels_nothing(say, anas_exam):
    reply = say("cancel friday", ("cancel_appointment", {"appointment": "friday"}))
    assert reply.text == "I see no such visit. Which of these do you mean?"
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_a_no_cancels_nothing(say, anas_exam):
    reply = say("cancel it", "cancel_appointment")
    assert reply.text == "Cancel your visit on Tuesday, March 3 at 9:00 AM with Dr. Maya Okafor, Main Street?"
    say("no")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_shortly_before_the_visit_the_chat_says_to_call(say, anas_exam):
    with clock.frozen_at(anas_exam.starts_at - timedelta(hours=1)):
        reply = say("cancel it", "cancel_appointment")
    assert "too late to change" in reply.text
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_without_a_visit_there_is_nothing_to_cancel(say):
    assert say("cancel it", "cancel_appointment").text.startswith("You have no visit coming up.")


def test_another_patients_visit_is_never_meant(say, ben, exam, slot_at):
    diary.book(patient=ben, visit_type=exam, slot=slot_at(4, 9), channel="web")
    reply = say("cancel wednesday", ("cancel_appointment", {"appointment": "wednesday"}))
    assert reply.text.startswith("You have no visit coming up.")
    assert Appointment.objects.get().state == "booked"


def test_the_visits_to_come_are_listed(say, anas_exam):
    reply = say("when is my appointment", "list_appointments")
    assert reply.text.startswith(
        "Your next visit:\nComprehensive eye exam on Tuesday, March 3 at 9:00 AM with Dr. Maya Okafor"
    )


def test_who_has_no_visit_is_offered_one(say):
    assert say("when is my appointment", "list_appointments").text.startswith("You have no visit coming up.")
    assert labels(say("yes"))


@pytest.fixture
def text(anas_exam, ana, model):
    """Text the practice as Ana, who was reminded of her exam just now."""
    Message.objects.create(
        reason="reminder:1",
        kind="appointment_reminder",
        patient=ana,
        to=str(ana.phone),
        body="See you",
        subject_id=str(anas_exam.pk),
        state=Message.State.SENT,
        claimed_at=MONDAY - timedelta(hours=1),
    )
    talk = services.begin(channel="sms", phone=str(ana.phone))
    return lambda words: services.say(talk, words)


def test_a_1_confirms_the_visit(text, anas_exam):
    reply = text("1")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "confirmed"
    assert anas_exam.events.last().channel == "sms"
    assert reply.text.startswith("Thank you, you are confirmed. See you Tuesday, March 3 at 9:00 AM")


def test_a_2_cancels_only_after_a_yes(text, anas_exam):
    assert "Cancel your visit on Tuesday, March 3 at 9:00 AM" in text("2").text
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"
    text("yes")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "cancelled"


def test_a_3_offers_other_times(text, anas_exam):
    reply = text("3")
    assert len(labels(reply)) == 3
    text("2")
    text("yes")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "moved"


def test_a_reply_about_a_visit_that_was_cancelled_changes_nothing(text, anas_exam):
    diary.cancel(appointment=anas_exam, channel="web")
    assert "no longer in our diary" in text("1").text
    anas_exam.refresh_from_db()
    assert anas_exam.state == "cancelled"


def test_a_closed_day_is_not_offered(say, okafor):
    ScheduleException.objects.create(kind="closed", date="2026-03-03", reason="Holiday")
    reply = say("exam tuesday", book(visit_type="exam", slot="tuesday"))
    assert reply.text.startswith("We are closed on Tuesday, March 3: Holiday.")
    assert all("Mar 3" not in label for label in labels(reply))


def test_another_office_is_looked_at_with_the_same_wish(say, okafor):
    riverside = factories.LocationFactory(name="Riverside", address="9 Quay")
    factories.WeeklyHoursFactory(provider=okafor, location=riverside, weekday=5)
    say(
        "exam thursday at 3 on main street",
        book(visit_type="exam", slot="thursday at 3", location="main street"),
    )
    reply = say("or riverside", ("set", {"location": "riverside"}))
    assert reply.text.startswith("Nothing is free then (Thursday, March 5, at 3:00 PM).")
    assert labels(reply)[0] == "Sat, Mar 7 at 3:00 PM with Dr. Maya Okafor"


def test_another_time_after_a_booking_moves_it_on_its_own_day(say):
    say("an exam tuesday at 3", book(visit_type="exam", slot="tuesday at 3"))
    say("yes")
    reply = say("make it 4 instead", ("set", {"slot": "4"}))
    assert reply.text == (
        "Move your visit from Tuesday, March 3 at 3:00 PM to Tuesday, March 3 at 4:00 PM "
        "with Dr. Maya Okafor, Main Street?"
    )


def test_the_week_after_is_counted_from_the_visit_that_moves(say, ana, exam, slot_at):
    diary.book(patient=ana, visit_type=exam, slot=slot_at(10, 9), channel="desk")
    reply = say("move it to the week after", ("reschedule_appointment", {"slot": "the week after"}))
    assert [label[:11] for label in labels(reply)] == ["Mon, Mar 16", "Tue, Mar 17", "Wed, Mar 18"]


def test_later_is_meant_against_what_was_read_back(say):
    say("an exam tuesday at 3", book(visit_type="exam", slot="tuesday at 3"))
    reply = say("no a bit later", "no")
    assert labels(reply)[0] == "Tue, Mar 3 at 3:30 PM with Dr. Maya Okafor"


def test_a_text_message_says_when_a_visit_is_and_never_what_for(ana, exam, tuesday_nine):
    booked = diary.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="desk")
    context = ToolContext("sms", None, "key", "", clock.now(), "patients")
    assert list_appointments(booked.patient, context=context).text == (
        "Your next visit:\nTuesday, March 3 at 9:00 AM with Dr. Maya Okafor, Main Street"
    )


def test_nothing_stays_open_about_a_visit_that_has_been_cancelled(say, anas_exam):
    reply = say("move it to the afternoon", ("reschedule_appointment", {"slot": "the afternoon"}))
    assert reply.choices
    say("no, cancel it", "cancel_appointment")
    reply = say("yes")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "cancelled"
    assert "back to where we were" not in reply.text
    assert reply.choices == []


def test_the_week_after_is_the_one_after_the_visit(say, anas_exam):
    reply = say(
        "can we make it the week after instead, in the afternoon?",
        ("reschedule_appointment", {"appointment": "the week after", "slot": "in the afternoon"}),
    )
    assert all("Mar 9" in label or "Mar 1" in label for label in labels(reply))
    assert all("PM" in label for label in labels(reply))
    assert labels(reply)
