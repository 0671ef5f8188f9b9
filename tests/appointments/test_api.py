"""The diary over the API: one's own only, once per request, clear refusals with alternatives."""

import pytest
from rest_framework.test import APIClient

from appointments import services
from appointments.models import Appointment
from tests import factories

pytestmark = pytest.mark.usefixtures("monday")

URL = "/api/v1/appointments/"


@pytest.fixture
def api(ana):
    client = APIClient()
    client.force_login(ana.account)
    return client


def booking(slot, **more):
    return {"visit_type": "exam", "slot": slot.key, **more}


def test_free_slots_are_listed_a_page_at_a_time(api, exam):
    asked = {"visit_type": "exam", "from": "2026-03-03", "to": "2026-03-04", "limit": 2}
    page = api.get("/api/v1/slots/", asked).json()
    assert page["count"] == 32
    assert [slot["starts_at"] for slot in page["results"]] == [
        "2026-03-03T09:00:00-05:00",
        "2026-03-03T09:30:00-05:00",
    ]
    assert page["results"][0]["provider"]["name"] == "Dr. Maya Okafor"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from": "2026-03-03", "to": "2026-06-03"}, "non_field_errors"),
        ({"from": "2026-03-03", "to": "2026-03-02"}, "non_field_errors"),
        ({"from": "tomorrow", "to": "2026-03-02"}, "from"),
        ({"to": "2026-03-02"}, "from"),
        ({"from": "2026-03-03", "to": "2026-03-03", "provider": "x"}, "provider"),
        ({"from": "2026-03-03", "to": "2026-03-03", "visit_type": "surgery"}, "visit_type"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_field_by_field(api, exam, asked, field):
    response = api.get("/api/v1/slots/", {"visit_type": "exam", **asked})
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert field in response.json()["errors"]


def test_the_last_days_of_the_calendar_are_no_error(api, exam):
    asked = {"visit_type": "exam", "from": "9999-12-30", "to": "9999-12-31"}
    assert api.get("/api/v1/slots/", asked).json()["count"] == 0


def test_a_slot_is_booked_for_the_patient_of_the_session(api, ana, exam, tuesday_nine):
    response = api.post(URL, booking(tuesday_nine, note="Wheelchair"), format="json")
    assert response.status_code == 201
    booked = Appointment.objects.get()
    assert response.json()["id"] == str(booked.pk)
    assert (booked.patient, booked.channel, booked.note) == (ana, "api", "Wheelchair")
    assert booked.events.get().actor == ana.account


def test_a_patient_named_in_the_request_is_not_heeded(api, ana, ben, exam, tuesday_nine):
    api.post(URL, booking(tuesday_nine, patient=str(ben.pk)), format="json")
    assert Appointment.objects.get().patient == ana


def test_the_same_request_twice_books_once(api, exam, tuesday_nine):
    answers = [
        api.post(URL, booking(tuesday_nine), format="json", headers={"Idempotency-Key": "abc"}).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert Appointment.objects.count() == 1


def test_a_taken_slot_is_a_problem_with_alternatives(api, ben, exam, tuesday_nine):
    services.book(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
    response = api.post(URL, booking(tuesday_nine), format="json")
    problem = response.json()
    assert response.status_code == 409
    assert (problem["code"], problem["detail"]) == ("slot_taken", "Sorry, that time has just been taken.")
    assert [slot["starts_at"][11:16] for slot in problem["alternatives"]] == ["09:30", "10:00", "10:30"]
    other = {"visit_type": "exam", "slot": problem["alternatives"][0]["key"]}
    assert api.post(URL, other, format="json").status_code == 201


@pytest.mark.parametrize(
    "slot", ["", "nonsense", "1.1.99991231T2359", "9" * 61, "99999999999999999999.1.20260303T1400"]
)
def test_a_slot_that_is_none_is_refused(api, exam, slot):
    assert api.post(URL, {"visit_type": "exam", "slot": slot}, format="json").status_code == 400
    assert not Appointment.objects.exists()


def test_a_request_key_that_is_too_long_is_refused(api, exam, tuesday_nine):
    response = api.post(URL, booking(tuesday_nine), format="json", headers={"Idempotency-Key": "k" * 81})
    assert response.status_code == 400
    assert not Appointment.objects.exists()


def test_an_appointment_is_moved(api, anas_exam, slot_at):
    response = api.post(f"{URL}{anas_exam.pk}/reschedule/", {"slot": slot_at(4, 14).key}, format="json")
    assert response.status_code == 201
    assert response.json()["moved_from"] == str(anas_exam.pk)
    anas_exam.refresh_from_db()
    assert anas_exam.state == "moved"


def test_an_appointment_is_cancelled_and_twice_is_once(api, anas_exam):
    for _ in range(2):
        response = api.post(f"{URL}{anas_exam.pk}/cancel/", {"reason": "Work"}, format="json")
        assert response.status_code == 200
        assert response.json()["state"] == "cancelled"
    assert anas_exam.events.filter(to_state="cancelled", reason="Work").count() == 1


@pytest.mark.parametrize("door", ["", "reschedule/", "cancel/"])
def test_another_patients_appointment_looks_missing(anas_exam, ben, slot_at, door):
    stranger = APIClient()
    stranger.force_login(ben.account)
    url = f"{URL}{anas_exam.pk}/{door}"
    response = stranger.post(url, {"slot": slot_at(4, 14).key}, format="json") if door else stranger.get(url)
    unknown = stranger.get(f"{URL}00000000-0000-0000-0000-000000000000/")
    assert response.status_code == unknown.status_code == 404
    assert response.json() == unknown.json()
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


@pytest.mark.parametrize("url", [URL, "/api/v1/slots/", "/api/v1/visit-types/"])
def test_nobody_gets_in_without_signing_in(url, practice):
    assert APIClient().get(url).status_code in {401, 403}


def test_the_list_is_paged_and_asks_the_same_few_questions(api, ana, exam, django_assert_max_num_queries):
    for day in range(25):
        start = factories.MONDAY.replace(month=4, day=day + 1)
        factories.AppointmentFactory(patient=ana, visit_type=exam, starts_at=start)
    with django_assert_max_num_queries(6):
        page = api.get(URL).json()
    assert (page["count"], len(page["results"])) == (25, 20)


def test_the_kinds_of_visit_that_patients_may_book_are_listed(api, exam):
    factories.VisitTypeFactory(name="Surgery", slug="surgery", is_online=False)
    assert [kind["slug"] for kind in api.get("/api/v1/visit-types/").json()["results"]] == ["exam"]
