"""Booking, moving and cancelling through the services."""

from datetime import date, datetime, time, timedelta

import pytest

from appointments import diary, services
from appointments.models import Appointment, AppointmentEvent, ScheduleException
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from messaging.models import Message
from tests import factories
from tests.factories import MONDAY, ZONE

pytestmark = pytest.mark.usefixtures("monday")

TUESDAY = date(2026, 3, 3)


def times(visit_type, day=TUESDAY, **more):
    slots = services.find_slots(visit_type=visit_type, first_day=day, last_day=day, **more)
    return [f"{slot:%H:%M}" for slot in slots]


def test_booking_keeps_who_when_and_through_which_channel(ana, exam, tuesday_nine):
    booked = services.book(
        patient=ana, visit_type=exam, slot=tuesday_nine, channel="web", actor=ana.account, note="New glasses"
    )
    row = Appointment.objects.get()
    assert row == booked
    assert (row.patient, row.provider, row.location) == (ana, tuesday_nine.provider, tuesday_nine.location)
    assert row.starts_at == datetime(2026, 3, 3, 9, tzinfo=ZONE)
    assert row.ends_at == datetime(2026, 3, 3, 9, 30, tzinfo=ZONE)
    assert (row.state, row.channel, row.note) == ("booked", "web", "New glasses")
    event = row.events.get()
    assert (event.from_state, event.to_state) == ("", "booked")
    assert (event.actor, event.channel, event.at) == (ana.account, "web", MONDAY)


def test_a_booked_time_is_no_longer_offered(anas_exam, exam):
    assert times(exam)[:2] == ["09:30", "10:00"]


def test_a_cancelled_time_comes_back(anas_exam, exam):
    services.cancel(appointment=anas_exam, channel="web")
    assert times(exam)[0] == "09:00"


def test_a_moved_time_comes_back(anas_exam, exam, slot_at):
    services.reschedule(appointment=anas_exam, slot=slot_at(3, 15), channel="web")
    assert times(exam)[0] == "09:00"
    assert "15:00" not in times(exam)


def test_an_hour_long_visit_hides_both_of_its_half_hours(ana, exam, okafor, slot_at):
    fitting = factories.VisitTypeFactory(name="Fitting", slug="fitting", minutes=60, providers=[okafor])
    slot = services.slot_from_key(fitting, slot_at(3, 10).key)
    services.book(patient=ana, visit_type=fitting, slot=slot, channel="web")
    assert times(exam)[:4] == ["09:00", "09:30", "11:00", "11:30"]


def test_buffers_keep_the_neighbours_apart(ana, exam, okafor, tuesday_nine):
    exam.buffer_after_minutes = 10
    exam.save()
    services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="web")
    assert times(exam)[0] == "10:00"


def test_leave_and_holidays_close_the_diary(exam, okafor):
    ScheduleException.objects.create(
        kind="closed", date=TUESDAY, provider=okafor, starts_at=time(9), ends_at=time(16)
    )
    assert times(exam) == ["16:00", "16:30"]
    ScheduleException.objects.create(kind="closed", date=TUESDAY, reason="Public holiday")
    assert times(exam) == []


def test_an_extra_clinic_opens_it(exam, okafor, main_street):
    saturday = date(2026, 3, 7)
    ScheduleException.objects.create(
        kind="extra",
        date=saturday,
        provider=okafor,
        location=main_street,
        starts_at=time(9),
        ends_at=time(10),
    )
    assert times(exam, saturday) == ["09:00", "09:30"]


def test_nothing_is_offered_with_less_notice_than_the_visit_needs(exam):
    assert times(exam, MONDAY.date())[0] == "11:00"


def test_nothing_is_offered_beyond_the_horizon(exam):
    exam.horizon_days = 1
    exam.save()
    found = services.find_slots(visit_type=exam, first_day=TUESDAY, last_day=date(2026, 3, 20))
    assert {slot.starts_at for slot in found} == {datetime(2026, 3, 3, 9, tzinfo=ZONE)}


def test_a_patient_is_not_offered_a_time_at_which_they_are_here_already(anas_exam, exam, ana, main_street):
    chen = factories.ProviderFactory(last_name="Chen", locations=[main_street])
    factories.WeeklyHoursFactory(provider=chen, location=main_street, weekday=1)
    exam.providers.add(chen)
    assert "09:00" in times(exam, provider=chen)
    assert "09:00" not in times(exam, provider=chen, patient=ana)


def test_the_search_asks_the_database_the_same_few_questions_whatever_the_range(
    exam, ana, main_street, django_assert_num_queries
):
    for number in range(4):
        provider = factories.ProviderFactory(last_name=f"Chen{number}", locations=[main_street])
        factories.WeeklyHoursFactory(provider=provider, location=main_street, weekday=number)
        factories.AppointmentFactory(provider=provider, visit_type=exam, location=main_street)
        exam.providers.add(provider)
    services.find_slots(visit_type=exam, first_day=TUESDAY, last_day=TUESDAY)  # the time zone is cached now
    for last_day in (TUESDAY, TUESDAY + timedelta(days=90)):
        diary.forget()
        with django_assert_num_queries(9):
            services.find_slots(visit_type=exam, first_day=TUESDAY, last_day=last_day, patient=ana)


def test_a_taken_slot_is_refused_with_the_nearest_others(anas_exam, ben, exam, tuesday_nine):
    with pytest.raises(services.SlotTaken) as refusal:
        services.book(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
    assert [f"{slot:%a %H:%M}" for slot in refusal.value.alternatives] == [
        "Tue 09:30",
        "Tue 10:00",
        "Tue 10:30",
    ]
    assert Appointment.objects.get() == anas_exam


def test_alternatives_are_first_the_same_providers_then_anybodys(
    anas_exam, ben, exam, main_street, tuesday_nine
):
    chen = factories.ProviderFactory(first_name="Li", last_name="Chen", locations=[main_street])
    factories.WeeklyHoursFactory(provider=chen, location=main_street, weekday=1)
    exam.providers.add(chen)
    with pytest.raises(services.SlotTaken) as refusal:
        services.book(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
    offered = [(slot.provider.last_name, f"{slot:%H:%M}") for slot in refusal.value.alternatives]
    assert offered == [("Okafor", "09:30"), ("Okafor", "10:00"), ("Chen", "09:00")]


def test_a_patient_cannot_be_in_two_places_at_once(anas_exam, ana, exam, main_street, tuesday_nine):
    chen = factories.ProviderFactory(last_name="Chen", locations=[main_street])
    factories.WeeklyHoursFactory(provider=chen, location=main_street, weekday=1)
    exam.providers.add(chen)
    slot = next(
        iter(services.find_slots(visit_type=exam, first_day=TUESDAY, last_day=TUESDAY, provider=chen))
    )
    with pytest.raises(services.PatientBusy, match="already have an appointment"):
        services.book(patient=ana, visit_type=exam, slot=slot, channel="web")
    assert Appointment.objects.count() == 1


@pytest.mark.parametrize(
    ("day", "hour", "minute", "refusal"),
    [
        (2, 9, 30, services.TooSoon),
        (1, 9, 0, services.TooSoon),
        (3, 8, 0, services.OutsideHours),
        (3, 16, 45, services.OutsideHours),
        (3, 9, 10, services.OutsideHours),
        (7, 9, 0, services.OutsideHours),
    ],
)
def test_a_time_that_is_not_offered_is_refused_with_others(ana, exam, slot_at, day, hour, minute, refusal):
    with pytest.raises(refusal) as caught:
        services.book(patient=ana, visit_type=exam, slot=slot_at(day, hour, minute), channel="web")
    assert len(caught.value.alternatives) == 3
    assert not Appointment.objects.exists()


def test_a_time_beyond_the_horizon_is_refused(ana, exam, slot_at):
    with pytest.raises(services.TooFarAhead, match="open until August 29"):
        services.book(patient=ana, visit_type=exam, slot=slot_at(1, 9, month=9), channel="web")


def test_a_visit_that_is_not_online_is_for_the_front_desk(ana, dana, exam, tuesday_nine):
    exam.is_online = False
    exam.save()
    with pytest.raises(services.NotBookable, match=r"call us at \(212\) 555-0100"):
        services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="web")
    assert services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="staff", actor=dana)


def test_a_provider_is_booked_only_for_what_they_do(ana, exam, okafor, tuesday_nine):
    exam.providers.clear()
    with pytest.raises(services.NotBookable, match="does not do this kind of visit"):
        services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="web")


def test_the_front_desk_may_leave_the_hours_with_a_reason_that_is_kept(ana, dana, exam, slot_at):
    early = slot_at(3, 8)
    with pytest.raises(services.OutsideHours):
        services.book(patient=ana, visit_type=exam, slot=early, channel="staff", actor=dana)
    booked = services.book(
        patient=ana, visit_type=exam, slot=early, channel="staff", actor=dana, override_reason="Lens broke"
    )
    assert booked.events.get().reason == "Lens broke"


def test_a_reason_given_by_a_patient_overrides_nothing(ana, exam, slot_at):
    with pytest.raises(services.OutsideHours):
        services.book(
            patient=ana, visit_type=exam, slot=slot_at(3, 8), channel="web", override_reason="Please"
        )


def test_no_reason_lets_the_front_desk_take_a_time_twice(anas_exam, ben, dana, exam, tuesday_nine):
    with pytest.raises(services.SlotTaken):
        services.book(
            patient=ben,
            visit_type=exam,
            slot=tuesday_nine,
            channel="staff",
            actor=dana,
            override_reason="VIP",
        )
    assert Appointment.objects.get() == anas_exam


def test_the_same_request_books_once(ana, exam, tuesday_nine):
    first, second = (
        services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="api", idempotency_key="k1")
        for _ in range(2)
    )
    assert first == second
    assert AppointmentEvent.objects.count() == 1


def test_a_request_key_is_not_used_for_something_else(ana, exam, tuesday_nine, slot_at):
    services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="api", idempotency_key="k1")
    with pytest.raises(Invalid):
        services.book(patient=ana, visit_type=exam, slot=slot_at(4, 9), channel="api", idempotency_key="k1")
    assert Appointment.objects.count() == 1


def test_two_patients_may_use_the_same_request_key(ana, ben, exam, tuesday_nine, slot_at):
    services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="api", idempotency_key="k1")
    services.book(patient=ben, visit_type=exam, slot=slot_at(4, 9), channel="api", idempotency_key="k1")
    assert Appointment.objects.count() == 2


def test_moving_ends_the_old_appointment_and_links_the_new_one(anas_exam, slot_at):
    moved = services.reschedule(
        appointment=anas_exam, slot=slot_at(4, 14), channel="sms", reason="Work", idempotency_key="m1"
    )
    anas_exam.refresh_from_db()
    assert anas_exam.state == "moved"
    assert (moved.moved_from, moved.state, moved.starts_at) == (
        anas_exam, "booked", datetime(2026, 3, 4, 14, tzinfo=ZONE)
    )  # fmt: skip
    assert [(event.to_state, event.reason) for event in anas_exam.events.all()] == [
        ("booked", ""), ("moved", "Work")
    ]  # fmt: skip
    assert moved.events.get().channel == "sms"


def test_a_visit_can_shift_within_its_own_time(ana, okafor, anas_exam, exam):
    exam.minutes = 20
    exam.save()
    slot = next(
        slot
        for slot in services.find_slots(
            visit_type=exam, first_day=TUESDAY, last_day=TUESDAY, moving=anas_exam
        )
        if f"{slot:%H:%M}" == "09:15"
    )
    assert services.reschedule(appointment=anas_exam, slot=slot, channel="web").starts_at == slot.starts_at


def test_a_refused_move_changes_nothing(anas_exam, ben, exam, slot_at):
    bens = services.book(patient=ben, visit_type=exam, slot=slot_at(4, 14), channel="web")
    with pytest.raises(services.SlotTaken):
        services.reschedule(appointment=anas_exam, slot=slot_at(4, 14), channel="web")
    assert anas_exam.state == "booked"
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"
    assert anas_exam.events.count() == 1
    assert set(Appointment.objects.all()) == {anas_exam, bens}


def test_an_appointment_is_not_moved_to_where_it_is(anas_exam, tuesday_nine):
    with pytest.raises(Invalid, match="already at that time"):
        services.reschedule(appointment=anas_exam, slot=tuesday_nine, channel="web")


def test_an_appointment_is_moved_only_once(anas_exam, slot_at):
    services.reschedule(appointment=anas_exam, slot=slot_at(4, 14), channel="web")
    with pytest.raises(services.Ended):
        services.reschedule(appointment=anas_exam, slot=slot_at(5, 14), channel="web")
    assert Appointment.objects.active().count() == 1


def test_cancelling_twice_is_cancelling_once(anas_exam):
    for _ in range(2):
        services.cancel(appointment=anas_exam, channel="web", reason="Holiday")
    assert [event.to_state for event in anas_exam.events.all()] == ["booked", "cancelled"]


def test_shortly_before_the_visit_a_patient_has_to_call_to_cancel(anas_exam):
    with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=90)), pytest.raises(services.TooLate):
        services.cancel(appointment=anas_exam, channel="sms")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_shortly_before_the_visit_a_patient_has_to_call_to_move_it(anas_exam, slot_at):
    with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=90)), pytest.raises(services.TooLate):
        services.reschedule(appointment=anas_exam, slot=slot_at(5, 9), channel="sms")
    assert Appointment.objects.get().state == "booked"


def test_the_front_desk_can_cancel_to_the_last_minute(anas_exam, dana):
    with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=5)):
        services.cancel(appointment=anas_exam, channel="staff", actor=dana, reason="Called in sick")
    event = anas_exam.events.last()
    assert (event.from_state, event.to_state, event.actor) == ("booked", "cancelled", dana)
    assert event.reason == "Called in sick"


def test_the_day_of_the_visit_runs_from_confirmed_to_done(anas_exam, dana):
    services.confirm(appointment=anas_exam, channel="sms")
    with clock.frozen_at(anas_exam.starts_at):
        services.check_in(appointment=anas_exam, actor=dana)
        services.start_exam(appointment=anas_exam, actor=dana)
        services.complete(appointment=anas_exam, actor=dana)
    steps = [event.to_state for event in anas_exam.events.all()]
    assert steps == ["booked", "confirmed", "arrived", "in_exam", "done"]


@pytest.mark.parametrize("step", [services.check_in, services.mark_no_show, services.complete])
def test_a_cancelled_visit_takes_no_further_step(anas_exam, step):
    services.cancel(appointment=anas_exam, channel="web")
    with pytest.raises(services.Ended, match="is cancelled"):
        step(appointment=anas_exam)
    anas_exam.refresh_from_db()
    assert anas_exam.state == "cancelled"


@pytest.mark.parametrize("asked", ["somebody else's", "00000000-0000-0000-0000-000000000000", "nonsense"])
def test_another_patients_appointment_looks_missing(anas_exam, ben, asked):
    with pytest.raises(NotFound, match="could not find that appointment"):
        services.get_for(ben, anas_exam.pk if asked == "somebody else's" else asked)


def test_an_appointment_comes_with_its_details_in_one_query(anas_exam, ana, django_assert_num_queries):
    with django_assert_num_queries(1):
        found = services.get_for(ana, str(anas_exam.pk))
        assert f"{found.visit_type}, {found.provider}, {found.location}"


@pytest.mark.parametrize(
    "key",
    ["", "nonsense", "1.1", "1.1.tomorrow", "999.1.20260303T1400", "1.1.99991231T2359", "x.y.20260303T1400"],
)
def test_a_key_that_is_no_slot_gives_a_clear_refusal(exam, key):
    with pytest.raises(Invalid, match="choose one from the list"):
        services.slot_from_key(exam, key)


def test_a_slots_key_gives_the_slot_again(exam):
    slot = services.find_slots(visit_type=exam, first_day=TUESDAY, last_day=TUESDAY, limit=1)[0]
    assert services.slot_from_key(exam, slot.key) == slot


@pytest.mark.parametrize("sunday", [date(2026, 3, 8), date(2026, 11, 1)])
def test_nine_oclock_is_nine_oclock_on_the_days_on_which_the_clocks_change(
    exam, okafor, main_street, ana, sunday
):
    factories.WeeklyHoursFactory(provider=okafor, location=main_street, weekday=6)
    with clock.frozen_at(datetime(2026, sunday.month, sunday.day, 0, tzinfo=ZONE) - timedelta(days=3)):
        slot = services.find_slots(visit_type=exam, first_day=sunday, last_day=sunday)[0]
        booked = services.book(patient=ana, visit_type=exam, slot=slot, channel="web")
    assert f"{slot:%H:%M}" == "09:00"
    assert booked.ends_at - booked.starts_at == timedelta(minutes=30)


def test_a_booking_is_confirmed_by_text_except_to_one_who_is_texting(anas_exam, ben, exam, slot_at):
    services.book(patient=ben, visit_type=exam, slot=slot_at(4, 9), channel="sms")
    text = Message.objects.get()
    assert (text.kind, text.patient, text.subject_id) == (
        "appointment_booked",
        anas_exam.patient,
        str(anas_exam.pk),
    )
    assert "Mar 3" in text.body
    assert "9:00 AM" in text.body
    assert "exam" not in text.body
