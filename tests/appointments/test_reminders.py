"""Reminders: planned with the visit, gone with it, looked at again before they leave."""

from datetime import datetime, timedelta

import pytest

from appointments import services
from appointments.models import Reminder, ReminderRule
from appointments.tasks import sweep_reminders
from eyecare import clock
from messaging import checks
from messaging.backends import memory
from messaging.models import Message
from tests import factories
from tests.factories import ZONE

pytestmark = pytest.mark.usefixtures("monday")


@pytest.fixture
def day_before(db):
    return ReminderRule.objects.create(lead=24)


@pytest.fixture
def thursdays(day_before, ana, exam, slot_at):
    """Ana's exam on Thursday at nine; she is reminded on Wednesday at nine."""
    factories.ConsentFactory(patient=ana)
    return services.book(patient=ana, visit_type=exam, slot=slot_at(5, 9), channel="sms")


def wednesday(hour=9, minute=0):
    return datetime(2026, 3, 4, hour, minute, tzinfo=ZONE)


def waiting():
    return [reminder.due_at for reminder in Reminder.objects.filter(state="waiting")]


def test_every_rule_that_fits_gives_one_reminder(thursdays, ana, exam, slot_at):
    ReminderRule.objects.create(lead=48, visit_type=exam)
    ReminderRule.objects.create(lead=72, is_active=False)
    ReminderRule.objects.create(lead=2, visit_type=factories.VisitTypeFactory(slug="other", name="Other"))
    booked = services.book(patient=ana, visit_type=exam, slot=slot_at(6, 9), channel="web")
    assert [reminder.due_at for reminder in booked.reminders.all()] == [
        wednesday(),
        wednesday() + timedelta(days=1),
    ]


def test_a_reminder_whose_time_has_passed_is_not_planned(day_before, anas_exam, ana, exam, slot_at):
    assert waiting() == []  # Tuesday at nine was booked on Monday at nine


def test_a_day_before_is_the_same_hour_when_the_clocks_change(
    day_before, ana, exam, okafor, slot_at, main_street
):
    factories.WeeklyHoursFactory(provider=okafor, location=main_street, weekday=6)
    services.book(patient=ana, visit_type=exam, slot=slot_at(8, 9), channel="web")
    assert waiting() == [datetime(2026, 3, 7, 9, tzinfo=ZONE)]


def test_a_reminder_waits_until_it_is_due(thursdays):
    with clock.frozen_at(wednesday(8, 59)):
        assert sweep_reminders() == 0
    with clock.frozen_at(wednesday()):
        assert sweep_reminders() == 1
    message = Message.objects.get()
    assert (message.kind, message.subject_id) == ("appointment_reminder", str(thursdays.pk))
    assert Reminder.objects.get().message == message


def test_a_reminder_is_queued_once_however_often_the_sweep_runs(thursdays):
    with clock.frozen_at(wednesday()):
        assert [sweep_reminders(), sweep_reminders()] == [1, 0]
    assert Message.objects.count() == 1


def test_no_reminder_after_a_cancel(thursdays):
    services.cancel(appointment=thursdays, channel="sms")
    with clock.frozen_at(wednesday()):
        assert sweep_reminders() == 0
    assert Reminder.objects.get().state == "dropped"
    assert not Message.objects.exists()


def test_a_move_takes_the_reminder_along(thursdays, slot_at):
    services.reschedule(appointment=thursdays, slot=slot_at(12, 14), channel="sms")
    assert waiting() == [datetime(2026, 3, 11, 14, tzinfo=ZONE)]
    with clock.frozen_at(wednesday()):
        assert sweep_reminders() == 0


@pytest.mark.django_db(transaction=True)
def test_a_reminder_leaves_for_the_patients_phone(thursdays):
    memory.outbox.clear()
    with clock.frozen_at(wednesday()):
        sweep_reminders()
    (text,) = memory.outbox
    assert text.to == str(thursdays.patient.phone)
    assert "Thu, Mar 5 at 9:00 AM" in text.body


@pytest.mark.parametrize("change", ["cancel", "reschedule", "check_in"])
def test_a_queued_reminder_is_not_sent_once_the_visit_has_changed(thursdays, slot_at, change):
    with clock.frozen_at(wednesday()):
        sweep_reminders()
        message = Message.objects.get()
        assert checks.objection(message) == ""
        if change == "cancel":
            services.cancel(appointment=thursdays, channel="sms")
        elif change == "reschedule":
            services.reschedule(appointment=thursdays, slot=slot_at(12, 14), channel="sms")
        else:
            services.check_in(appointment=thursdays)
        assert checks.objection(message) != ""


def test_a_reminder_that_was_held_back_too_long_is_not_sent(thursdays):
    with clock.frozen_at(wednesday()):
        sweep_reminders()
    with clock.frozen_at(thursdays.starts_at):
        assert checks.objection(Message.objects.get()) == "the visit has begun"


def test_a_reminder_found_after_the_visit_began_is_dropped(thursdays):
    with clock.frozen_at(thursdays.starts_at + timedelta(minutes=1)):
        assert sweep_reminders() == 0
    assert Reminder.objects.get().state == "dropped"


def test_a_patient_without_a_phone_is_not_reminded_by_text(thursdays, ana):
    ana.phone = ""
    ana.save()
    with clock.frozen_at(wednesday()):
        assert sweep_reminders() == 0
    assert Reminder.objects.get().state == "dropped"


def test_a_confirmation_is_not_sent_for_a_visit_that_was_cancelled(anas_exam, ana):
    factories.ConsentFactory(patient=ana)
    confirmation = Message.objects.get(kind="appointment_booked")
    assert checks.objection(confirmation) == ""
    services.cancel(appointment=anas_exam, channel="web")
    assert checks.objection(confirmation) == "the appointment is no longer to come"
    assert Message.objects.filter(kind="appointment_cancelled").count() == 1
