"""The diary's pages: what a patient sees, books, moves and cancels in a browser."""

import re
import uuid
from datetime import timedelta

import pytest

from appointments import services
from appointments.models import Appointment
from eyecare import clock
from tests import factories


@pytest.fixture
def signed_in(client, ana):
    client.force_login(ana.account)
    return client


def times_on(response) -> list[str]:
    return re.findall(r"<b>(\d+:\d\d [AP]M)</b>", response.content.decode())


def test_the_list_shows_what_is_coming_and_what_has_been(signed_in, anas_exam, ana, exam):
    factories.AppointmentFactory(
        patient=ana, visit_type=exam, starts_at=clock.now() - timedelta(days=400), state="done"
    )
    page = signed_in.get("/appointments/").content.decode()
    assert "Tuesday, March 3 at 9:00 AM" in page
    assert ", 2025 at" in page


@pytest.mark.parametrize("rows", [1, 12])
def test_the_list_asks_the_same_few_questions_however_many_visits(
    signed_in, monday, ana, exam, okafor, rows, django_assert_max_num_queries
):
    for number in range(rows):
        factories.AppointmentFactory(
            patient=ana,
            visit_type=exam,
            provider=okafor,
            starts_at=clock.now() - timedelta(days=10 + number),
            state="done",
        )
    with django_assert_max_num_queries(10):
        signed_in.get("/appointments/")


def test_the_first_free_days_are_offered_and_the_next_ones_behind_a_link(signed_in, monday, exam):
    response = signed_in.get("/appointments/book/exam/")
    assert "Monday, March 2" in response.content.decode()
    assert times_on(response)[0] == "11:00 AM"
    assert "?start=2026-03-05" in response.content.decode()


def test_only_mornings_are_offered_to_whom_wants_mornings(signed_in, monday, exam):
    response = signed_in.get("/appointments/book/exam/?part=morning&start=2026-03-03")
    assert set(times_on(response)) == {"9:00 AM", "9:30 AM", "10:00 AM", "10:30 AM", "11:00 AM", "11:30 AM"}


def test_a_filter_that_cannot_be_read_is_named_and_ignored(signed_in, monday, exam):
    response = signed_in.get("/appointments/book/exam/?start=yesterday&provider=999")
    assert response.status_code == 200
    assert "Enter a valid date." in response.content.decode()
    assert times_on(response)


def test_a_kind_of_visit_that_does_not_exist_is_not_found(signed_in, monday, exam):
    assert signed_in.get("/appointments/book/surgery/").status_code == 404


def test_the_exact_visit_is_read_back_before_anything_is_written(signed_in, monday, exam, tuesday_nine):
    page = signed_in.get(f"/appointments/book/exam/{tuesday_nine.key}/").content.decode()
    assert "Tue, Mar 3" in page
    assert "9:00 AM" in page
    assert not Appointment.objects.exists()


def test_booking_twice_with_one_press_books_once(signed_in, monday, ana, exam, tuesday_nine):
    press = {"key": str(uuid.uuid4()), "note": "sore left eye"}
    for _ in range(2):
        response = signed_in.post(f"/appointments/book/exam/{tuesday_nine.key}/", press)
    visit = Appointment.objects.get()
    assert response.url == f"/appointments/{visit.pk}/"
    assert (visit.patient, visit.channel, visit.note) == (ana, "web", "sore left eye")


def test_a_taken_time_is_refused_with_others_to_choose(signed_in, monday, ben, exam, tuesday_nine):
    services.book(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
    response = signed_in.post(f"/appointments/book/exam/{tuesday_nine.key}/", {"key": str(uuid.uuid4())})
    assert response.status_code == 409
    assert "Sorry, that time has just been taken." in response.content.decode()
    assert len(times_on(signed_in.get("/appointments/book/exam/"))) > 3
    assert "/appointments/book/exam/" in response.content.decode()
    assert Appointment.objects.count() == 1


def test_moving_shows_the_new_time_and_keeps_the_old_row(signed_in, anas_exam, slot_at):
    response = signed_in.post(
        f"/appointments/{anas_exam.pk}/move/{slot_at(4, 10).key}/", {"key": str(uuid.uuid4())}, follow=True
    )
    assert "Wed, Mar 4" in response.content.decode()
    anas_exam.refresh_from_db()
    assert anas_exam.state == "moved"
    assert "See the new time" in signed_in.get(f"/appointments/{anas_exam.pk}/").content.decode()


def test_cancelling_asks_first(signed_in, anas_exam):
    assert "Cancel this visit?" in signed_in.get(f"/appointments/{anas_exam.pk}/cancel/").content.decode()
    anas_exam.refresh_from_db()
    assert anas_exam.is_active
    signed_in.post(f"/appointments/{anas_exam.pk}/cancel/", {"reason": "I have a cold"})
    anas_exam.refresh_from_db()
    assert anas_exam.state == "cancelled"
    assert anas_exam.events.last().reason == "I have a cold"


def test_too_late_to_cancel_says_so_and_cancels_nothing(signed_in, anas_exam):
    with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=30)):
        response = signed_in.post(f"/appointments/{anas_exam.pk}/cancel/")
    assert response.status_code == 409
    assert "It is too late to change that appointment online." in response.content.decode()
    anas_exam.refresh_from_db()
    assert anas_exam.is_active


def test_a_patient_says_that_they_will_come(signed_in, anas_exam):
    signed_in.post(f"/appointments/{anas_exam.pk}/confirm/")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "confirmed"
