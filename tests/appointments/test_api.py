"""The diary over the API: one's own only, once per request, clear refusals with alternatives."""

import os
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from appointments import services, waitlist
from appointments.api.asking import WritesThrottle
from appointments.models import Appointment, Opening, ScheduleException, WaitlistEntry, WaitlistOffer
from eyecare import clock
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


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "/api/v1/slots/",
        "/api/v1/slots/1.1.20260303T1400/",
        "/api/v1/visit-types/",
        "/api/v1/holds/",
        "/api/v1/waitlist/",
        "/api/v1/waitlist-offers/",
        "/api/v1/calendar-link/",
    ],
)
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


class TestSlots:
    def url(self, slot) -> str:
        return f"/api/v1/slots/{slot.key}/"

    def test_a_slot_that_can_be_had_is_returned(self, api, exam, tuesday_nine):
        slot = api.get(self.url(tuesday_nine), {"visit_type": "exam"})
        assert (slot.status_code, slot.json()["starts_at"]) == (200, "2026-03-03T09:00:00-05:00")
        assert not Appointment.objects.exists()

    def test_why_a_slot_cannot_be_had_is_a_problem_with_alternatives(self, api, ben, exam, tuesday_nine):
        services.hold(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
        answer = api.get(self.url(tuesday_nine), {"visit_type": "exam"})
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "slot_taken")
        assert [slot["starts_at"][11:16] for slot in problem["alternatives"]] == ["09:30", "10:00", "10:30"]

    def test_a_holiday_is_a_reason_of_its_own(self, api, exam, tuesday_nine):
        ScheduleException.objects.create(kind="closed", date="2026-03-03", reason="Founders’ Day")
        problem = api.get(self.url(tuesday_nine), {"visit_type": "exam"}).json()
        assert problem["code"] == "closed"
        assert "Founders’ Day" in problem["detail"]

    def test_the_own_time_of_a_visit_that_moves_counts_as_free(self, api, anas_exam, exam, slot_at):
        type(exam).objects.update(minutes=60)
        asked = {"visit_type": "exam", "from": "2026-03-03", "to": "2026-03-03"}
        starts = [slot["starts_at"][11:16] for slot in api.get("/api/v1/slots/", asked).json()["results"]]
        asked["moving"] = str(anas_exam.pk)
        moved = [slot["starts_at"][11:16] for slot in api.get("/api/v1/slots/", asked).json()["results"]]
        assert "09:00" not in starts
        assert "09:00" in moved

    def test_too_late_to_move_is_said_of_the_slot_already(self, api, anas_exam, slot_at):
        asked = {"visit_type": "exam", "moving": str(anas_exam.pk)}
        with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=30)):
            answer = api.get(self.url(slot_at(4, 14)), asked)
        assert (answer.status_code, answer.json()["code"]) == (409, "too_late")

    def test_another_patients_visit_does_not_move(self, api, ben, exam, tuesday_nine):
        bens = services.book(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
        asked = {"visit_type": "exam", "from": "2026-03-03", "to": "2026-03-03", "moving": str(bens.pk)}
        assert api.get("/api/v1/slots/", asked).status_code == 404
        assert api.get(self.url(tuesday_nine), {"visit_type": "exam", "moving": bens.pk}).status_code == 404


class TestHolds:
    URL = "/api/v1/holds/"

    def test_a_slot_is_held_and_seen(self, api, ana, exam, tuesday_nine):
        made = api.post(self.URL, booking(tuesday_nine), format="json")
        assert made.status_code == 201
        assert made.json()["held_until"] == "2026-03-02T09:10:00-05:00"
        assert made.json()["slot"] == tuesday_nine.key
        assert api.get(self.URL).json()["results"] == [made.json()]
        assert api.get(f"{self.URL}{made.json()['id']}/").json() == made.json()

    def test_booking_uses_what_is_held(self, api, exam, tuesday_nine):
        held = api.post(self.URL, booking(tuesday_nine), format="json").json()
        booked = api.post(URL, booking(tuesday_nine), format="json").json()
        assert (booked["id"], booked["state"]) == (held["id"], "booked")
        assert api.get(self.URL).json()["count"] == 0

    def test_moving_uses_what_is_held(self, api, anas_exam, slot_at):
        asked = booking(slot_at(4, 14), moving=str(anas_exam.pk))
        held = api.post(self.URL, asked, format="json").json()
        assert held["lineage"] == str(anas_exam.lineage)
        moved = api.post(f"{URL}{anas_exam.pk}/reschedule/", {"slot": slot_at(4, 14).key}, format="json")
        assert moved.json()["id"] == held["id"]

    def test_a_visit_does_not_move_to_a_time_of_another_kind(self, api, anas_exam, okafor, slot_at):
        factories.VisitTypeFactory(name="Follow-up", slug="follow-up", providers=[okafor])
        asked = {"visit_type": "follow-up", "slot": slot_at(4, 14).key, "moving": str(anas_exam.pk)}
        answer = api.post(self.URL, asked, format="json")
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["moving"])
        assert not Appointment.objects.held().exists()

    def test_it_is_given_back(self, api, exam, tuesday_nine):
        held = api.post(self.URL, booking(tuesday_nine), format="json").json()
        assert api.delete(f"{self.URL}{held['id']}/").status_code == 204
        assert api.delete(f"{self.URL}{held['id']}/").status_code == 404
        assert Appointment.objects.get().state == "released"

    def test_a_mere_hold_is_no_appointment(self, api, exam, tuesday_nine):
        held = api.post(self.URL, booking(tuesday_nine), format="json").json()
        assert api.get(URL).json()["count"] == 0
        assert api.get(f"{URL}{held['id']}/").status_code == 404

    def test_what_another_patient_holds_is_refused_with_alternatives(self, api, ben, exam, tuesday_nine):
        services.hold(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
        answer = api.post(self.URL, booking(tuesday_nine), format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
        assert len(answer.json()["alternatives"]) == 3
        assert api.get(self.URL).json()["count"] == 0


class TestRequestKeys:
    @pytest.fixture
    def once(self) -> dict[str, str]:
        return {"Idempotency-Key": "one and the same"}

    def test_the_same_move_twice_moves_once(self, api, anas_exam, slot_at, once):
        url, asked = f"{URL}{anas_exam.pk}/reschedule/", {"slot": slot_at(4, 14).key}
        answers = [api.post(url, asked, format="json", headers=once).json() for _ in range(2)]
        assert answers[0] == answers[1]
        assert Appointment.objects.count() == 2

    def test_the_same_cancel_twice_cancels_once(self, api, anas_exam, once):
        answers = [api.post(f"{URL}{anas_exam.pk}/cancel/", headers=once).json() for _ in range(2)]
        assert answers[0] == answers[1]
        assert anas_exam.events.filter(to_state="cancelled").count() == 1

    def test_a_key_used_for_another_appointment_is_refused(self, api, exam, tuesday_nine, slot_at, once):
        api.post(URL, booking(tuesday_nine), format="json", headers=once)
        other = api.post(URL, booking(slot_at(4, 14)), format="json", headers=once)
        assert (other.status_code, other.json()["code"]) == (400, "invalid")
        assert Appointment.objects.count() == 1


class TestRefusals:
    """What is refused is a problem: a code for programs, a sentence for the patient."""

    @pytest.mark.parametrize(
        ("when", "code"),
        [((2, 9, 30), "too_soon"), ((3, 6), "outside_hours"), ((2, 9, 0, 12), "too_far_ahead")],
    )
    def test_a_slot_that_a_rule_forbids(self, api, exam, slot_at, when, code):
        answer = api.post(URL, booking(slot_at(*when)), format="json")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["code"]) == (409, code)
        assert answer.json()["type"] == f"urn:eyecare:{code}"
        assert answer.json()["alternatives"]

    def test_a_visit_for_known_patients_only(self, api, okafor, exam, tuesday_nine):
        type(exam).objects.update(intended_for="known")
        answer = api.post(URL, booking(tuesday_nine), format="json").json()
        assert (answer["code"], answer["alternatives"]) == ("not_for_you", [])

    def test_too_late_to_cancel(self, api, anas_exam):
        with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=30)):
            answer = api.post(f"{URL}{anas_exam.pk}/cancel/")
        assert (answer.status_code, answer.json()["code"]) == (409, "too_late")
        anas_exam.refresh_from_db()
        assert anas_exam.state == "booked"


class TestWaitlist:
    URL = "/api/v1/waitlist/"

    def test_a_wish_is_kept_listed_and_taken_back(self, api, ana, exam, okafor):
        wish = {"visit_type": "exam", "provider": okafor.pk, "weekdays": [1, 3], "until_time": "12:00"}
        made = api.post(self.URL, {**wish, "last_day": "2026-03-20"}, format="json")
        assert made.status_code == 201
        assert made.json()["weekdays"] == [1, 3]
        assert made.json()["provider"]["name"] == "Dr. Maya Okafor"
        entry = WaitlistEntry.objects.get()
        assert (entry.patient, entry.channel, str(entry.last_day)) == (ana, "api", "2026-03-20")
        assert api.get(self.URL).json()["results"] == [made.json()]
        assert api.delete(f"{self.URL}{entry.pk}/").status_code == 204
        assert api.get(self.URL).json()["count"] == 0

    def test_a_visit_waits_for_an_earlier_time(self, api, anas_exam, slot_at):
        late = services.reschedule(appointment=anas_exam, slot=slot_at(20, 10), channel="web")
        made = api.post(self.URL, {"visit_type": "exam", "moving": str(late.pk)}, format="json")
        assert made.json()["moving"] == str(late.pk)

    @pytest.mark.parametrize(
        "wish",
        [
            {"visit_type": "surgery"},
            {"visit_type": "exam", "weekdays": [7]},
            {"visit_type": "exam", "weekdays": "Monday"},
            {"visit_type": "exam", "weekdays": [0] * 8},
            {"visit_type": "exam", "first_day": "2026-03-20", "last_day": "2026-03-10"},
            {"visit_type": "exam", "from_time": "12:00", "until_time": "09:00"},
            {"visit_type": "exam", "first_day": "9999-12-31"},
            {"visit_type": "exam", "provider": 10**30},
            {"visit_type": "exam", "moving": "mine"},
        ],
    )
    def test_a_wish_that_makes_no_sense_is_refused(self, api, exam, wish):
        answer = api.post(self.URL, wish, format="json")
        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert not WaitlistEntry.objects.exists()

    @pytest.fixture
    def offer(self, ana, ben, exam, tuesday_nine) -> WaitlistOffer:
        """Tuesday nine, which Ben gave back, offered to Ana who waits."""
        factories.ConsentFactory(patient=ana)
        bens = services.book(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
        waitlist.join(patient=ana, visit_type=exam, channel="api")
        services.cancel(appointment=bens, channel="web")
        waitlist.work_on(Opening.objects.get().pk)
        return WaitlistOffer.objects.get()

    def test_an_offer_is_seen_and_taken(self, api, offer):
        seen = api.get("/api/v1/waitlist-offers/").json()["results"]
        assert [(each["id"], each["starts_at"][11:16], each["state"]) for each in seen] == [
            (str(offer.pk), "09:00", "offered")
        ]
        visit = api.post(f"/api/v1/waitlist-offers/{offer.pk}/accept/")
        assert (visit.status_code, visit.json()["state"]) == (200, "booked")
        assert api.get("/api/v1/waitlist-offers/").json()["count"] == 0

    def test_an_offer_is_declined(self, api, offer):
        answer = api.post(f"/api/v1/waitlist-offers/{offer.pk}/decline/")
        assert (answer.status_code, answer.json()["state"]) == (200, "declined")

    def test_an_offer_that_is_gone_is_a_problem_with_alternatives(self, api, ben, exam, offer):
        with clock.frozen_at(clock.now() + timedelta(hours=3)):
            services.sweep_holds()
            services.book(patient=ben, visit_type=exam, slot=waitlist.slot_of(offer), channel="web")
            answer = api.post(f"/api/v1/waitlist-offers/{offer.pk}/accept/")
        assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
        assert answer.json()["alternatives"]


class TestCalendarLink:
    URL = "/api/v1/calendar-link/"

    def test_it_is_made_when_it_is_asked_for_and_renewed(self, api, anas_exam):
        assert api.get(self.URL).json() == {"url": None}
        first = api.post(self.URL)
        assert first.status_code == 201
        assert api.get(self.URL).json() == first.json()
        second = api.post(self.URL).json()["url"]
        assert APIClient().get(urlsplit(first.json()["url"]).path).status_code == 404
        assert APIClient().get(urlsplit(second).path).status_code == 200


@pytest.mark.parametrize("entries", [1, 5])
def test_wishes_are_listed_with_the_same_few_questions(
    api, ana, okafor, entries, django_assert_max_num_queries
):
    for number in range(entries):
        kind = factories.VisitTypeFactory(name=f"Kind {number}", slug=f"kind-{number}", providers=[okafor])
        waitlist.join(patient=ana, visit_type=kind, channel="api")
    with django_assert_max_num_queries(6):
        assert api.get("/api/v1/waitlist/").json()["count"] == entries


def test_a_program_that_writes_without_end_is_slowed_down_and_reads_on(api, exam, tuesday_nine, monkeypatch):
    monkeypatch.setattr(WritesThrottle, "rate", "3/min")
    answers = [api.post("/api/v1/holds/", booking(tuesday_nine), format="json") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert answers[-1].json()["code"] == "throttled"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert api.get("/api/v1/holds/").status_code == 200


def test_the_schema_describes_every_door_without_a_warning(capsys):
    call_command("spectacular", "--validate", "--fail-on-warn", file=os.devnull)
