"""Recalls: derived from visits, asked with pauses and an end, silent while a visit is to come."""

from datetime import date, datetime, time, timedelta

import pytest

from appointments import recalls, services, tasks
from appointments.models import (
    Appointment,
    Recall,
    RecallAttempt,
    RecallInterval,
    RecallRule,
    RecallRun,
    ScheduleException,
)
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from messaging import checks
from messaging import services as messaging
from messaging.models import Message, OptOut
from patients import services as patients
from patients.models import Consent, Patient
from practice.models import OpeningHours
from tests import factories
from tests.factories import MONDAY, ZONE
from tests.threads import at_once

pytestmark = pytest.mark.usefixtures("monday")

TODAY = date(2026, 3, 2)


@pytest.fixture
def rule(exam):
    """Everybody a year after an exam; asked three weeks before, three times, three weeks apart."""
    return a_rule(exam)


def a_rule(visit_type, slug="yearly", months=12, **more):
    made = RecallRule.objects.create(name=slug, slug=slug, books=visit_type, months=months, **more)
    made.after.set([visit_type])
    return made


@pytest.fixture
def ana(ana):
    factories.ConsentFactory(patient=ana)
    return ana


def seen(patient, visit_type, day, at=time(9), **more):
    """Write a visit that took place, and let the recalls follow."""
    starts_at = datetime.combine(day, at, ZONE)
    visit = factories.AppointmentFactory(
        patient=patient,
        visit_type=visit_type,
        provider=visit_type.providers.first(),
        starts_at=starts_at,
        state=Appointment.State.DONE,
        **more,
    )
    recalls.visit_completed(visit)
    return visit


@pytest.fixture
def due(rule, ana, exam):
    """Ana's recall: her exam was on March 2, 2025, so that she is due today."""
    seen(ana, exam, date(2025, 3, 2))
    return Recall.objects.get()


def booked(patient, visit_type, starts_at):
    return factories.AppointmentFactory(
        patient=patient, visit_type=visit_type, provider=visit_type.providers.first(), starts_at=starts_at
    )


def on(day, hour=9):
    return clock.frozen_at(datetime.combine(day, time(hour), ZONE))


def texts():
    return list(Message.objects.filter(kind__in=["recall_due", "recall_again"]).order_by("created_at"))


# What follows from a visit


def test_a_completed_visit_starts_the_recall(rule, ana, exam, okafor, main_street):
    visit = booked(ana, exam, MONDAY)
    services.start_exam(appointment=visit)
    services.complete(appointment=visit)
    recall = Recall.objects.get()
    assert (recall.patient, recall.rule, recall.last_visit) == (ana, rule, visit)
    assert (recall.due_on, recall.next_attempt_on) == (date(2027, 3, 2), date(2027, 2, 9))


def test_the_day_of_a_visit_is_the_practices_not_greenwichs(rule, ana, exam):
    seen(ana, exam, date(2025, 5, 5), at=time(20, 30))  # May 6 in Greenwich
    assert Recall.objects.get().due_on == date(2026, 5, 5)


def test_the_age_on_the_day_of_the_visit_sets_the_interval(rule, ana, exam):
    RecallInterval.objects.create(rule=rule, from_age=45, months=6)
    seen(ana, exam, date(2025, 5, 16))  # she turns 45 on the day after
    assert Recall.objects.get().due_on == date(2026, 5, 16)
    seen(ana, exam, date(2025, 5, 17))
    assert Recall.objects.get().due_on == date(2025, 11, 17)


def test_a_new_visit_begins_a_new_cycle(due, ana, exam):
    assert recalls.ask_due() == 1
    recalls.snooze(recall=due, until=date(2026, 5, 1))
    with on(date(2026, 3, 20)):
        visit = seen(ana, exam, date(2026, 3, 20))
    due.refresh_from_db()
    assert (due.last_visit, due.due_on, due.state) == (visit, date(2027, 3, 20), "waiting")
    assert (due.attempts, due.snoozed_until, due.next_attempt_on) == (0, None, date(2027, 2, 27))


def test_an_older_visit_that_is_completed_late_changes_nothing(due, ana, exam):
    newest = due.last_visit
    seen(ana, exam, date(2024, 7, 1))
    due.refresh_from_db()
    assert (due.last_visit, due.due_on) == (newest, TODAY)


def test_another_kind_of_visit_starts_no_recall(rule, ana, okafor):
    seen(ana, factories.VisitTypeFactory(slug="fit", name="Fitting", providers=[okafor]), date(2025, 3, 2))
    assert not Recall.objects.exists()


def test_a_visit_that_did_not_take_place_counts_for_nothing(rule, ana, exam):
    for state in ("no_show", "cancelled", "booked"):
        row = factories.AppointmentFactory(
            patient=ana, visit_type=exam, state=state, starts_at=MONDAY - timedelta(days=400)
        )
        recalls.visit_completed(row)
    recalls.refresh()
    assert not Recall.objects.exists()


def test_a_rule_for_some_leaves_everybody_else_alone(exam, ana, ben):
    diabetic = a_rule(exam, is_for_everyone=False)
    recalls.put_on(patient=ana, rule=diabetic)
    for patient in (ana, ben):
        seen(patient, exam, date(2025, 6, 1))
    assert [(one.patient, one.due_on) for one in Recall.objects.all()] == [(ana, date(2026, 6, 1))]


def test_declined_stays_declined_after_the_next_visit(due, ana, exam):
    recalls.decline(recall=due)
    seen(ana, exam, date(2025, 4, 1))
    due.refresh_from_db()
    assert (due.state, due.next_attempt_on, due.due_on) == ("declined", None, date(2026, 4, 1))
    recalls.put_back(recall=due)
    assert (due.state, due.next_attempt_on) == ("waiting", date(2026, 3, 11))


# What the front desk decides


def test_somebody_put_on_without_a_visit_is_due_at_once(exam, ana):
    recall = recalls.put_on(patient=ana, rule=a_rule(exam, is_for_everyone=False))
    assert (recall.due_on, recall.next_attempt_on) == (TODAY, date(2026, 2, 9))
    with on(date(2026, 3, 9)):
        recalls.refresh()
        recalls.work_through()
    recall.refresh_from_db()
    assert recall.due_on == TODAY


def test_a_visit_elsewhere_and_an_own_interval_count(rule, ana):
    recall = recalls.put_on(patient=ana, rule=rule, last_seen_on=date(2025, 12, 31), months=6)
    assert recall.due_on == date(2026, 6, 30)
    recalls.change(recall=recall, last_seen_on=date(2026, 1, 31), months=1, note="Pressure")
    assert (recall.due_on, recall.note) == (date(2026, 2, 28), "Pressure")


def test_the_later_of_the_visits_here_and_elsewhere_counts(due):
    recalls.change(recall=due, last_seen_on=date(2025, 1, 1), months=None, note="")
    assert due.due_on == TODAY
    recalls.change(recall=due, last_seen_on=date(2025, 4, 1), months=None, note="")
    assert due.due_on == date(2026, 4, 1)


@pytest.mark.parametrize("terms", [{"last_seen_on": date(2026, 3, 3)}, {"months": 0}, {"months": 241}])
def test_what_cannot_be_is_refused_and_nothing_is_written(rule, ana, terms):
    with pytest.raises(Invalid):
        recalls.put_on(patient=ana, rule=rule, **terms)
    assert not Recall.objects.exists()


def test_who_was_taken_off_stays_off_until_put_on_again(due, rule, ana, exam):
    recalls.take_off(recall=due)
    seen(ana, exam, date(2025, 3, 3))
    recalls.refresh()
    recalls.work_through()
    due.refresh_from_db()
    assert (due.state, due.next_attempt_on) == ("off", None)
    assert recalls.ask_due() == 0
    assert recalls.put_on(patient=ana, rule=rule).state == "waiting"


def test_a_snooze_moves_the_next_attempt(due):
    recalls.snooze(recall=due, until=date(2026, 4, 10))
    assert due.next_attempt_on == date(2026, 4, 10)
    assert recalls.ask_due() == 0
    with on(date(2026, 4, 10)):
        assert recalls.ask_due() == 1


@pytest.mark.parametrize("until", [TODAY, date(2026, 3, 1), date(2033, 1, 1), date(9999, 12, 31)])
def test_a_snooze_needs_a_day_to_come(due, until):
    with pytest.raises(Invalid):
        recalls.snooze(recall=due, until=until)


def test_what_was_declined_cannot_be_snoozed(due):
    recalls.decline(recall=due)
    with pytest.raises(Invalid, match="does not want it"):
        recalls.snooze(recall=due, until=date(2026, 4, 1))


@pytest.mark.parametrize("wanted", ["", "x", "-1", "1.5", "²", "9" * 30, None])
def test_a_recall_that_cannot_be_is_not_found(ana, due, wanted):
    with pytest.raises(NotFound):
        recalls.get_for(ana, wanted)


def test_anothers_recall_looks_missing(ana, ben, due):
    assert recalls.get_for(ana, due.pk) == due
    with pytest.raises(NotFound):
        recalls.get_for(ben, due.pk)


# How patients are asked


def test_who_is_due_is_asked_by_text_and_the_text_names_no_kind(due, ana, exam, rule):
    assert tasks.ask_due_recalls() == 1
    (message,) = texts()
    assert (message.kind, message.channel, message.to) == ("recall_due", "sms", str(ana.phone))
    assert f"/appointments/again/{due.pk}/" in message.body
    for told in (exam.name, exam.slug, rule.name, "exam", "eye test", "diabet"):
        assert told not in message.body.removeprefix("Harbor Eye Care")
    attempt = due.history.get()
    assert (attempt.number, attempt.due_on, attempt.message, attempt.outcome) == (1, TODAY, message, "")


def test_attempts_are_spaced_and_come_to_an_end(due):
    asked = []
    for day in range(120):
        with on(TODAY + timedelta(days=day)):
            asked += [TODAY + timedelta(days=day)] * tasks.ask_due_recalls()
    assert asked == [date(2026, 3, 2), date(2026, 3, 23), date(2026, 4, 13)]
    assert [message.kind for message in texts()] == ["recall_due", "recall_again", "recall_again"]
    due.refresh_from_db()
    assert (due.state, due.attempts, due.next_attempt_on) == ("exhausted", 3, None)
    assert sorted(due.history.values_list("number", flat=True)) == [1, 2, 3]


def test_a_sweep_that_runs_twice_asks_once(due):
    assert [recalls.ask_due(), recalls.ask_due()] == [1, 0]
    assert len(texts()) == RecallAttempt.objects.count() == 1


def test_who_was_asked_often_enough_and_says_later_is_asked_once_more(due, rule):
    rule.most_attempts = 1
    rule.save()
    recalls.ask_due()
    due.refresh_from_db()
    assert due.state == "exhausted"
    recalls.snooze(recall=due, until=date(2026, 4, 1))
    assert (due.state, due.next_attempt_on) == ("waiting", date(2026, 4, 1))
    with on(date(2026, 4, 1)):
        assert [recalls.ask_due(), recalls.ask_due()] == [1, 0]
    due.refresh_from_db()
    assert due.state == "exhausted"


def test_a_reset_recall_is_asked_again_after_its_pause(due):
    recalls.ask_due()
    recalls.put_back(recall=due)
    assert (due.attempts, due.next_attempt_on) == (0, date(2026, 3, 23))
    with on(date(2026, 3, 23)):
        assert recalls.ask_due() == 1
    assert sorted(due.history.values_list("number", flat=True)) == [1, 2]


def test_nobody_is_asked_before_the_time(rule, ana, exam):
    seen(ana, exam, date(2025, 3, 24))
    assert recalls.ask_due() == 0
    with on(date(2026, 3, 3)):
        assert recalls.ask_due() == 1


def test_a_visit_to_come_silences_and_its_cancel_ends_the_silence(
    due, ana, exam, okafor, main_street, slot_at
):
    visit = services.book(patient=ana, visit_type=exam, slot=slot_at(12, 9), channel="web")
    assert recalls.ask_due() == 0
    services.cancel(appointment=visit, channel="staff")
    assert recalls.ask_due() == 1


def test_whoever_sits_in_the_waiting_room_is_not_asked(due, ana, exam):
    visit = booked(ana, exam, MONDAY - timedelta(hours=1))
    assert recalls.ask_due() == 0
    Appointment.objects.filter(pk=visit.pk).update(state="no_show")
    assert recalls.ask_due() == 1


def test_a_visit_that_nobody_closed_does_not_silence_for_ever(due, ana, exam):
    booked(ana, exam, MONDAY - timedelta(days=1))
    assert recalls.ask_due() == 1


def test_two_recalls_that_are_due_give_one_text(due, ana, exam):
    second = recalls.put_on(patient=ana, rule=a_rule(exam, "second", pause_days=10))
    assert recalls.ask_due() == 1
    second.refresh_from_db()
    due.refresh_from_db()
    waiting = second if due.attempts else due
    assert waiting.attempts == 0
    with on(waiting.next_attempt_on - timedelta(days=1)):
        assert recalls.ask_due() == 0
    with on(waiting.next_attempt_on):
        assert recalls.ask_due() == 1
    assert len(texts()) == 2


def test_a_refresh_does_not_bring_the_second_text_forward(due, ana, exam):
    second = recalls.put_on(patient=ana, rule=a_rule(exam, "second"))
    recalls.ask_due()
    recalls.refresh()
    recalls.work_through()
    assert recalls.ask_due() == 0
    second.refresh_from_db()
    assert date(2026, 3, 23) in (second.next_attempt_on, Recall.objects.get(pk=due.pk).next_attempt_on)


def test_no_more_than_the_days_number_is_asked_and_the_latest_first(rule, exam):
    rule.most_a_day = 2
    rule.save()
    for year in (2010, 2024, 2025, 2018):
        patient = factories.PatientFactory(first_name=str(year))
        factories.ConsentFactory(patient=patient)
        seen(patient, exam, date(year, 3, 1))
    assert [tasks.ask_due_recalls(), tasks.ask_due_recalls()] == [2, 0]
    with on(date(2026, 3, 3)):
        assert tasks.ask_due_recalls() == 2
    names = [message.patient.first_name for message in texts()]
    assert [set(names[:2]), set(names[2:])] == [{"2025", "2024"}, {"2018", "2010"}]


def test_nobody_is_asked_when_no_office_opens(due, main_street):
    with on(date(2026, 3, 7)):  # a Saturday
        assert recalls.ask_due() == 0
    OpeningHours.objects.create(location=main_street, weekday=5, opens_at=time(9), closes_at=time(13))
    ScheduleException.objects.create(kind="closed", date=date(2026, 3, 14), last_date=date(2026, 3, 20))
    with on(date(2026, 3, 14)):
        assert recalls.ask_due() == 0
    with on(date(2026, 3, 6)):  # now it opens on Saturdays only
        assert recalls.ask_due() == 0
    with on(date(2026, 3, 7)):
        assert recalls.ask_due() == 1


def test_one_doctors_leave_does_not_stop_the_recalls(due, okafor):
    ScheduleException.objects.create(kind="closed", date=TODAY, provider=okafor)
    assert recalls.ask_due() == 1


def test_a_closed_record_and_a_rule_that_is_off_are_silent(due, rule, ana):
    Patient.objects.filter(pk=ana.pk).update(is_active=False)
    assert recalls.ask_due() == 0
    Patient.objects.filter(pk=ana.pk).update(is_active=True)
    RecallRule.objects.update(is_active=False)
    assert recalls.ask_due() == 0


def test_who_may_not_be_texted_gets_an_e_mail_without_digits_to_reply(due, ana):
    OptOut.objects.create(phone=ana.phone, word="STOP")
    factories.ConsentFactory(patient=ana, kind=Consent.Kind.EMAIL)
    assert recalls.ask_due() == 1
    (message,) = texts()
    assert (message.channel, message.to) == ("email", ana.email)
    assert "Reply 1" not in message.body
    assert f"/appointments/again/{due.pk}/" in message.body


def test_who_cannot_be_reached_is_on_record_for_a_call(due, ana):
    messaging.opt_out(str(ana.phone), word="STOP")
    assert recalls.ask_due() == 1
    assert texts() == []
    attempt = due.history.get()
    assert attempt.message is None
    assert "opted out" in attempt.outcome
    assert "e-mail" in attempt.outcome
    due.refresh_from_db()
    assert (due.attempts, due.next_attempt_on) == (1, date(2026, 3, 23))


def test_a_childs_recall_goes_to_the_guarantors_phone(rule, exam, ana):
    mia = factories.PatientFactory(
        first_name="Mia", date_of_birth=date(2018, 1, 1), phone="", email="", guarantor=ana, account=None
    )
    patients.grant_proxy(patient=mia, proxy=ana, relation="parent")
    factories.ConsentFactory(patient=mia)
    seen(mia, exam, date(2025, 3, 2))
    assert recalls.ask_due() == 1
    (message,) = texts()
    assert (message.patient, message.to) == (mia, str(ana.phone))
    assert "Mia" in message.body


def test_the_front_desk_asks_now_whatever_the_pause_but_not_twice_a_day(due):
    recalls.ask_due()
    with pytest.raises(recalls.NotAsked, match="was asked today"):
        recalls.ask(recall=due)
    with on(date(2026, 3, 4)):
        assert recalls.ask(recall=due).number == 2
    due.refresh_from_db()
    assert (due.attempts, due.next_attempt_on) == (2, date(2026, 3, 25))


def test_asking_now_ends_a_snooze_or_the_text_would_be_held_back(due):
    recalls.snooze(recall=due, until=date(2026, 6, 1))
    message = recalls.ask(recall=due).message
    assert checks.objection(message) == ""
    due.refresh_from_db()
    assert (due.snoozed_until, due.next_attempt_on) == (None, date(2026, 3, 23))


@pytest.mark.parametrize("change", ["decline", "take_off"])
def test_the_front_desk_is_told_why_somebody_is_not_asked(due, change):
    getattr(recalls, change)(recall=due)
    with pytest.raises(recalls.NotAsked, match=due.get_state_display()):
        recalls.ask(recall=due)
    assert not RecallAttempt.objects.exists()


def test_one_recall_that_fails_does_not_keep_the_others_back(due, exam, ben, caplog):
    factories.ConsentFactory(patient=ben)
    seen(ben, exam, date(2025, 3, 1))
    RecallAttempt.objects.create(recall=due, due_on=TODAY, number=2)  # the count would give it again
    with on(date(2026, 3, 23)):
        recalls.put_back(recall=due)
        assert recalls.ask_due() == 1
    assert [message.patient for message in texts()] == [ben]
    assert "could not be asked" in caplog.text
    due.refresh_from_db()
    assert (due.attempts, due.state) == (0, "waiting")


# A last look before a message leaves


def test_a_text_is_not_sent_once_a_visit_is_booked(due, ana, exam):
    recalls.ask_due()
    (message,) = texts()
    assert checks.objection(message) == ""
    booked(ana, exam, MONDAY + timedelta(days=3))
    assert checks.objection(message) == "a visit is booked"


def test_a_text_is_not_sent_after_a_no_a_later_or_a_visit(due, ana, exam):
    recalls.ask_due()
    (message,) = texts()
    recalls.snooze(recall=due, until=date(2026, 4, 1))
    assert checks.objection(message) == "the patient is to be asked later"
    recalls.decline(recall=due)
    assert checks.objection(message) == "the recall is marked: does not want it"
    recalls.put_back(recall=due)
    assert checks.objection(message) == ""
    seen(ana, exam, TODAY, at=time(8))
    assert checks.objection(message) == "it is not due any more"


# Everybody at once


def test_a_rule_is_worked_through_in_the_background(rule, exam):
    for _ in range(3):
        factories.AppointmentFactory(visit_type=exam, state="done", starts_at=MONDAY - timedelta(days=365))
    recalls.refresh(rule)
    run = RecallRun.objects.get()
    assert (run.worked, run.in_all, run.finished_at) == (0, 3, None)
    assert tasks.work_through_recalls() == 3
    run.refresh_from_db()
    assert (run.worked, run.finished_at) == (3, MONDAY)
    assert list(Recall.objects.values_list("due_on", flat=True)) == [TODAY] * 3
    assert tasks.work_through_recalls() == 0


def test_work_goes_on_where_it_stopped(rule, exam, monkeypatch):
    monkeypatch.setattr("appointments.recalls.deriving.BATCH", 2)
    for _ in range(5):
        factories.AppointmentFactory(visit_type=exam, state="done", starts_at=MONDAY - timedelta(days=365))
    recalls.refresh(rule)
    assert [recalls.work_through(batches=1) for _ in range(4)] == [2, 2, 1, 0]
    assert Recall.objects.count() == 5


def test_a_rule_that_changes_meanwhile_is_worked_through_from_the_start(rule, exam, monkeypatch):
    monkeypatch.setattr("appointments.recalls.deriving.BATCH", 2)
    for _ in range(4):
        factories.AppointmentFactory(visit_type=exam, state="done", starts_at=MONDAY - timedelta(days=365))
    recalls.refresh(rule)
    recalls.work_through(batches=1)
    RecallRule.objects.update(months=24)
    recalls.refresh(rule)
    recalls.work_through()
    assert set(Recall.objects.values_list("due_on", flat=True)) == {date(2027, 3, 2)}
    assert RecallRun.objects.get().worked == 4


def test_a_longer_interval_takes_back_the_attempts_and_a_higher_maximum_adds_some(due, rule):
    rule.most_attempts = 1
    rule.save()
    recalls.ask_due()
    RecallRule.objects.update(most_attempts=2)
    recalls.refresh(rule)
    recalls.work_through()
    due.refresh_from_db()
    assert (due.state, due.attempts, due.next_attempt_on) == ("waiting", 1, date(2026, 3, 23))
    RecallRule.objects.update(months=24)
    recalls.refresh(rule)
    recalls.work_through()
    due.refresh_from_db()
    assert (due.due_on, due.attempts, due.next_attempt_on) == (date(2027, 3, 2), 0, date(2027, 2, 9))


def test_a_rule_that_is_no_longer_for_everyone_keeps_those_put_on(due, rule, ben):
    put_on = recalls.put_on(patient=ben, rule=rule, last_seen_on=date(2025, 3, 2))
    RecallRule.objects.update(is_for_everyone=False)
    recalls.refresh(rule)
    recalls.work_through()
    due.refresh_from_db()
    put_on.refresh_from_db()
    assert (due.due_on, due.next_attempt_on) == (None, None)
    assert (put_on.due_on, put_on.next_attempt_on) == (TODAY, date(2026, 2, 9))
    RecallRule.objects.update(is_for_everyone=True)
    recalls.refresh(rule)
    recalls.work_through()
    due.refresh_from_db()
    assert due.due_on == TODAY


def test_a_refresh_writes_only_what_has_changed(due):
    from practice.models import AuditEvent

    recalls.refresh()
    recalls.work_through()
    before = AuditEvent.objects.filter(table="appointments_recall").count()
    recalls.refresh()
    recalls.work_through()
    assert AuditEvent.objects.filter(table="appointments_recall").count() == before


@pytest.fixture
def ten_thousand(rule, exam, okafor, main_street):
    """Ten thousand patients, each with one exam on one of the 365 days before today."""
    people = Patient.objects.bulk_create(
        Patient(number=f"T{n}", first_name="T", last_name=str(n), date_of_birth=date(1980, 1, 1))
        for n in range(10_000)
    )
    day = timedelta(days=1)
    starts = [MONDAY - (n % 365 + 1) * day + timedelta(minutes=n // 365) for n in range(10_000)]
    half = timedelta(seconds=30)
    Appointment.objects.bulk_create(
        Appointment(
            patient=patient,
            visit_type=exam,
            provider=okafor,
            location=main_street,
            starts_at=at,
            ends_at=at + half,
            busy_from=at,
            busy_until=at + half,
            state="done",
        )
        for patient, at in zip(people, starts, strict=True)
    )
    return people


def test_ten_thousand_patients_take_a_bounded_number_of_queries(
    ten_thousand, rule, django_assert_max_num_queries
):
    recalls.refresh(rule)
    with django_assert_max_num_queries(400) as first:
        assert recalls.work_through() == 10_000
    assert Recall.objects.count() == 10_000
    with django_assert_max_num_queries(len(first)):
        recalls.refresh(rule)
        recalls.work_through()
    RecallRule.objects.update(months=6)
    with django_assert_max_num_queries(500):
        recalls.refresh(rule)
        recalls.work_through()
    assert Recall.objects.filter(due_on__lt=TODAY).exists()


# Two workers at once


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_workers_ask_a_patient_with_two_recalls_once(due, ana, exam):
    recalls.put_on(patient=ana, rule=a_rule(exam, "second"))
    outcomes = at_once([recalls.ask_due] * 3, now=MONDAY)
    assert sorted(outcomes) == [0, 0, 1]
    assert len(texts()) == RecallAttempt.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_refresh_beside_the_asking_loses_no_attempt(rule, exam, monkeypatch):
    monkeypatch.setattr("appointments.recalls.deriving.BATCH", 5)
    for _ in range(40):
        patient = factories.PatientFactory()
        factories.ConsentFactory(patient=patient)
        seen(patient, exam, date(2025, 3, 2))
    RecallRule.objects.update(months=11)
    outcomes = at_once([recalls.ask_due, recalls.refresh] * 2, now=MONDAY)
    assert outcomes[0] + outcomes[2] == 40
    assert outcomes[1] is outcomes[3] is None  # the tasks that they nudge have run at once
    assert set(Recall.objects.values_list("attempts", "due_on")) == {(1, date(2026, 2, 2))}


# The rules to begin with


def test_the_usual_rules_are_set_up_once(exam, okafor):
    fitting = factories.VisitTypeFactory(slug="contact-lens-fitting", name="Fitting", providers=[okafor])
    assert [rule.slug for rule in recalls.load_defaults()] == ["routine-exam", "contact-lenses"]
    assert recalls.load_defaults() == []
    routine = RecallRule.objects.get(slug="routine-exam")
    bands = [(0, routine.months), *routine.intervals.values_list("from_age", "months")]
    assert bands == [(0, 60), (40, 36), (55, 24), (65, 12)]
    lenses = RecallRule.objects.get(slug="contact-lenses")
    assert (lenses.months, lenses.books, lenses.after.get()) == (12, fitting, fitting)


def test_a_rule_that_the_practice_changed_is_left_alone(exam):
    recalls.load_defaults()
    RecallRule.objects.update(months=18)
    recalls.load_defaults()
    assert RecallRule.objects.get().months == 18


def test_the_diabetic_recall_is_only_for_those_who_are_put_on_it(exam, okafor, ana):
    diabetic = factories.VisitTypeFactory(slug="diabetic-exam", name="Diabetic", providers=[okafor])
    recalls.load_defaults()
    seen(ana, diabetic, date(2025, 3, 2))
    assert [recall.rule.slug for recall in Recall.objects.all()] == ["routine-exam"]
