"""The front desk's diary: the same rules, the no beside the form, and lists that do not slow down."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from appointments import services
from appointments.models import (
    Appointment,
    DiarySettings,
    ReminderRule,
    Resource,
    ResourceKind,
    ScheduleException,
    UrgentBlock,
    VisitType,
)
from eyecare import clock
from tests import factories
from tests.factories import MONDAY, ZONE

pytestmark = pytest.mark.usefixtures("monday")

ADD = "/admin/appointments/appointment/add/"
LIST = "/admin/appointments/appointment/"


@pytest.fixture
def desk(client, dana):
    client.force_login(dana)
    return client


def page_of(appointment, what="change"):
    return reverse(f"admin:appointments_appointment_{what}", args=[appointment.pk])


def filled(patient, visit_type, provider, location, starts_at, **more):
    """Fill the form in as a browser posts it."""
    inlines = {
        f"{prefix}-{name}": 0
        for prefix in ("events", "reminders")
        for name in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    return {
        "patient": patient.pk,
        "visit_type": visit_type.pk,
        "provider": provider.pk,
        "location": location.pk,
        "starts_at_0": f"{starts_at:%Y-%m-%d}",
        "starts_at_1": f"{starts_at:%H:%M:%S}",
        "note": "",
        "override_reason": "",
        **inlines,
        **more,
    }


def at(day, hour, minute=0):
    return datetime(2026, 3, day, hour, minute, tzinfo=ZONE)


def test_the_front_desk_books_through_the_service(desk, dana, ana, exam, okafor, main_street):
    response = desk.post(ADD, filled(ana, exam, okafor, main_street, at(3, 9), note="Wheelchair"))
    assert response.status_code == 302
    booked = Appointment.objects.get()
    assert (booked.starts_at, booked.ends_at, booked.note) == (at(3, 9), at(3, 9, 30), "Wheelchair")
    event = booked.events.get()
    assert (event.actor, event.channel) == (dana, "staff")


def test_a_taken_time_is_refused_in_the_form_with_what_is_free(
    desk, ben, exam, okafor, main_street, anas_exam
):
    response = desk.post(ADD, filled(ben, exam, okafor, main_street, at(3, 9)))
    assert response.status_code == 200
    assert "Sorry, that time has just been taken." in response.content.decode()
    assert "Tuesday, March 3 at 9:30 AM with Dr. Maya Okafor" in response.content.decode()
    assert Appointment.objects.get() == anas_exam


def test_outside_the_hours_takes_a_reason(desk, ana, exam, okafor, main_street):
    form = filled(ana, exam, okafor, main_street, at(3, 18))
    assert "does not see patients" in desk.post(ADD, form).content.decode()
    assert desk.post(ADD, form | {"override_reason": "Broke her glasses"}).status_code == 302
    assert Appointment.objects.get().events.get().reason == "Broke her glasses"


def test_a_form_that_is_not_filled_in_books_nothing(desk, ana, exam, okafor, main_street):
    response = desk.post(ADD, filled(ana, exam, okafor, main_street, at(3, 9)) | {"starts_at_0": "soon"})
    assert response.status_code == 200
    assert not Appointment.objects.exists()


def test_a_new_time_in_the_form_moves_the_appointment(desk, dana, anas_exam, ana, exam, okafor, main_street):
    form = filled(ana, exam, okafor, main_street, at(4, 14), note="Asked for the afternoon")
    assert desk.post(page_of(anas_exam), form).status_code == 302
    anas_exam.refresh_from_db()
    successor = anas_exam.moved_to
    assert (anas_exam.state, successor.starts_at, successor.note) == (
        "moved", at(4, 14), "Asked for the afternoon"
    )  # fmt: skip
    assert successor.events.get().actor == dana


def test_a_note_is_kept_without_moving_anything(desk, anas_exam, ana, exam, okafor, main_street):
    desk.post(page_of(anas_exam), filled(ana, exam, okafor, main_street, at(3, 9), note="Brings her mother"))
    row = Appointment.objects.get()
    assert (row.pk, row.state, row.note) == (anas_exam.pk, "booked", "Brings her mother")


def test_a_cancelled_appointment_does_not_move(desk, anas_exam, ana, exam, okafor, main_street):
    services.cancel(appointment=anas_exam, channel="web")
    desk.post(page_of(anas_exam), filled(ana, exam, okafor, main_street, at(4, 14)))
    anas_exam.refresh_from_db()
    assert (anas_exam.state, anas_exam.starts_at) == ("cancelled", at(3, 9))


@pytest.mark.parametrize(
    ("pressed", "state"),
    [
        ("check_in", "arrived"),
        ("start_exam", "in_exam"),
        ("complete", "done"),
        ("confirm", "confirmed"),
        ("no_show", "no_show"),
    ],
)
def test_a_button_takes_the_appointment_a_step_on(desk, dana, anas_exam, pressed, state):
    with clock.frozen_at(at(3, 9, 10)):
        desk.post(page_of(anas_exam, pressed), {"_form_submitted": "1"})
    anas_exam.refresh_from_db()
    assert anas_exam.state == state
    assert anas_exam.events.last().actor == dana


@pytest.mark.parametrize("pressed", ["check_in", "start_exam", "complete", "confirm", "no_show", "cancel"])
def test_following_a_link_changes_nothing(desk, anas_exam, pressed):
    assert desk.get(page_of(anas_exam, pressed)).status_code == 200
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_cancelling_takes_a_reason(desk, anas_exam):
    url = page_of(anas_exam, "cancel")
    desk.post(url, {"_form_submitted": "1", "reason": ""})
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"
    desk.post(url, {"_form_submitted": "1", "reason": "Provider is ill"})
    anas_exam.refresh_from_db()
    assert (anas_exam.state, anas_exam.events.last().reason) == ("cancelled", "Provider is ill")


def test_several_are_checked_in_at_once_and_what_cannot_be_is_said(desk, anas_exam, ben, exam, slot_at):
    bens = services.book(patient=ben, visit_type=exam, slot=slot_at(3, 10), channel="web")
    services.cancel(appointment=bens, channel="web")
    chosen = {"action": "check_in_all", "_selected_action": [str(anas_exam.pk), str(bens.pk)]}
    with clock.frozen_at(at(3, 9, 10)):
        response = desk.post(LIST, chosen, follow=True)
    anas_exam.refresh_from_db()
    bens.refresh_from_db()
    assert (anas_exam.state, bens.state) == ("arrived", "cancelled")
    assert "it cannot become arrived" in response.content.decode()


def test_a_time_that_is_only_held_is_no_visit_in_the_list(desk, ana, exam, slot_at):
    held = services.hold(patient=ana, visit_type=exam, slot=slot_at(3, 9), channel="web")
    assert "Silva" not in desk.get(LIST).content.decode()
    assert "Silva" in desk.get(f"{LIST}?holds=now").content.decode()
    with clock.frozen_at(at(3, 9)):
        assert "Silva" not in desk.get(f"{LIST}?holds=now").content.decode()
        assert "Silva" in desk.get(f"{LIST}?holds=all").content.decode()
    assert desk.get(page_of(held)).status_code == 200


def test_a_link_fills_the_form_in(desk, ana, exam, okafor, main_street):
    said = f"patient={ana.pk}&visit_type={exam.pk}&provider={okafor.pk}&location={main_street.pk}"
    page = desk.get(f"{ADD}?{said}&starts_at=2026-03-03T09:30").content.decode()
    for value in (ana.pk, exam.pk, okafor.pk, main_street.pk):
        assert f'value="{value}" selected' in page
    assert 'value="2026-03-03"' in page
    assert 'value="09:30:00"' in page


@pytest.mark.parametrize(
    "query", ["patient=abc", "visit_type=99999999999999999999", "provider=%00", "starts_at=never", "state=x"]
)
def test_nonsense_in_a_link_leaves_the_form_empty(desk, exam, query):
    assert desk.get(f"{ADD}?{query}").status_code == 200


def test_a_booking_outside_the_rules_is_marked_in_the_history(desk, ana, exam, okafor, main_street):
    form = filled(ana, exam, okafor, main_street, at(3, 18), override_reason="Broke her glasses")
    desk.post(ADD, form)
    event = Appointment.objects.get().events.get()
    assert (event.is_override, event.reason) == (True, "Broke her glasses")
    assert "Broke her glasses" in desk.get(page_of(event.appointment)).content.decode()


def test_a_visit_offers_the_steps_that_it_can_take_now(desk, anas_exam):
    page = desk.get(page_of(anas_exam)).content.decode()
    assert page_of(anas_exam, "confirm") in page
    assert page_of(anas_exam, "check_in") not in page
    with clock.frozen_at(at(3, 9)):
        assert page_of(anas_exam, "check_in") in desk.get(page_of(anas_exam)).content.decode()
    services.cancel(appointment=anas_exam, channel="web")
    page = desk.get(page_of(anas_exam)).content.decode()
    assert page_of(anas_exam, "confirm") not in page
    assert "override_reason" not in page


@pytest.mark.parametrize("key", ["abc", "00000000-0000-4000-8000-000000000000", "%00"])
def test_a_visit_that_does_not_exist_leads_back(desk, practice, key):
    assert desk.get(f"{LIST}{key}/change/").status_code == 302


def test_who_may_only_look_reads_patients_words_as_text(client, exam):
    staff = factories.AccountFactory(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_visittype"))
    client.force_login(staff)
    page = client.get(reverse("admin:appointments_visittype_change", args=[exam.pk])).content.decode()
    assert "eye exam, checkup, eyes checked" in page


def test_a_visit_leads_to_its_day_on_the_board(desk, anas_exam):
    page = page_of(anas_exam, "show_on_board")
    assert desk.get(page).url == f"{LIST}board/?day=2026-03-03#visit-{anas_exam.pk}"
    assert desk.get(f"{LIST}open_board/", follow=True).status_code == 200


def test_nothing_is_deleted_from_the_diary(desk, anas_exam):
    assert desk.post(f"{LIST}{anas_exam.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Appointment.objects.get() == anas_exam


def test_the_list_asks_the_same_few_questions_however_long_it_is(
    desk, exam, main_street, okafor, django_assert_max_num_queries
):
    for number in range(30):
        factories.AppointmentFactory(
            visit_type=exam,
            provider=okafor,
            location=main_street,
            starts_at=MONDAY.replace(hour=0) + timedelta(hours=number),
        )
    desk.get(LIST)
    with django_assert_max_num_queries(20):
        response = desk.get(LIST)
    assert response.content.decode().count("Silva") == 30


@pytest.mark.parametrize(
    "query", ["?q=Silva", "?day=today", "?day=tomorrow", "?day=week", "?state__exact=booked"]
)
def test_the_list_is_searched_and_filtered(desk, anas_exam, query):
    found = query != "?day=today"
    assert ("Silva" in desk.get(LIST + query).content.decode()) is found


MODELS = [
    "visittype",
    "resource",
    "resourcekind",
    "weeklyhours",
    "scheduleexception",
    "urgentblock",
    "reminderrule",
    "reminder",
]


@pytest.mark.parametrize("model", MODELS)
def test_every_other_page_of_the_diary_opens(desk, anas_exam, exam, okafor, main_street, model):
    ReminderRule.objects.create(lead=24)
    ScheduleException.objects.create(kind="closed", date="2026-03-17", provider=okafor, reason="Leave")
    UrgentBlock.objects.create(
        provider=okafor, location=main_street, weekday=0, starts_at="11:00", ends_at="12:00"
    )
    kind = ResourceKind.objects.create(name="Visual field machine")
    Resource.objects.create(kind=kind, location=main_street, name="Humphrey")
    exam.needs.add(kind)
    assert desk.get(f"/admin/appointments/{model}/").status_code == 200
    assert desk.get(f"/admin/appointments/{model}/add/").status_code == (403 if model == "reminder" else 200)
    assert desk.get(page_of(anas_exam)).status_code == 200


def usual_settings():
    fields = DiarySettings._meta.fields
    return {field.name: field.default for field in fields if field.editable and field.has_default()}


def test_the_diarys_settings_are_one_form(desk):
    url = "/admin/appointments/diarysettings/"
    form = usual_settings()
    assert desk.get(url).url == f"{url}add/"
    assert desk.post(f"{url}add/", form | {"web_hold_minutes": 15}).status_code == 302
    row = DiarySettings.objects.get()
    assert row.web_hold_minutes == 15
    assert desk.get(url).url == f"{url}{row.pk}/change/"
    assert desk.get(f"{url}add/").status_code == 403
    assert "web_hold_minutes" in desk.get(f"{url}{row.pk}/change/").content.decode()


def test_a_hold_that_never_ends_is_refused_in_the_settings(desk):
    row = DiarySettings.objects.create()
    form = usual_settings()
    response = desk.post(
        f"/admin/appointments/diarysettings/{row.pk}/change/", form | {"sms_hold_minutes": 1441}
    )
    assert response.status_code == 200
    row.refresh_from_db()
    assert row.sms_hold_minutes == 60


def test_patients_own_words_for_a_visit_are_written_with_commas(desk, exam, okafor):
    page = desk.get(reverse("admin:appointments_visittype_change", args=[exam.pk])).content.decode()
    assert "eye exam, checkup, eyes checked" in page
    form = {field.name: field.value_from_object(exam) for field in exam._meta.fields}
    form |= {
        "also_called": "eye test, check-up ,",
        "providers": [okafor.pk],
        "is_online": "on",
        "may_dilate": "",
    }
    response = desk.post(reverse("admin:appointments_visittype_change", args=[exam.pk]), form)
    assert response.status_code == 302
    assert VisitType.objects.get().also_called == ["eye test", "check-up"]
