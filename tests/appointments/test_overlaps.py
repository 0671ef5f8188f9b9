"""The database refuses overlaps by itself, whoever writes."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from appointments.models import Appointment
from tests.factories import MONDAY, AppointmentFactory

pytestmark = pytest.mark.usefixtures("monday")

PROVIDER = "a_provider_sees_one_patient_at_a_time"
PATIENT = "a_patient_is_in_one_place_at_a_time"
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


@pytest.mark.parametrize("state", ["cancelled", "moved", "no_show", "done"])
def test_what_is_over_occupies_nobody(standing, ben, state):
    Appointment.objects.filter(pk=standing.pk).update(state=state)
    another(standing, 0, patient=ben).save()
    assert Appointment.objects.count() == 2
