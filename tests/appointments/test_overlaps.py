"""The database refuses overlaps by itself, whoever writes."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from appointments.models import Appointment, DiaryStamp, ResourceBooking
from tests.factories import MONDAY, AppointmentFactory, ResourceFactory

pytestmark = pytest.mark.usefixtures("monday")

PROVIDER = "a_provider_sees_one_patient_at_a_time"
PATIENT = "a_patient_is_in_one_place_at_a_time"
RESOURCE = "a_resource_serves_one_visit_at_a_time"
TUESDAY_NINE = MONDAY + timedelta(days=1)


@pytest.fixture
def standing(exam, okafor, main_street, ana):
    """Ana's half hour on Tuesday at nine, with five minutes kept free after it."""
    return AppointmentFactory(
        patient=ana,
        visit_type=exam,
        provider=okafor,
        location=main_street,
        starts_at=TUESDAY_NINE,
        busy_until=TUESDAY_NINE + timedelta(minutes=35),
    )


def another(standing, minutes, **more):
    """Build a half hour of the same provider that starts so many minutes later."""
    given = {"provider": standing.provider, "visit_type": standing.visit_type, "location": standing.location}
    given |= {"starts_at": standing.starts_at + timedelta(minutes=minutes)}
    return AppointmentFactory.build(**{**given, **more})


@pytest.mark.parametrize("minutes", [-29, 0, 15, 34])
def test_a_provider_is_not_booked_twice_by_a_bulk_insert(standing, ben, minutes):
    with pytest.raises(IntegrityError, match=PROVIDER), transaction.atomic():
        Appointment.objects.bulk_create([another(standing, minutes, patient=ben)])
    assert Appointment.objects.get() == standing


@pytest.mark.parametrize("minutes", [-30, 35])
def test_neighbours_may_touch(standing, ben, minutes):
    Appointment.objects.bulk_create([another(standing, minutes, patient=ben)])
    assert Appointment.objects.count() == 2


def test_a_patient_is_not_booked_twice_at_once_whoever_sees_them(standing, main_street):
    chen = AppointmentFactory.build(provider__last_name="Chen").provider
    chen.save()
    with pytest.raises(IntegrityError, match=PATIENT), transaction.atomic():
        Appointment.objects.bulk_create([another(standing, 10, provider=chen, patient=standing.patient)])


def test_an_update_does_not_move_one_onto_another(standing, ben):
    other = another(standing, 60, patient=ben)
    other.save()
    with pytest.raises(IntegrityError, match=PROVIDER), transaction.atomic():
        Appointment.objects.filter(pk=other.pk).update(
            starts_at=standing.starts_at, busy_from=standing.starts_at
        )


def test_a_cancelled_one_is_not_brought_back_onto_a_taken_time(standing, ben):
    Appointment.objects.filter(pk=standing.pk).update(state=Appointment.State.CANCELLED)
    another(standing, 0, patient=ben).save()
    with pytest.raises(IntegrityError, match=PROVIDER), transaction.atomic():
        Appointment.objects.filter(pk=standing.pk).update(state=Appointment.State.CONFIRMED)


def test_raw_sql_is_refused_too(standing, ben):
    other = another(standing, 60, patient=ben)
    other.save()
    raw = (
        "UPDATE appointments_appointment SET provider_id = provider_id,"
        " starts_at = (SELECT min(starts_at) FROM appointments_appointment),"
        " busy_from = (SELECT min(busy_from) FROM appointments_appointment)"
        " WHERE starts_at = (SELECT max(starts_at) FROM appointments_appointment)"
    )
    with pytest.raises(IntegrityError, match=PROVIDER), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(raw)


def test_an_appointment_may_be_written_again_as_it_is(standing):
    standing.note = "Brings her own glasses"
    standing.save()
    assert Appointment.objects.get().note == "Brings her own glasses"


@pytest.mark.parametrize("state", ["cancelled", "moved", "no_show", "done", "released"])
def test_what_is_over_occupies_nobody(standing, ben, state):
    Appointment.objects.filter(pk=standing.pk).update(state=state)
    another(standing, 0, patient=ben).save()
    assert Appointment.objects.count() == 2


@pytest.mark.parametrize("state", ["held", "confirmed", "arrived", "in_exam"])
def test_a_hold_and_every_step_of_the_day_take_the_providers_time(standing, ben, state):
    Appointment.objects.filter(pk=standing.pk).update(state=state, held_until=MONDAY)
    with pytest.raises(IntegrityError, match=PROVIDER), transaction.atomic():
        another(standing, 15, patient=ben).save()


def test_a_hold_is_not_laid_over_a_visit(standing, ben):
    with pytest.raises(IntegrityError, match=PROVIDER), transaction.atomic():
        another(standing, 15, patient=ben, state="held", held_until=MONDAY).save()


def test_the_new_time_of_a_visit_may_be_held_over_its_own(standing):
    held = another(
        standing, 15, patient=standing.patient, lineage=standing.lineage, state="held", held_until=MONDAY
    )
    held.save()
    assert Appointment.objects.count() == 2


def test_a_visit_does_not_stand_in_the_diary_twice(standing):
    with pytest.raises(IntegrityError), transaction.atomic():
        another(standing, 15, patient=standing.patient, lineage=standing.lineage).save()


def test_a_patient_is_not_held_two_times(standing, ben):
    for minutes in (60, 120):
        held = another(standing, minutes, patient=ben, state="held", held_until=MONDAY)
        if minutes == 60:
            held.save()
            continue
        with pytest.raises(IntegrityError), transaction.atomic():
            held.save()
    assert Appointment.objects.filter(state="held").count() == 1


def test_only_a_hold_is_nobodys(standing):
    another(standing, 60, patient=None, state="held", held_until=MONDAY).save()
    with pytest.raises(IntegrityError), transaction.atomic():
        another(standing, 120, patient=None).save()


@pytest.fixture
def machine(main_street):
    return ResourceFactory(location=main_street)


def taken_by(appointment, machine, minutes=0):
    """Write the time of a machine that an appointment takes, so many minutes after it began."""
    later = timedelta(minutes=minutes)
    return ResourceBooking.objects.create(
        appointment=appointment,
        resource=machine,
        lineage=appointment.lineage,
        busy_from=appointment.busy_from + later,
        busy_until=appointment.busy_until + later,
    )


@pytest.fixture
def beside(standing, ben):
    """Ben's visit at the same time with somebody else."""
    chen = AppointmentFactory.build(provider__last_name="Chen").provider
    chen.save()
    other = another(standing, 0, patient=ben, provider=chen)
    other.save()
    return other


def test_a_machine_does_not_serve_two_visits_at_once(standing, beside, machine):
    taken_by(standing, machine)
    with pytest.raises(IntegrityError, match=RESOURCE), transaction.atomic():
        taken_by(beside, machine, minutes=15)


def test_a_machine_is_free_again_when_its_visit_is_over_and_is_not_taken_back(standing, beside, machine):
    taken = taken_by(standing, machine)
    Appointment.objects.filter(pk=standing.pk).update(state="cancelled")
    taken.refresh_from_db()
    assert not taken.is_active
    taken_by(beside, machine)
    with pytest.raises(IntegrityError, match=RESOURCE), transaction.atomic():
        Appointment.objects.filter(pk=standing.pk).update(state="booked")


def test_a_change_of_a_diary_changes_its_stamp_and_nobody_elses(standing, beside):
    before = dict(DiaryStamp.objects.values_list("provider_id", "stamp"))
    Appointment.objects.filter(pk=standing.pk).update(state="confirmed")
    after = dict(DiaryStamp.objects.values_list("provider_id", "stamp"))
    assert {whose for whose in after if after[whose] != before[whose]} == {standing.provider_id}
