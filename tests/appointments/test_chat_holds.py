"""A time that is read back is held: nobody takes it while the patient thinks, and no yes is a lie."""

from datetime import timedelta

import pytest

from appointments import services as diary
from appointments.models import (
    Appointment,
    DiarySettings,
    ScheduleException,
    UrgentBlock,
    WaitlistEntry,
)
from chatbot import backends, prompt, services
from chatbot.commands import Command
from eyecare import clock
from tests import factories
from tests.factories import MONDAY

pytestmark = pytest.mark.usefixtures("monday")

WAS_TAKEN = "Sorry, that time has just been taken."


@pytest.fixture
def model(settings):
    settings.ASSISTANT_ENGINE = "model"
    settings.LLM_BACKEND = "chatbot.backends.memory.ScriptedBackend"
    scripted = backends.chat_backend()
    scripted.answers.clear()
    yield scripted
    scripted.answers.clear()


def speaker(model, talk):
    def say(text, *commands):
        if commands:
            listed = [Command(entry) if isinstance(entry, str) else Command(*entry) for entry in commands]
            model.answers.append(prompt.answer(listed))
        reply = services.say(talk, text)
        assert not model.answers, "the model was not asked"
        return reply

    return say


@pytest.fixture
def talk(ana):
    return services.begin(channel="web", patient=ana, account=ana.account)


@pytest.fixture
def say(model, talk, exam):
    """Say something on the portal as Ana; what the model makes of it is given as (name, arguments)."""
    return speaker(model, talk)


@pytest.fixture
def text(model, ana, exam):
    """Text the practice as Ana."""
    return speaker(model, services.begin(channel="sms", phone=str(ana.phone)))


def ask_for_tuesday_at_three(say):
    return say("an exam tuesday at 3", ("book_appointment", {"visit_type": "exam", "slot": "tuesday at 3"}))


def labels(reply):
    return [choice["label"] for choice in reply.choices]


def state_of_hold():
    return Appointment.objects.get().state


def test_nobody_else_gets_the_time_that_is_read_back(say, ana, ben, exam, slot_at):
    ask_for_tuesday_at_three(say)
    hold = Appointment.objects.get()
    assert (hold.patient, hold.state, hold.held_until) == (ana, "held", MONDAY + timedelta(minutes=10))
    with pytest.raises(diary.SlotTaken):
        diary.book(patient=ben, visit_type=exam, slot=slot_at(3, 15), channel="web")
    say("yes")
    assert Appointment.objects.visits().get().patient == ana


def test_by_text_the_hold_lasts_an_hour_and_the_patient_reads_so(text):
    reply = ask_for_tuesday_at_three(text)
    assert reply.text == (
        "I hold this time for you until 10:00 AM.\n"
        "Book Comprehensive eye exam on Tuesday, March 3 at 3:00 PM with Dr. Maya Okafor, Main Street?"
    )
    assert Appointment.objects.get().held_until == MONDAY + timedelta(minutes=60)


def test_the_practice_says_how_long_a_time_is_held(text):
    DiarySettings.objects.update_or_create(only=True, defaults={"sms_hold_minutes": 90})
    assert ask_for_tuesday_at_three(text).text.startswith("I hold this time for you until 10:30 AM.")


def test_a_yes_after_the_hold_ran_out_books_what_is_still_free(text, ana):
    ask_for_tuesday_at_three(text)
    with clock.frozen_at(MONDAY + timedelta(hours=3)):
        diary.sweep_holds()
        assert text("yes").effects[0]["action"] == "appointment.booked"
    assert Appointment.objects.visits().get().patient == ana


def test_a_yes_after_somebody_else_came_first_says_so_at_once_and_offers_the_nearest(
    text, ben, exam, slot_at
):
    ask_for_tuesday_at_three(text)
    with clock.frozen_at(MONDAY + timedelta(hours=3)):
        bens = diary.book(patient=ben, visit_type=exam, slot=slot_at(3, 15), channel="web")
        reply = text("yes")
        assert reply.text.startswith(WAS_TAKEN)
        assert labels(reply)[:2] == [
            "Tue, Mar 3 at 2:30 PM with Dr. Maya Okafor",
            "Tue, Mar 3 at 3:30 PM with Dr. Maya Okafor",
        ]
        assert not reply.effects
        assert Appointment.objects.visits().get() == bens
        text("2")
        text("yes")
    assert f"{diary.slot_of(Appointment.objects.visits().exclude(pk=bens.pk).get()):%H:%M}" == "15:30"


def test_a_time_that_went_while_the_choices_were_read_is_not_read_back(say, ben, exam, slot_at):
    say("exam tuesday", ("book_appointment", {"visit_type": "exam", "slot": "tuesday"}))
    diary.book(patient=ben, visit_type=exam, slot=slot_at(3, 9), channel="web")
    reply = say("the first one")
    assert reply.text == WAS_TAKEN
    assert labels(reply)[0] == "Tue, Mar 3 at 9:30 AM with Dr. Maya Okafor"


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("no", ()), ("never mind", ("stop",)), ("i splashed bleach in my eye", ()),
        ("let me talk to a real person", ("handoff",)), ("bye", ()),
    ],
)  # fmt: skip
def test_a_time_that_is_not_wanted_any_more_is_given_back_at_once(say, answer, meant):
    ask_for_tuesday_at_three(say)
    say(answer, *meant)
    assert state_of_hold() == "released"


def test_another_time_is_held_instead(say):
    ask_for_tuesday_at_three(say)
    say("rather at 4", ("set", {"slot": "at 4"}))
    held = Appointment.objects.held().get()
    assert f"{diary.slot_of(held):%H:%M}" == "16:00"


def test_the_time_that_was_held_does_not_hide_its_neighbours_from_its_own_patient(say, exam):
    exam.minutes = 60
    exam.save()
    ask_for_tuesday_at_three(say)
    reply = say("3:30 rather", ("set", {"slot": "3:30"}))
    assert reply.text.startswith("Book Comprehensive eye exam on Tuesday, March 3 at 3:30 PM")


def test_a_question_in_between_leaves_the_time_held(say):
    ask_for_tuesday_at_three(say)
    say("can i drive afterwards?", ("ask_practice", {"question": "can i drive afterwards?"}))
    assert state_of_hold() == "held"


def test_somebody_who_asks_for_a_moment_keeps_the_time(text):
    question = ask_for_tuesday_at_three(text).text.splitlines()[-1]
    reply = text("hold on, let me check with my husband")
    assert reply.text == f"Take your time.\n{question}"
    assert state_of_hold() == "held"
    assert text("yes").effects


def test_a_visit_moves_within_its_own_time_and_the_new_time_is_held(say, anas_exam, exam):
    exam.minutes = 60
    exam.save()
    Appointment.objects.filter(pk=anas_exam.pk).update(
        ends_at=anas_exam.starts_at + timedelta(minutes=60),
        busy_until=anas_exam.starts_at + timedelta(minutes=60),
    )
    reply = say("make it 9:30", ("reschedule_appointment", {"slot": "9:30"}))
    assert "to Tuesday, March 3 at 9:30 AM with" in reply.text
    assert Appointment.objects.held().get().lineage == anas_exam.lineage
    assert say("yes").effects[0]["action"] == "appointment.moved"


def test_a_hold_is_no_visit_to_come(say, text):
    ask_for_tuesday_at_three(text)
    reply = text("when is my appointment", "list_appointments")
    assert "You have no visit coming up." in reply.text


def test_what_a_conversation_held_is_given_back_when_it_is_closed(text, ana):
    ask_for_tuesday_at_three(text)
    services.end_text_conversation(str(ana.phone))
    assert state_of_hold() == "released"


# Why not, and what then


def test_a_holiday_is_named(say):
    ScheduleException.objects.create(kind="closed", date="2026-03-03", reason="Founders' Day")
    reply = ask_for_tuesday_at_three(say)
    assert reply.text.startswith("We are closed on Tuesday, March 3: Founders' Day.")
    assert len(labels(reply)) == 3  # and no waitlist: nothing comes free on that day


def test_somebody_who_is_away_is_said_to_be_away(say, okafor):
    ScheduleException.objects.create(kind="closed", date="2026-03-03", provider=okafor, reason="ill")
    reply = ask_for_tuesday_at_three(say)
    assert reply.text.startswith("Dr. Maya Okafor is away on Tuesday, March 3.")
    assert "ill" not in reply.text.split()


def test_time_that_is_kept_for_urgent_visits_is_said_to_be(say, okafor, main_street):
    UrgentBlock.objects.create(
        provider=okafor, location=main_street, weekday=1, starts_at="15:00", ends_at="16:00"
    )
    assert ask_for_tuesday_at_three(say).text.startswith("That time is kept for urgent visits.")


def test_the_patients_own_other_visit_is_named_as_the_reason(say, ana, exam, slot_at):
    diary.book(patient=ana, visit_type=exam, slot=slot_at(3, 15), channel="web")
    reply = ask_for_tuesday_at_three(say)
    assert reply.text.startswith("You already have an appointment at that time.")


def test_a_time_at_which_nobody_works_is_said_to_be_that(say):
    reply = say("exam tuesday at 8pm", ("book_appointment", {"visit_type": "exam", "slot": "tuesday at 8pm"}))
    assert reply.text.startswith("We see nobody for this on Tuesday, March 3 at 8:00 PM.")


def test_who_has_enough_visits_to_come_is_told_before_any_time_is_asked_for(say, anas_exam):
    DiarySettings.objects.update_or_create(only=True, defaults={"most_open_visits": 1})
    reply = say("i need an exam", ("book_appointment", {"visit_type": "exam"}))
    assert reply.text.endswith(
        "To book another one, please call us at (212) 555-0100. Shall I ask a colleague to answer you here?"
    )
    assert say("yes").handoff
    assert say("ok thanks").text


def test_who_missed_visits_books_with_a_person(say, ana, exam, okafor, main_street):
    for day in (10, 20, 25):
        factories.AppointmentFactory(
            patient=ana, visit_type=exam, provider=okafor, location=main_street, state="no_show",
            starts_at=MONDAY - timedelta(days=day),
        )  # fmt: skip
    reply = say("i need an exam", ("book_appointment", {"visit_type": "exam"}))
    assert reply.text.startswith("We would like to book your next visit with you by phone: (212) 555-0100.")
    assert labels(reply) == ["Yes", "No"]
    assert say("no").text == "All right."


def test_a_visit_for_new_patients_is_not_offered_to_who_has_been_here(say, ana, exam, okafor, main_street):
    factories.VisitTypeFactory(
        name="First visit", slug="first", also_called=[], intended_for="new", providers=[okafor]
    )
    followup = factories.VisitTypeFactory(
        name="Follow-up", slug="follow-up", also_called=[], intended_for="known", providers=[okafor]
    )
    reply = say("i need an appointment", "book_appointment")
    assert labels(reply) == ["Comprehensive eye exam", "First visit"]
    reply = say("follow-up", ("set", {"visit_type": "follow-up"}))
    assert reply.text.startswith("This visit is for patients who have been here before.")
    assert str(followup) not in labels(reply)


def test_too_late_to_cancel_ends_with_the_phone_and_a_person(say, anas_exam):
    with clock.frozen_at(anas_exam.starts_at - timedelta(hours=1)):
        reply = say("cancel it", "cancel_appointment")
        assert reply.text == (
            "It is too late to change that appointment online. Please call us at (212) 555-0100. "
            "Shall I ask a colleague to answer you here?"
        )
        assert labels(reply) == ["Yes", "No"]
        assert say("no").text == "All right."
        assert labels(say("cancel it", "cancel_appointment")) == ["Yes", "No"]
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_of_two_visits_the_one_that_is_too_near_cannot_be_cancelled_and_the_other_can(
    say, anas_exam, ana, exam, slot_at
):
    other = diary.book(patient=ana, visit_type=exam, slot=slot_at(12, 14), channel="web")
    with clock.frozen_at(anas_exam.starts_at - timedelta(hours=1)):
        say("cancel my exam", ("cancel_appointment", {"appointment": "my exam"}))
        assert "too late" in say("1").text
        assert say("no").text == "All right."
        say("cancel my exam", ("cancel_appointment", {"appointment": "my exam"}))
        say("the second")
        say("yes")
    other.refresh_from_db()
    assert other.state == "cancelled"


def test_where_nothing_suits_the_waitlist_is_offered_and_knows_what_was_said(say, ana, ben, exam, slot_at):
    diary.book(patient=ben, visit_type=exam, slot=slot_at(3, 15), channel="web")
    assert labels(ask_for_tuesday_at_three(say))[-1] == "Put me on the waitlist"
    reply = say("put me on the waitlist")
    assert reply.text.startswith("Put you on the waitlist for Comprehensive eye exam:")
    assert reply.text.endswith("between 3:00 PM and 3:30 PM, on Tuesday, March 3?")
    assert say("yes").effects[0]["action"] == "waitlist.joined"
    wish = WaitlistEntry.objects.get()
    assert (wish.patient, wish.visit_type, str(wish.first_day)) == (ana, exam, "2026-03-03")


def test_a_visit_that_cannot_move_as_wished_may_wait_for_an_earlier_time(say, anas_exam, ben, exam, slot_at):
    diary.book(patient=ben, visit_type=exam, slot=slot_at(2, 15), channel="web")
    reply = say("make it today at 3", ("reschedule_appointment", {"slot": "today at 3"}))
    assert reply.text.startswith("Monday, March 2 at 3:00 PM with Dr. Maya Okafor is taken.")
    reply = say("4")
    assert reply.text.startswith("Write to you when a time before Tuesday, March 3 at 9:00 AM comes free")
    say("yes")
    assert WaitlistEntry.objects.get().moving == anas_exam


def test_without_any_free_time_at_all_the_phone_and_the_waitlist_are_named(say, okafor):
    okafor.weekly_hours.all().delete()
    reply = say("i need an exam", ("book_appointment", {"visit_type": "exam"}))
    assert reply.text.startswith("I find no free time for this. Please call us at (212) 555-0100.")
    assert labels(reply) == ["Put me on the waitlist"]


def test_a_far_day_is_answered_with_times_around_it(say):
    ScheduleException.objects.create(kind="closed", date="2026-07-06", reason="Inventory")
    reply = say("exam on july 6", ("book_appointment", {"visit_type": "exam", "slot": "july 6"}))
    assert reply.text.startswith("We are closed on Monday, July 6: Inventory.")
    assert all(label.split(", ")[1].startswith("Jul ") for label in labels(reply)[:3])


def test_a_day_after_the_diarys_end_is_answered_with_its_end(say):
    reply = say("exam on december 3", ("book_appointment", {"visit_type": "exam", "slot": "december 3"}))
    assert reply.text.startswith("Our diary is open until August 29.")
    assert labels(reply)[0].startswith("Fri, Aug 28")


def test_by_text_a_visit_that_the_patient_did_not_name_is_not_named_either(text, exam):
    reply = text("appointment tuesday at 3", ("book_appointment", {"slot": "tuesday at 3"}))
    assert "Book this visit on Tuesday, March 3 at 3:00 PM" in reply.text
