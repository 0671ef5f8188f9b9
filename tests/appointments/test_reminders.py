"""Reminders: planned with the visit, gone with it, looked at again before they leave."""

from datetime import UTC, datetime, time, timedelta
from smtplib import SMTPRecipientsRefused

import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from appointments import reminders, services
from appointments.models import Appointment, Reminder, ReminderRule
from appointments.tasks import sweep_reminders
from eyecare import clock
from messaging import checks
from messaging import services as messaging
from messaging import tasks as outbox
from messaging.backends import memory
from messaging.backends.base import DeliveryFailed, FateUnknown
from messaging.models import Message, OptOut, Template
from patients import services as patients
from tests import factories
from tests.factories import MONDAY, ZONE
from tests.messaging.conftest import Provider
from tests.threads import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday")]


@pytest.fixture
def day_before(db):
    return ReminderRule.objects.create(lead=24)


@pytest.fixture
def thursdays(day_before, ana, exam, slot_at):
    """Ana's exam on Thursday at nine; she is reminded on Wednesday at nine."""
    factories.ConsentFactory(patient=ana)
    return services.book(patient=ana, visit_type=exam, slot=slot_at(5, 9), channel="sms")


@pytest.fixture
def carrier(settings):
    """A carrier that fails as it is told to."""
    settings.MESSAGING_BACKEND = "tests.messaging.conftest.Provider"
    Provider.fails, Provider.sent = [], []
    return Provider


def wednesday(hour=9, minute=0):
    return datetime(2026, 3, 4, hour, minute, tzinfo=ZONE)


def waiting():
    return [reminder.due_at for reminder in Reminder.objects.filter(state="waiting")]


def only_reminder():
    return Reminder.objects.select_related("message").get()


def sweep(at=None):
    """Let every worker have its turn: reminders into the outbox, messages out of it."""
    with clock.frozen_at(at or clock.now()):
        queued = sweep_reminders()
        outbox.sweep()
    return queued


# When.


def rule(lead, unit="hours", at=None):
    return ReminderRule(lead=lead, unit=unit, at_time=at)


@pytest.mark.parametrize(
    ("asked", "visit", "due"),
    [
        (rule(24), (2026, 3, 5, 9), (2026, 3, 4, 9)),
        (rule(2), (2026, 3, 5, 9), (2026, 3, 5, 7)),
        (rule(2, "days"), (2026, 3, 5, 14, 30), (2026, 3, 3, 14, 30)),
        (rule(2, "days", time(17)), (2026, 3, 5, 9), (2026, 3, 3, 17)),
        (rule(0, "days", time(7, 30)), (2026, 3, 5, 9), (2026, 3, 5, 7, 30)),
        (rule(1, "days"), (2027, 1, 1, 9), (2026, 12, 31, 9)),
        # the clocks go forward on March 8, where half past two does not exist, and back on November 1
        (rule(1, "days"), (2026, 3, 8, 9), (2026, 3, 7, 9)),
        (rule(24), (2026, 3, 8, 9), (2026, 3, 7, 9)),
        (rule(1, "days", time(2, 30)), (2026, 3, 9, 9), (2026, 3, 8, 3, 30)),
        (rule(24), (2026, 11, 1, 9), (2026, 10, 31, 9)),
        (rule(2, "days", time(17)), (2026, 11, 2, 9), (2026, 10, 31, 17)),
    ],
)
def test_a_rule_counts_on_the_practices_wall_clock(asked, visit, due):
    moment = reminders.due_at(asked, datetime(*visit, tzinfo=ZONE), ZONE)
    assert moment.astimezone(UTC) == datetime(*due, tzinfo=ZONE).astimezone(UTC)


any_rules = st.lists(
    st.builds(
        lambda lead, unit, at_time, visit_type_id: ReminderRule(
            lead=lead,
            unit=unit,
            at_time=at_time if unit == "days" else None,
            visit_type_id=visit_type_id,
        ),
        st.integers(0, 400),
        st.sampled_from(ReminderRule.Unit.values),
        st.none() | st.times(),
        st.sampled_from([None, 1, 2]),
    ),
    max_size=12,
)


@with_settings(deadline=None)
@example(  # half past two does not exist on March 8: it comes after a quarter past three
    rules=[
        ReminderRule(lead=0, unit="days", at_time=time(2, 30)),
        ReminderRule(lead=5, unit="hours", at_time=None),
        ReminderRule(lead=0, unit="days", at_time=time(3, 15), visit_type_id=1),
    ],
    minutes=6 * 24 * 60 - 30,
)
@given(rules=any_rules, minutes=st.integers(0, 2 * 365 * 24 * 60))
def test_whatever_the_rules_no_two_reminders_meet_and_none_is_late(rules, minutes):
    visit = Appointment(visit_type_id=1, starts_at=MONDAY.astimezone(UTC) + timedelta(minutes=minutes))
    with clock.frozen_at(MONDAY):
        planned = reminders._wanted(visit, rules, ZONE)
    moments = [row.due_at.astimezone(UTC) for row in planned]
    assert moments == sorted(set(moments))
    assert all(MONDAY < moment < visit.starts_at for moment in moments)
    assert all(row.rule.visit_type_id in (None, 1) for row in planned)
    leads = [(row.rule.lead, row.rule.unit) for row in planned]
    assert len(leads) == len(set(leads))


def test_every_rule_that_fits_gives_one_reminder(thursdays, ana, exam, slot_at):
    ReminderRule.objects.create(lead=48, visit_type=exam)
    ReminderRule.objects.create(lead=72, is_active=False)
    ReminderRule.objects.create(lead=2, visit_type=factories.VisitTypeFactory(slug="other", name="Other"))
    booked = services.book(patient=ana, visit_type=exam, slot=slot_at(6, 9), channel="web")
    assert [reminder.due_at for reminder in booked.reminders.all()] == [
        wednesday(),
        wednesday() + timedelta(days=1),
    ]


def test_a_rule_of_the_visits_own_type_replaces_the_one_for_all(day_before, ana, exam, slot_at):
    own = ReminderRule.objects.create(lead=24, visit_type=exam, channels="email")
    booked = services.book(patient=ana, visit_type=exam, slot=slot_at(6, 9), channel="web")
    assert [reminder.rule for reminder in booked.reminders.all()] == [own]


@pytest.mark.parametrize("one_is_special", [True, False])
def test_two_rules_that_meet_at_one_moment_remind_once(day_before, ana, exam, slot_at, one_is_special):
    other = ReminderRule.objects.create(lead=1, unit="days", visit_type=exam if one_is_special else None)
    booked = services.book(patient=ana, visit_type=exam, slot=slot_at(6, 9), channel="web")
    assert booked.reminders.count() == 1
    assert (booked.reminders.get().rule == other) or not one_is_special


def test_a_visit_that_is_booked_late_gets_no_late_reminder(day_before, anas_exam):
    assert not Reminder.objects.exists()  # Tuesday at nine was booked on Monday at nine


def test_a_reminder_after_the_visit_is_never_planned(ana, exam, slot_at):
    ReminderRule.objects.create(lead=0, unit="days", at_time=time(18))
    ReminderRule.objects.create(lead=0)
    booked = services.book(patient=ana, visit_type=exam, slot=slot_at(6, 9), channel="web")
    assert not booked.reminders.exists()


@pytest.mark.parametrize("state", ["held", "released"])
def test_nobody_is_reminded_of_a_time_that_was_only_held(day_before, ana, exam, okafor, main_street, state):
    held = factories.AppointmentFactory(
        patient=ana,
        visit_type=exam,
        provider=okafor,
        location=main_street,
        starts_at=MONDAY + timedelta(days=3),
        state=state,
        held_until=MONDAY + timedelta(minutes=10),
    )
    reminders.plan(held)
    reminders.plan_again()
    assert not Reminder.objects.exists()


def test_a_held_time_that_becomes_a_visit_is_reminded_of(day_before, ana, exam, slot_at):
    services.hold(patient=ana, visit_type=exam, slot=slot_at(5, 9), channel="web")
    assert waiting() == []
    services.book(patient=ana, visit_type=exam, slot=slot_at(5, 9), channel="web")
    assert waiting() == [wednesday()]


# Rules that change.


def test_visits_that_are_booked_follow_a_changed_rule(day_before, thursdays):
    day_before.lead, day_before.unit, day_before.at_time = 1, "days", time(17)
    day_before.save()
    reminders.plan_again()
    assert waiting() == [wednesday(17)]


def test_a_rule_that_is_switched_off_reminds_nobody_any_more(thursdays):
    ReminderRule.objects.update(is_active=False)
    reminders.plan_again()
    assert sweep(wednesday()) == 0
    assert not Message.objects.exists()


def test_a_new_rule_does_not_say_again_what_was_said(thursdays):
    sweep(wednesday())
    with clock.frozen_at(wednesday()):
        ReminderRule.objects.create(lead=2)
        reminders.plan_again()
        reminders.plan_again()
    assert [reminder.state for reminder in Reminder.objects.all()] == ["queued", "waiting"]
    assert Message.objects.count() == 1


@pytest.mark.parametrize("visits", [1, 40])
def test_following_the_rules_takes_as_many_queries_for_one_visit_as_for_many(
    day_before, ana, exam, okafor, main_street, visits, django_assert_max_num_queries
):
    for day in range(visits):
        factories.AppointmentFactory(
            patient=ana,
            visit_type=exam,
            provider=okafor,
            location=main_street,
            starts_at=MONDAY + timedelta(days=2 + day),
        )
    with django_assert_max_num_queries(10):
        reminders.plan_again()
    assert len(waiting()) == visits


# What becomes of them.


def test_a_reminder_waits_until_it_is_due(thursdays):
    with clock.frozen_at(wednesday(8, 59)):
        assert sweep_reminders() == 0
    with clock.frozen_at(wednesday()):
        assert sweep_reminders() == 1
    message = Message.objects.get()
    assert (message.kind, message.subject_id) == ("appointment_reminder", str(thursdays.pk))
    assert only_reminder().message == message


def test_a_reminder_is_queued_once_however_often_the_sweep_runs(thursdays):
    assert [sweep(wednesday()), sweep(wednesday()), sweep(wednesday(10))] == [1, 0, 0]
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_reminder_leaves_for_the_patients_phone(thursdays):
    memory.outbox.clear()
    with clock.frozen_at(wednesday()):
        sweep_reminders()
    (text,) = memory.outbox
    assert text.to == str(thursdays.patient.phone)
    assert "Thu, Mar 5 at 9:00 AM" in text.body


def test_no_reminder_after_a_cancel(thursdays):
    services.cancel(appointment=thursdays, channel="sms")
    assert sweep(wednesday()) == 0
    reminder = only_reminder()
    assert (reminder.state, reminder.explanation) == ("dropped", "the appointment is cancelled")
    assert not Message.objects.exists()


def test_of_a_hundred_and_fifty_visits_cancelled_at_once_none_is_reminded_of(
    day_before, exam, okafor, main_street, carrier
):
    for number in range(150):
        patient = factories.PatientFactory(account=None)
        factories.ConsentFactory(patient=patient)
        visit = factories.AppointmentFactory(
            patient=patient,
            visit_type=exam,
            provider=okafor,
            location=main_street,
            starts_at=MONDAY.astimezone(UTC) + timedelta(days=3, hours=number),
        )
        reminders.plan(visit)
    assert len(waiting()) == 150
    for visit in Appointment.objects.with_details():
        services.cancel(appointment=visit, channel="staff", reason="The doctor is ill.")
    outbox.sweep()
    sweep(MONDAY + timedelta(days=8))
    assert set(Reminder.objects.values_list("state", flat=True)) == {"dropped"}
    assert not Message.objects.filter(kind="appointment_reminder").exists()


def test_a_reminder_is_rebuilt_after_a_move(thursdays, slot_at):
    moved = services.reschedule(appointment=thursdays, slot=slot_at(12, 14), channel="sms")
    assert waiting() == [datetime(2026, 3, 11, 14, tzinfo=ZONE)]
    old = thursdays.reminders.get()
    assert (old.state, old.explanation) == ("dropped", "the appointment is moved")
    assert sweep(wednesday()) == 0
    assert sweep(datetime(2026, 3, 11, 14, tzinfo=ZONE)) == 1
    assert "Thu, Mar 12 at 2:00 PM" in moved.reminders.get().message.body


def test_a_visit_that_moves_after_its_reminder_is_reminded_of_anew(thursdays, slot_at):
    sweep(wednesday())
    with clock.frozen_at(wednesday(10)):
        services.reschedule(appointment=thursdays, slot=slot_at(12, 14), channel="sms")
    assert sweep(datetime(2026, 3, 11, 14, tzinfo=ZONE)) == 1
    assert len(memory.outbox) == 2


@pytest.mark.parametrize("step", ["check_in", "complete"])
def test_who_is_here_already_is_not_reminded(thursdays, step):
    ReminderRule.objects.create(lead=1)
    reminders.plan_again()
    with clock.frozen_at(datetime(2026, 3, 5, 7, tzinfo=ZONE)):
        services.check_in(appointment=thursdays)
        if step == "complete":
            services.complete(appointment=thursdays)
    assert sweep(datetime(2026, 3, 5, 8, 30, tzinfo=ZONE)) == 0
    assert set(Reminder.objects.values_list("state", flat=True)) == {"dropped"}


def test_a_reminder_that_waits_is_dropped_when_the_visit_was_missed(thursdays):
    with clock.frozen_at(thursdays.starts_at + timedelta(minutes=20)):
        services.mark_no_show(appointment=thursdays)
    assert (only_reminder().state, only_reminder().explanation) == ("dropped", "the patient did not come")


@pytest.mark.parametrize("change", ["cancel", "reschedule", "check_in"])
def test_a_reminder_in_the_outbox_is_not_sent_once_the_visit_has_changed(thursdays, slot_at, change):
    with clock.frozen_at(wednesday()):
        sweep_reminders()
        assert checks.objection(Message.objects.get()) == ""
        if change == "cancel":
            services.cancel(appointment=thursdays, channel="sms")
        elif change == "reschedule":
            services.reschedule(appointment=thursdays, slot=slot_at(12, 14), channel="sms")
        else:
            services.check_in(appointment=thursdays, override_reason="Came a day early.")
    sweep(wednesday(9, 1))
    sweep(wednesday(9, 2))
    said = Message.objects.filter(kind="appointment_reminder", state="sent")
    assert not said.exists()
    reminder = thursdays.reminders.get()
    assert (reminder.state, reminder.message.state) == ("dropped", "dropped")
    assert reminder.explanation.startswith("the appointment is ")


def test_a_reminder_that_was_held_back_too_long_is_not_sent(thursdays):
    with clock.frozen_at(wednesday()):
        sweep_reminders()
    with clock.frozen_at(thursdays.starts_at):
        assert checks.objection(Message.objects.get()) == "the visit has begun"


def test_a_reminder_found_after_the_visit_began_is_dropped(thursdays):
    assert sweep(thursdays.starts_at + timedelta(minutes=1)) == 0
    assert (only_reminder().state, only_reminder().explanation) == ("dropped", "the visit has begun")


def test_a_reminder_that_cannot_be_written_does_not_keep_the_others_back(
    thursdays, ben, exam, slot_at, monkeypatch
):
    services.book(patient=ben, visit_type=exam, slot=slot_at(5, 10), channel="sms")
    factories.ConsentFactory(patient=ben)

    def broken_for_ana(appointment):
        if appointment.patient != ben:
            raise ZeroDivisionError
        return {"provider": "x", "location": "y", "starts_at": appointment.starts_at}

    monkeypatch.setattr(reminders, "details", broken_for_ana)
    assert sweep(wednesday(10)) == 1
    assert Message.objects.get().patient == ben
    assert thursdays.reminders.get().state == "waiting"


def test_the_practices_own_wording_with_a_form_that_fits_no_text_gives_way(thursdays):
    Template.objects.create(kind="appointment_reminder", body="{first_name:d} at {time!r}")
    assert sweep(wednesday()) == 1
    assert "see you Thu, Mar 5" in Message.objects.get().body


# By which channel.


def with_email(patient):
    factories.ConsentFactory(patient=patient, kind="email")


@pytest.mark.parametrize(
    ("channels", "agreed", "went"),
    [
        ("sms,email", ("care_texts", "email"), "sms"),
        ("email,sms", ("care_texts", "email"), "email"),
        ("sms,email", ("email",), "email"),
        ("email,sms", ("care_texts",), "sms"),
        ("sms", ("care_texts", "email"), "sms"),
        ("email", ("care_texts", "email"), "email"),
    ],
)
def test_a_reminder_goes_by_the_first_channel_that_the_patient_agreed_to(
    ana, exam, slot_at, channels, agreed, went
):
    for kind in agreed:
        factories.ConsentFactory(patient=ana, kind=kind)
    ReminderRule.objects.create(lead=24, channels=channels)
    services.book(patient=ana, visit_type=exam, slot=slot_at(5, 9), channel="sms")
    sweep(wednesday())
    assert [(message.channel, message.state) for message in Message.objects.all()] == [(went, "sent")]


@pytest.mark.parametrize("obstacle", ["no phone", "opted out", "no consent"])
def test_who_cannot_be_texted_is_reminded_by_email(thursdays, ana, mailoutbox, obstacle):
    with_email(ana)
    if obstacle == "no phone":
        patients.change_contact(patient=ana, phone="")
    elif obstacle == "opted out":
        messaging.opt_out(str(ana.phone), word="stop")
    else:
        patients.record_consent(patient=ana, kind="care_texts", granted=False, source="portal")
    sweep(wednesday())
    assert [mail.to for mail in mailoutbox] == [[ana.email]]
    assert mailoutbox[0].subject == "Your appointment is coming up"
    assert "Thursday, March 5 at 9:00 AM" in mailoutbox[0].body
    assert "Reply 1" not in mailoutbox[0].body
    assert only_reminder().explanation.startswith("text message: ")


def test_who_can_be_reached_by_nothing_is_not_reminded_and_the_desk_sees_why(thursdays, ana):
    patients.change_contact(patient=ana, phone="", email="")
    assert sweep(wednesday()) == 0
    reminder = only_reminder()
    assert (reminder.state, reminder.explanation) == (
        "dropped",
        "text message: no phone number; e-mail: no e-mail address",
    )


def test_a_failed_text_is_not_counted_as_a_reminder_and_an_email_goes_instead(
    thursdays, ana, carrier, mailoutbox
):
    with_email(ana)
    carrier.fails = [DeliveryFailed("a landline", permanent=True)]
    sweep(wednesday())
    sweep(wednesday(9, 1))
    reminder = only_reminder()
    assert [mail.to for mail in mailoutbox] == [[ana.email]]
    assert (reminder.state, reminder.message.channel) == ("queued", "email")
    assert reminder.explanation == "text message: a landline"
    states = dict(Message.objects.values_list("channel", "state"))
    assert states == {"sms": "failed", "email": "sent"}


def test_a_text_that_is_dropped_as_opted_out_makes_way_for_an_email(thursdays, ana, mailoutbox):
    with_email(ana)
    with clock.frozen_at(wednesday()):
        sweep_reminders()
    OptOut.objects.create(phone=ana.phone, word="stop")
    sweep(wednesday(9, 1))
    sweep(wednesday(9, 2))
    assert [mail.to for mail in mailoutbox] == [[ana.email]]


class NoSuchAddress(BaseEmailBackend):
    """A mail server that knows none of our patients."""

    def send_messages(self, email_messages):
        raise SMTPRecipientsRefused({mail.to[0]: (550, b"no such user") for mail in email_messages})


def test_by_each_channel_a_reminder_goes_once_at_most(thursdays, ana, carrier, settings):
    with_email(ana)
    settings.EMAIL_BACKEND = "tests.appointments.test_reminders.NoSuchAddress"
    carrier.fails = [DeliveryFailed("a landline", permanent=True)]
    for minute in range(10):
        sweep(wednesday(9, minute))
    assert sorted(Message.objects.values_list("channel", "state", "attempts")) == [
        ("email", "failed", 1),
        ("sms", "failed", 1),
    ]
    reminder = only_reminder()
    assert (reminder.state, reminder.explanation) == (
        "failed",
        "text message: a landline; e-mail: the address was refused",
    )


def test_a_reminder_that_arrived_by_no_channel_says_so(thursdays, carrier):
    carrier.fails = [DeliveryFailed("a landline", permanent=True)]
    for minute in range(3):
        sweep(wednesday(9, minute))
    reminder = only_reminder()
    assert (reminder.state, reminder.message.state) == ("failed", "failed")
    assert reminder.explanation == (
        "text message: a landline; e-mail: the patient has not agreed to these messages"
    )


def test_a_failure_that_may_pass_is_not_yet_a_reason_for_the_next_channel(
    thursdays, ana, carrier, mailoutbox
):
    with_email(ana)
    carrier.fails = [DeliveryFailed("out of reach", permanent=False)]
    sweep(wednesday())
    sweep(wednesday(9, 2))
    assert (only_reminder().message.state, mailoutbox) == ("sent", [])


def test_a_text_whose_fate_is_unknown_is_followed_by_nothing(thursdays, ana, carrier, mailoutbox):
    with_email(ana)
    carrier.fails = [FateUnknown()]
    sweep(wednesday())
    sweep(wednesday(12))
    assert (only_reminder().message.state, mailoutbox, len(carrier.sent)) == ("unknown", [], 1)


def test_a_failed_text_that_is_sent_again_after_the_email_is_dropped(thursdays, ana, carrier, mailoutbox):
    with_email(ana)
    carrier.fails = [DeliveryFailed("blocked", permanent=True)]
    sweep(wednesday())
    sweep(wednesday(9, 1))
    text = Message.objects.get(channel="sms")
    messaging.resend(text)
    sweep(wednesday(9, 2))
    text.refresh_from_db()
    assert (text.state, text.explanation) == ("dropped", "another message took its place")
    assert (len(carrier.sent), len(mailoutbox)) == (1, 1)


def test_a_failed_reminder_after_a_cancel_is_not_sent_by_email_either(thursdays, ana, carrier, mailoutbox):
    with_email(ana)
    carrier.fails = [DeliveryFailed("a landline", permanent=True)]
    sweep(wednesday())
    with clock.frozen_at(wednesday(9, 1)):
        services.cancel(appointment=thursdays, channel="sms")
    sweep(wednesday(9, 2))
    assert mailoutbox == []
    assert only_reminder().explanation == "the appointment is cancelled"


def test_a_reminder_that_the_quiet_hours_would_hold_past_the_visit_goes_by_email(
    ana, exam, okafor, main_street, mailoutbox
):
    factories.ConsentFactory(patient=ana)
    with_email(ana)
    ReminderRule.objects.create(lead=2)
    early = factories.AppointmentFactory(
        patient=ana,
        visit_type=exam,
        provider=okafor,
        location=main_street,
        starts_at=datetime(2026, 3, 5, 8, 30, tzinfo=ZONE),
    )
    reminders.plan(early)
    sweep(datetime(2026, 3, 5, 6, 30, tzinfo=ZONE))
    assert [mail.to for mail in mailoutbox] == [[ana.email]]
    assert only_reminder().explanation == "text message: the visit begins before the quiet hours end"


def test_a_child_is_reminded_through_the_guarantors_phone(day_before, ana, exam, slot_at):
    child = factories.PatientFactory(first_name="Leo", phone="", email="", guarantor=ana, account=None)
    factories.ConsentFactory(patient=child)
    services.book(patient=child, visit_type=exam, slot=slot_at(5, 9), channel="sms")
    sweep(wednesday())
    message = Message.objects.get()
    assert (message.to, message.state) == (str(ana.phone), "sent")
    assert "Leo, see you" in message.body


# At the same time.


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_twenty_workers_queue_one_reminder_once(thursdays):
    assert sum(at_once([sweep_reminders] * 20, now=wednesday())) == 1
    assert (Message.objects.count(), only_reminder().state) == (1, "queued")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_twenty_workers_send_one_email_after_a_failed_text(thursdays, ana, carrier):
    with_email(ana)
    carrier.fails = [DeliveryFailed("a landline", permanent=True)]
    with clock.frozen_at(wednesday()):
        sweep_reminders()
    Message.objects.update(state="failed", explanation="a landline")
    assert sum(at_once([sweep_reminders] * 20, now=wednesday())) == 1
    assert sorted(Message.objects.values_list("channel", flat=True)) == ["email", "sms"]


# Texts about changes.


def test_a_confirmation_is_not_sent_for_a_visit_that_was_cancelled(anas_exam, ana):
    factories.ConsentFactory(patient=ana)
    confirmation = Message.objects.get(kind="appointment_booked")
    assert checks.objection(confirmation) == ""
    services.cancel(appointment=anas_exam, channel="web")
    assert checks.objection(confirmation) == "the appointment is no longer to come"
    assert Message.objects.filter(kind="appointment_cancelled").count() == 1


def test_who_cannot_be_texted_learns_of_a_booking_by_email(ana, exam, tuesday_nine, mailoutbox):
    with_email(ana)
    services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="web")
    outbox.sweep()
    assert "you are booked for Tuesday, March 3 at 9:00 AM" in mailoutbox[0].body


# What the desk sees.

CHANGELIST = "/admin/appointments/reminder/"


@pytest.fixture
def desk(client, dana):
    client.force_login(dana)
    return client


def test_the_desk_sees_that_a_text_failed_and_not_that_the_patient_was_reminded(desk, thursdays, carrier):
    carrier.fails = [DeliveryFailed("a landline", permanent=True)]
    sweep(wednesday())
    page = desk.get(CHANGELIST).content.decode()
    assert "text message: failed" in page
    sweep(wednesday(9, 1))
    assert "text message: a landline" in desk.get(CHANGELIST).content.decode()


@pytest.mark.parametrize("fate", ["failed", "unknown", "no address", "sent", "delivered", "queued"])
def test_the_list_of_calls_holds_who_was_not_reached(thursdays, ana, fate):
    if fate == "no address":
        patients.change_contact(patient=ana, phone="", email="")
    with clock.frozen_at(wednesday()):
        sweep_reminders()
        Message.objects.update(state=fate)
        unreached = Reminder.objects.unreached().exists()
    assert unreached == (fate in ("failed", "unknown", "no address"))


def test_who_is_not_expected_any_more_is_not_called(desk, thursdays, carrier):
    carrier.fails = [DeliveryFailed("a landline", permanent=True)]
    sweep(wednesday())
    sweep(wednesday(9, 1))
    with clock.frozen_at(wednesday(9, 2)):
        assert str(thursdays.patient) in desk.get(CHANGELIST, {"reached": "no"}).content.decode()
        services.cancel(appointment=thursdays, channel="sms")
        assert str(thursdays.patient) not in desk.get(CHANGELIST, {"reached": "no"}).content.decode()


def test_the_list_takes_as_many_queries_for_many_reminders_as_for_one(
    desk, day_before, thursdays, exam, slot_at, django_assert_max_num_queries
):
    def measured():
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(CHANGELIST).status_code == 200
        return len(queries)

    one = measured()
    for hour in range(10, 16):
        services.book(
            patient=factories.PatientFactory(), visit_type=exam, slot=slot_at(5, hour), channel="sms"
        )
    assert measured() <= one


def test_a_rule_that_the_manager_saves_is_followed_at_once(desk, day_before, thursdays):
    form = {"lead": 1, "unit": "days", "at_time": "17:00", "channels": "sms,email", "is_active": "on"}
    saved = desk.post(f"/admin/appointments/reminderrule/{day_before.pk}/change/", form)
    assert saved.status_code == 302
    assert waiting() == [wednesday(17)]


def test_a_time_of_day_with_hours_before_is_refused_beside_its_field(desk, day_before):
    form = {"lead": 3, "unit": "hours", "at_time": "17:00", "channels": "sms,email", "is_active": "on"}
    page = desk.post("/admin/appointments/reminderrule/add/", form)
    assert "A time of day goes with days before, not with hours." in page.content.decode()
    assert ReminderRule.objects.count() == 1


@pytest.mark.parametrize(("at_time", "until"), [("21:00", "9:00 AM"), ("08:00", "9:00 AM"), ("17:00", None)])
def test_the_manager_is_told_of_a_time_in_the_quiet_hours(desk, practice, at_time, until):
    form = {"lead": 1, "unit": "days", "at_time": at_time, "channels": "sms", "is_active": "on"}
    page = desk.post("/admin/appointments/reminderrule/add/", form, follow=True).content.decode()
    assert ("texts wait until" in page) == (until is not None)
    assert until is None or f"texts wait until {until}." in page


def test_a_reminders_own_page_names_its_message(desk, thursdays):
    sweep(wednesday())
    page = desk.get(f"{CHANGELIST}{only_reminder().pk}/change/").content.decode()
    assert "appointment reminder by text message: sent" in page
    assert "(&#x27;" not in page
