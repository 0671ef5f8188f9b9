"""The front desk's waitlist: the same rules, what came of every offer, and lists that do not slow down."""

from datetime import date, timedelta

import pytest
from django.urls import reverse

from appointments import services, waitlist
from appointments.models import Appointment, Opening, WaitlistEntry, WaitlistOffer
from eyecare import clock
from tests import factories
from tests.factories import MONDAY

pytestmark = pytest.mark.usefixtures("monday")

WAITLIST = "/admin/appointments/waitlistentry/"
OPENINGS = "/admin/appointments/opening/"


@pytest.fixture
def desk(client, dana):
    client.force_login(dana)
    return client


@pytest.fixture
def entry(ana, exam):
    factories.ConsentFactory(patient=ana)
    return waitlist.join(patient=ana, visit_type=exam, channel="web", weekdays=[1], note="likes mornings")


@pytest.fixture
def opening(entry, exam, slot_at):
    somebody = factories.PatientFactory(first_name="Somebody")
    visit = services.book(patient=somebody, visit_type=exam, slot=slot_at(3, 9), channel="web")
    services.cancel(appointment=visit, channel="staff")
    opening = Opening.objects.get()
    waitlist.work_on(opening.pk)
    return opening


def page_of(row, what="change"):
    return reverse(f"admin:appointments_{row._meta.model_name}_{what}", args=[row.pk])


def filled(**wish):
    inlines = {"offers-TOTAL_FORMS": 0, "offers-INITIAL_FORMS": 0}
    empty = dict.fromkeys(("provider", "location", "first_day", "last_day", "from_time", "until_time"), "")
    return {"note": "", **empty, **inlines, **wish}


def test_the_desk_puts_somebody_on_the_waitlist(desk, dana, ana, exam, okafor):
    wish = filled(
        patient=ana.pk, visit_type=exam.pk, provider=okafor.pk, last_day="2026-03-20", weekdays=[1, 3]
    )
    assert desk.post(f"{WAITLIST}add/", wish).status_code == 302
    entry = WaitlistEntry.objects.get()
    assert (entry.patient, entry.provider, entry.channel) == (ana, okafor, "staff")
    assert (entry.first_day, entry.last_day, entry.weekdays) == (
        date(2026, 3, 2), date(2026, 3, 20), [1, 3]
    )  # fmt: skip


def test_a_wish_that_stands_is_changed_and_not_written_twice(desk, ana, exam, entry):
    wish = filled(patient=ana.pk, visit_type=exam.pk, weekdays=[4])
    assert desk.post(f"{WAITLIST}add/", wish).status_code == 302
    entry.refresh_from_db()
    assert (entry.weekdays, WaitlistEntry.objects.count()) == ([4], 1)


def test_a_wish_is_changed_on_its_page(desk, entry):
    assert desk.get(page_of(entry)).status_code == 200
    assert desk.post(page_of(entry), filled(first_day="2026-03-05", note="by phone")).status_code == 302
    entry.refresh_from_db()
    assert (entry.first_day, entry.weekdays, entry.note) == (date(2026, 3, 5), [], "by phone")


def test_a_refused_wish_is_told_beside_the_form_and_nothing_is_written(desk, ana, exam):
    wish = filled(patient=ana.pk, visit_type=exam.pk, last_day="2027-03-20")
    response = desk.post(f"{WAITLIST}add/", wish)
    assert "Our diary is open until August 29." in response.content.decode()
    assert not WaitlistEntry.objects.exists()


def test_only_earlier_than_the_visit_that_the_patient_has(desk, ana, exam, slot_at):
    wish = filled(patient=ana.pk, visit_type=exam.pk, earlier_only="on")
    assert "has no visit of this kind" in desk.post(f"{WAITLIST}add/", wish).content.decode()
    visit = services.book(patient=ana, visit_type=exam, slot=slot_at(20, 9), channel="web")
    assert desk.post(f"{WAITLIST}add/", wish).status_code == 302
    entry = WaitlistEntry.objects.get()
    assert (entry.moving, entry.last_day) == (visit, date(2026, 3, 20))
    assert desk.post(page_of(entry), filled(earlier_only="on", note="x")).status_code == 302
    entry.refresh_from_db()
    assert entry.moving == visit


def test_nonsense_in_the_form_is_an_error_and_no_crash(desk, ana, exam):
    wish = filled(patient=ana.pk, visit_type=exam.pk, weekdays=["9"], first_day="never", from_time="25:00")
    assert desk.post(f"{WAITLIST}add/", wish).status_code == 200
    assert not WaitlistEntry.objects.exists()


def test_somebody_is_taken_off_the_waitlist(desk, entry):
    url = reverse("admin:appointments_waitlistentry_withdraw", args=[entry.pk])
    desk.get(url)
    entry.refresh_from_db()
    assert entry.state == "waiting"
    assert desk.post(url, {"submit": "1", "_form_submitted": "1"}).status_code in (200, 302)
    entry.refresh_from_db()
    assert entry.state == "withdrawn"
    assert desk.post(page_of(entry), filled(note="again")).status_code == 403


def test_the_history_shows_who_was_asked_and_what_came_of_it(desk, entry, opening):
    for row in (entry, opening):
        page = desk.get(page_of(row)).content.decode()
        assert "Tue, Mar 3" in page
        assert "asked" in page
    assert "Silva" in desk.get(page_of(opening)).content.decode()


def test_a_time_is_offered_again_to_who_came_to_wait_since(desk, ben, exam, opening):
    waitlist.decline(offer=opening.offers.get(), channel="sms")
    waitlist.work_on(opening.pk)
    opening.refresh_from_db()
    assert opening.state == Opening.State.CLOSED
    factories.ConsentFactory(patient=ben)
    waitlist.join(patient=ben, visit_type=exam, channel="web")
    desk.post(OPENINGS, {"action": "ask_more", "_selected_action": [opening.pk]})
    opening.refresh_from_db()
    assert opening.state == Opening.State.NEW
    waitlist.work_on(opening.pk)
    assert WaitlistOffer.objects.open().get().entry.patient == ben


@pytest.mark.parametrize("url", [WAITLIST, OPENINGS])
def test_a_long_list_takes_no_more_queries(desk, exam, opening, url, django_assert_max_num_queries):
    for number in range(20):
        visit = factories.AppointmentFactory(
            starts_at=MONDAY + timedelta(days=5, hours=number), state="cancelled"
        )
        waitlist.join(patient=visit.patient, visit_type=exam, channel="web")
        Opening.objects.create(
            freed_by=visit,
            provider=visit.provider,
            location=visit.location,
            busy_from=visit.busy_from,
            busy_until=visit.busy_until,
        )
    with django_assert_max_num_queries(25):
        page = desk.get(url)
    assert page.status_code == 200


def test_the_desk_books_the_offered_time_for_who_calls(desk, ana, entry, opening):
    url = reverse("admin:appointments_waitlistentry_accept", args=[entry.pk])
    desk.post(url, {"submit": "1", "_form_submitted": "1"})
    visit = Appointment.objects.active().get()
    assert (visit.patient, visit.channel, visit.starts_at) == (ana, "staff", opening.busy_from)
    desk.post(url, {"submit": "1", "_form_submitted": "1"})
    assert Appointment.objects.active().get() == visit


def test_who_still_waits_is_told_from_whose_days_are_over(desk, ana, ben, exam):
    waitlist.join(patient=ana, visit_type=exam, channel="web", last_day=date(2026, 3, 3))
    waitlist.join(patient=ben, visit_type=exam, channel="web")
    with clock.frozen_at(MONDAY + timedelta(days=3)):
        now, over = (desk.get(f"{WAITLIST}?waits={which}").content.decode() for which in ("now", "over"))
    assert ("Moreau" in now, "Silva" in now) == (True, False)
    assert ("Moreau" in over, "Silva" in over) == (False, True)
    assert "the last day is over" in over


def test_the_desk_sees_whom_it_has_to_call(desk, ana, exam):
    entry = waitlist.join(patient=ana, visit_type=exam, channel="staff")
    assert "neither text nor e-mail" in desk.get(page_of(entry)).content.decode()
