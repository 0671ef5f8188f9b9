"""What users of other systems complain about in public; each test is named after what must not happen.

The systems and the numbers of their threads stand in the comments; what is meant is the fault, not the code.
"""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from appointments import reminders, services
from appointments.models import Appointment, AppointmentEvent, DiarySettings, Reminder, ReminderRule
from eyecare import clock
from eyecare.errors import Invalid, NotFound, Refusal
from messaging.models import Message
from patients.models import Patient
from tests import factories
from tests.factories import MONDAY, ZONE

State = Appointment.State


@pytest.fixture(autouse=True)
def _monday_morning(monday):
    """Everything here happens on Monday, March 2, 2026, at nine."""


@pytest.fixture
def reyes(main_street, exam):
    provider = factories.ProviderFactory(first_name="Samuel", last_name="Reyes", locations=[main_street])
    for weekday in range(5):
        factories.WeeklyHoursFactory(provider=provider, location=main_street, weekday=weekday)
    exam.providers.add(provider)
    return provider


def book(patient: Patient, slot, channel: str = "web", **more) -> Appointment:
    visit_type = more.pop("visit_type", None) or slot_type(slot)
    return services.book(patient=patient, visit_type=visit_type, slot=slot, channel=channel, **more)


def slot_type(slot):
    return slot.provider.visit_types.get(slug="exam")


def starts_on(day, visit_type, **narrowed):
    return [
        slot.starts_at
        for slot in services.find_slots(visit_type=visit_type, first_day=day, last_day=day, **narrowed)
    ]


# Two people, one time.


def test_two_with_the_page_open_do_not_both_get_ten_oclock(ana, ben, slot_at):  # masslight/ottehr#615
    ten = slot_at(3, 10)
    book(ana, ten)
    with pytest.raises(services.SlotTaken) as refused:
        book(ben, ten)
    assert len(refused.value.alternatives) == 3
    assert not Appointment.objects.for_patient(ben).exists()


def test_a_time_that_somebody_is_about_to_confirm_is_not_offered_to_others(ana, ben, exam, slot_at):
    # calcom/cal.diy#29958 and PR 23988: what is pending is invisible, and two are confirmed
    ten = slot_at(3, 10)
    services.hold(patient=ana, visit_type=exam, slot=ten, channel="web")
    assert ten.starts_at not in starts_on(ten.starts_at.date(), exam, patient=ben)
    with pytest.raises(services.SlotTaken):
        book(ben, ten)
    assert book(ana, ten).state == State.BOOKED


def test_a_hold_does_not_keep_a_time_for_ever(ana, ben, exam, slot_at):  # medplum/medplum#7688
    ten = slot_at(3, 10)
    services.hold(patient=ana, visit_type=exam, slot=ten, channel="web")
    with clock.frozen_at(MONDAY + timedelta(minutes=11)):
        assert ten.starts_at in starts_on(ten.starts_at.date(), exam)
        assert book(ben, ten).state == State.BOOKED


def test_any_provider_does_not_give_one_provider_two_patients(ana, ben, exam, okafor, reyes):
    # alextselegidis/easyappointments#845: about forty double bookings a week
    carla = factories.PatientFactory(first_name="Carla")
    nine = datetime(2026, 3, 3, 9, tzinfo=ZONE)
    seen_by = []
    for patient in (ana, ben):
        slot = services.nearest(
            visit_type=exam, wish=at(nine), first_day=nine.date(), last_day=nine.date(), patient=patient
        )[0]
        assert slot.starts_at == nine
        seen_by.append(book(patient, slot).provider)
    assert set(seen_by) == {okafor, reyes}
    assert nine not in starts_on(nine.date(), exam, patient=carla)


def at(moment):
    from appointments.availability import Around

    return Around(moment)


def test_the_front_desk_cannot_book_over_somebody_either(ana, ben, dana, slot_at):
    # easyappointments#1783 and #1431: warn, then save all the same
    ten = slot_at(3, 10)
    book(ana, ten)
    with pytest.raises(services.SlotTaken):
        book(ben, ten, "staff", actor=dana, override_reason="he insists")
    assert Appointment.objects.active().count() == 1


def test_a_patient_is_not_booked_with_two_providers_at_once(ana, exam, okafor, reyes, slot_at):
    # openemr/openemr#2632; and only overlap counts, not one lying within the other (easyappointments)
    book(ana, slot_at(3, 10))
    place = reyes.locations.get()
    elsewhere = services.slot_from_key(exam, f"{reyes.pk}.{place.pk}.20260303T1500")  # ten in New York
    with pytest.raises(services.PatientBusy):
        book(ana, elsewhere, visit_type=exam)


# Times that come back, and times that never were.


def test_a_cancelled_time_comes_back(ana, ben, slot_at):  # earthians/marley: every status counts as booked
    ten = slot_at(3, 10)
    services.cancel(appointment=book(ana, ten), channel="web")
    assert book(ben, ten).state == State.BOOKED


def test_the_old_time_comes_back_when_a_visit_moves(ana, ben, slot_at):  # calcom/cal.diy#21589
    visit = book(ana, slot_at(3, 10))
    services.reschedule(appointment=visit, slot=slot_at(4, 10), channel="web")
    assert book(ben, slot_at(3, 10)).state == State.BOOKED


def test_a_long_visit_hides_more_than_its_start(ana, exam, okafor, slot_at):  # marley compares starts only
    long = factories.VisitTypeFactory(name="Long exam", slug="long", minutes=60, providers=[okafor])
    book(ana, services.slot_from_key(long, slot_at(3, 10).key), visit_type=long)
    offered = starts_on(datetime(2026, 3, 3, tzinfo=ZONE).date(), exam)
    assert slot_at(3, 10, 30).starts_at not in offered
    assert slot_at(3, 9, 30).starts_at in offered
    assert slot_at(3, 11).starts_at in offered


def test_a_single_event_does_not_close_the_whole_day(ana, ben, exam, slot_at):  # openemr#6234: "error"
    book(ana, slot_at(3, 10))
    assert book(ben, slot_at(3, 11)).state == State.BOOKED


@pytest.mark.parametrize("hour", [3, 17, 22])
def test_an_hour_outside_the_schedule_is_not_saved(ana, slot_at, hour):
    # openemr: any hour passes as long as the provider has some free hour within the year; calcom #244
    with pytest.raises(services.NotBookable) as refused:
        book(ana, slot_at(3, hour))
    assert refused.value.alternatives
    assert not Appointment.objects.exists()


def test_a_start_beside_the_grid_is_not_saved(ana, slot_at):  # calcom/cal.diy#244: the address is believed
    with pytest.raises(services.NotBookable):
        book(ana, slot_at(3, 10, 7))


@pytest.mark.parametrize(("day", "hour"), [((3, 6), 9), ((3, 9), 9), ((10, 30), 9), ((11, 2), 9)])
def test_the_grid_does_not_shift_by_an_hour_when_the_clocks_change(exam, day, hour):
    # medplum: a grid in UTC; the clocks change on March 8 and November 1, 2026
    moment = datetime(2026, *day, hour, tzinfo=ZONE)
    with clock.frozen_at(moment - timedelta(days=3)):
        offered = starts_on(moment.date(), exam)
    assert [start.astimezone(ZONE).strftime("%H:%M") for start in (offered[0], offered[-1])] == [
        "09:00",
        "16:30",
    ]


def test_a_day_beyond_the_horizon_is_neither_offered_nor_booked(ana, exam, slot_at):  # medplum#8432
    far = slot_at(1, 10, month=12)
    assert not starts_on(far.starts_at.date(), exam)
    with pytest.raises(services.TooFarAhead):
        book(ana, far)


# Whose it is.


def test_another_patients_visit_cannot_be_cancelled(client, ana, ben, slot_at):  # marley#1063, openemr#11853
    visit = book(ana, slot_at(3, 10))
    client.force_login(ben.account)
    assert client.post(f"/appointments/{visit.pk}/cancel/", {"reason": ""}).status_code == 404
    with pytest.raises(NotFound):
        services.get_for(ben, visit.pk)
    visit.refresh_from_db()
    assert visit.is_active


def test_the_patient_is_never_taken_from_the_request(client, ana, ben, slot_at):  # marley: make_appointment
    client.force_login(ben.account)
    sent = {"visit_type": "exam", "slot": slot_at(3, 10).key, "patient": str(ana.pk), "note": ""}
    answer = client.post("/api/v1/appointments/", sent, content_type="application/json")
    assert answer.status_code == 201
    assert not Appointment.objects.for_patient(ana).exists()
    assert Appointment.objects.get().patient == ben


# Notice, limits, the front desk's word.


def test_a_patient_cannot_cancel_at_the_last_minute(ana, slot_at):  # calcom/cal.diy#2546 and #15647
    visit = book(ana, slot_at(3, 10))
    with clock.frozen_at(slot_at(3, 10).starts_at - timedelta(hours=1)):
        with pytest.raises(services.TooLate, match="call us"):
            services.cancel(appointment=visit, channel="web")
        with pytest.raises(services.TooLate, match="call us"):
            services.reschedule(appointment=visit, slot=slot_at(4, 10), channel="sms")
    visit.refresh_from_db()
    assert visit.state == State.BOOKED


def test_a_patient_cannot_fill_the_diary(ana, slot_at):  # openemr#4258; medplum#8311
    DiarySettings.objects.create(most_open_visits=2)
    book(ana, slot_at(3, 10))
    book(ana, slot_at(4, 10))
    with pytest.raises(Refusal) as refused:
        book(ana, slot_at(5, 10))
    assert refused.value.code == "too_many_visits"
    assert Appointment.objects.active().count() == 2


def test_the_front_desk_may_leave_the_hours_and_says_why(ana, dana, slot_at):  # medplum#10270
    visit = book(ana, slot_at(3, 17), "staff", actor=dana, override_reason="a walk-in in pain")
    event = AppointmentEvent.objects.get(appointment=visit, to_state=State.BOOKED)
    assert (event.is_override, event.reason, event.actor) == (True, "a walk-in in pain", dana)


def test_a_kind_of_visit_can_be_the_front_desks_alone(ana, dana, exam, slot_at):  # openemr#12483
    exam.is_online = False
    exam.save()
    with pytest.raises(services.NotBookable, match="by phone"):
        book(ana, slot_at(3, 10), visit_type=exam)
    assert book(ana, slot_at(3, 10), "staff", actor=dana, visit_type=exam).state == State.BOOKED


def test_a_patient_who_comes_early_frees_the_later_time_without_a_cancellation_text(
    ana, ben, dana, slot_at
):  # masslight/ottehr#3405 and #2985
    factories.ConsentFactory(patient=ana)
    visit = book(ana, slot_at(3, 15), "sms")
    with clock.frozen_at(slot_at(3, 10).starts_at - timedelta(minutes=5)):
        services.bring_forward(appointment=visit, slot=slot_at(3, 10), actor=dana, reason="came early")
        assert not Message.objects.filter(patient=ana).exists()
        assert book(ben, slot_at(3, 15)).state == State.BOOKED


# Nothing is deleted.


def test_a_cancelled_visit_is_kept_with_who_and_why(ana, slot_at):  # easyappointments deletes the row
    visit = book(ana, slot_at(3, 10))
    services.cancel(appointment=visit, channel="web", actor=ana.account, reason="I have a cold")
    event = visit.events.last()
    assert (event.to_state, event.actor, event.channel, event.reason) == (
        State.CANCELLED,
        ana.account,
        "web",
        "I have a cold",
    )


# Reminders.


@pytest.fixture
def a_day_before(db):
    return ReminderRule.objects.create(lead=24)


def sent_reminders(until: datetime) -> list[Message]:
    with clock.frozen_at(until):
        reminders.queue_due()
    return list(Message.objects.filter(kind=reminders.KIND))


def test_there_are_reminders_at_all(ana, a_day_before, slot_at):  # easyappointments#1132, open since 2021
    factories.ConsentFactory(patient=ana)
    book(ana, slot_at(4, 10))
    assert len(sent_reminders(slot_at(3, 10).starts_at)) == 1


def test_no_reminder_follows_a_cancellation(ana, a_day_before, slot_at):  # calcom/cal.diy#7225
    visit = book(ana, slot_at(4, 10))
    services.cancel(appointment=visit, channel="web")
    assert sent_reminders(slot_at(4, 9).starts_at) == []


def test_a_moved_visit_is_reminded_of_its_new_time_only(ana, a_day_before, slot_at):  # calcom #6905, #10166
    factories.ConsentFactory(patient=ana)
    visit = book(ana, slot_at(4, 10))
    moved = services.reschedule(appointment=visit, slot=slot_at(6, 10), channel="web")
    assert sent_reminders(slot_at(4, 9).starts_at) == []
    (message,) = sent_reminders(slot_at(5, 10).starts_at)
    assert message.subject_id == str(moved.pk)


def test_more_than_a_hundred_cancellations_drop_all_their_reminders(exam, okafor, a_day_before):
    # calcom PR 7232: the cancel call silently stopped at one hundred
    start = datetime(2026, 3, 4, 9, tzinfo=ZONE)
    visits = [
        factories.AppointmentFactory(
            patient=factories.PatientFactory(),
            visit_type=exam,
            provider=okafor,
            starts_at=start + timedelta(days=number),
        )
        for number in range(120)
    ]
    for visit in visits:
        reminders.plan(visit)
        services.cancel(appointment=visit, channel="staff")
    assert set(Reminder.objects.values_list("state", flat=True)) == {Reminder.State.DROPPED}
    assert Reminder.objects.count() == 120


def test_a_patient_can_confirm(ana, slot_at):  # easyappointments#1655
    visit = book(ana, slot_at(3, 10))
    assert services.confirm(appointment=visit, channel="sms").state == State.CONFIRMED


# What other programs send.


@pytest.mark.parametrize(
    "key", ["", "1.1", "1.1.20260303T1000.9", "0.0.99999999T9999", "a.b.c", "1.1.2026-03-03"]
)
def test_a_made_up_slot_is_refused_in_a_sentence(exam, key):
    with pytest.raises(Invalid):
        services.slot_from_key(exam, key)


def test_the_visit_lasts_as_long_as_its_kind_says_whatever_was_sent(client, ana, slot_at):  # openemr
    client.force_login(ana.account)
    sent = {"visit_type": "exam", "slot": slot_at(3, 10).key, "note": "", "minutes": 5, "ends_at": "now"}
    client.post("/api/v1/appointments/", sent, content_type="application/json")
    visit = Appointment.objects.get()
    assert visit.ends_at - visit.starts_at == timedelta(minutes=30)
    assert timezone.localtime(visit.starts_at, ZONE).time() == time(10)
    assert visit.starts_at.tzinfo == UTC
