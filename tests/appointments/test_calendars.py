"""Visits in the patient's own calendar: right to the second, replaced when they move, silent about health."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Event

from appointments import calendars
from appointments.models import Appointment, AppointmentEvent, CalendarLink
from eyecare import clock
from eyecare.errors import NotFound
from tests import factories
from tests.factories import MONDAY, ZONE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday")]

TUESDAY_NINE = datetime(2026, 3, 3, 9, tzinfo=ZONE)


@pytest.fixture
def visit(ana, exam, okafor, main_street):
    """Ana's exam on Tuesday at nine."""
    return stands(ana, exam, okafor, main_street)


def stands(patient, visit_type, provider, location, starts_at=TUESDAY_NINE, state="booked", **columns):
    row = factories.AppointmentFactory(
        patient=patient,
        visit_type=visit_type,
        provider=provider,
        location=location,
        starts_at=starts_at,
        state=state,
        **columns,
    )
    AppointmentEvent.objects.create(appointment=row, to_state=state, channel="web")
    return row


def moved(visit, starts_at, at=MONDAY + timedelta(minutes=5)):
    Appointment.objects.filter(pk=visit.pk).update(state="moved")
    with clock.frozen_at(at):
        return stands(
            visit.patient,
            visit.visit_type,
            visit.provider,
            visit.location,
            starts_at,
            lineage=visit.lineage,
            moved_from=visit,
        )


def only_event(body: bytes) -> Event:
    (event,) = Calendar.from_ical(body).events
    return event


def feed_of(patient) -> bytes:
    return calendars.feed(calendars.link_of(patient).token).body


def test_a_file_says_when_where_and_with_whom(visit, main_street):
    event = only_event(calendars.file_of(visit))
    assert event["DTSTART"].dt == datetime(2026, 3, 3, 14, tzinfo=UTC)
    assert event["DTEND"].dt == event["DTSTART"].dt + timedelta(minutes=30)
    assert event["SUMMARY"] == "Visit at Harbor Eye Care"
    assert event["LOCATION"] == "Main Street, 12 Main Street, Springfield"
    assert event["DESCRIPTION"] == (
        f"With Dr. Maya Okafor. To change it: {event['URL']} or call (212) 555-0100."
    )
    assert event["URL"].endswith(f"/appointments/{visit.pk}/")
    assert (event["STATUS"], event["CLASS"], event["SEQUENCE"]) == ("CONFIRMED", "PRIVATE", 0)


def test_what_to_prepare_stands_in_the_file_and_not_under_the_link(visit, exam):
    exam.preparation = "Your pupils may be widened: bring sunglasses."
    exam.save()
    visit.refresh_from_db()
    assert only_event(calendars.file_of(visit))["DESCRIPTION"].endswith("\n\n" + exam.preparation)
    assert "pupils" not in only_event(feed_of(visit.patient))["DESCRIPTION"]


@pytest.mark.parametrize("language", ["en", "es"])
def test_nothing_under_the_link_names_the_patient_or_the_kind_of_visit(visit, ana, exam, language):
    ana.language = language
    ana.save()
    said = feed_of(ana).decode().casefold()
    for secret in (ana.first_name, ana.last_name, exam.name, exam.slug, "exam", ana.number, str(ana.pk)):
        assert secret.casefold() not in said.replace("harbor.example", "")


def test_a_spanish_speaker_reads_spanish(visit, ana):
    ana.language = "es"
    ana.save()
    assert only_event(feed_of(ana))["SUMMARY"] == "Cita en Harbor Eye Care"


def test_a_visit_that_moved_replaces_itself_in_the_calendar(visit):
    before = only_event(calendars.file_of(visit))
    successor = moved(visit, TUESDAY_NINE + timedelta(days=2))
    again = moved(successor, TUESDAY_NINE + timedelta(days=3))
    after = only_event(calendars.file_of(again))
    assert after["UID"] == before["UID"] == str(visit.lineage)
    assert (before["SEQUENCE"], after["SEQUENCE"]) == (0, 2)
    assert after["DTSTART"].dt == before["DTSTART"].dt + timedelta(days=3)
    assert after["DTSTAMP"].dt > before["DTSTAMP"].dt


def test_the_file_of_a_time_that_the_visit_left_is_that_of_the_time_it_has_now(visit):
    successor = moved(visit, TUESDAY_NINE + timedelta(days=2))
    assert calendars.file_of(visit) == calendars.file_of(successor)
    assert only_event(feed_of(visit.patient))["DTSTART"].dt == successor.starts_at


def test_a_cancelled_visit_is_told_as_cancelled_and_counts_as_a_change(visit):
    Appointment.objects.update(state="cancelled")
    event = only_event(feed_of(visit.patient))
    assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", 1)


@pytest.mark.parametrize("state", ["held", "released"])
def test_a_time_that_is_only_held_stands_in_no_calendar(visit, ana, exam, okafor, main_street, state):
    stands(
        ana,
        exam,
        okafor,
        main_street,
        TUESDAY_NINE + timedelta(days=1),
        state,
        lineage=visit.lineage,
        held_until=MONDAY + timedelta(minutes=10),
    )
    assert (
        only_event(feed_of(ana))["DTSTART"].dt
        == only_event(calendars.file_of(visit))["DTSTART"].dt
        == TUESDAY_NINE
    )


def test_a_feed_looks_back_ninety_days_and_ahead_without_end(ana, exam, okafor, main_street):
    offsets = (-91, -89, -1, 1, 400)
    for days in offsets:
        state = "done" if days < 0 else "booked"
        stands(ana, exam, okafor, main_street, MONDAY + timedelta(days=days), state)
    starts = {event["DTSTART"].dt for event in Calendar.from_ical(feed_of(ana)).events}
    assert starts == {MONDAY + timedelta(days=days) for days in offsets[1:]}


def test_another_patients_visits_are_not_under_my_link(visit, ben, exam, okafor, main_street):
    stands(ben, exam, okafor, main_street, TUESDAY_NINE + timedelta(hours=1))
    assert only_event(feed_of(visit.patient))["UID"] == str(visit.lineage)


def test_a_feed_without_visits_is_a_calendar_all_the_same(ana):
    assert Calendar.from_ical(feed_of(ana)).events == []


def test_a_link_is_made_once_and_replaced_on_request(visit, ana):
    link = calendars.link_of(ana)
    assert calendars.link_of(ana) == link
    assert len(link.token) == 43
    fresh = calendars.renew(ana)
    assert fresh.token != link.token
    with pytest.raises(NotFound):
        calendars.feed(link.token)
    assert only_event(calendars.feed(fresh.token).body)
    assert CalendarLink.objects.count() == 1


@pytest.mark.parametrize("token", ["", "x", "\0" * 43, "é" * 43, "x" * 43, "x" * 10_000, "' OR 1=1 --"])
def test_a_wrong_token_is_not_found_whatever_it_is(ana, token):
    calendars.link_of(ana)
    with pytest.raises(NotFound, match="could not find that calendar"):
        calendars.feed(token)


def test_the_link_of_a_closed_record_is_not_found(visit, ana):
    token = calendars.link_of(ana).token
    ana.is_active = False
    ana.save()
    with pytest.raises(NotFound, match="could not find that calendar"):
        calendars.feed(token)


def test_a_feed_is_the_same_until_something_changes(visit, ana):
    token = calendars.link_of(ana).token
    first = calendars.feed(token)
    with clock.frozen_at(MONDAY + timedelta(hours=5)):
        assert calendars.feed(token).etag == first.etag
    moved(visit, TUESDAY_NINE + timedelta(days=2))
    assert calendars.feed(token).etag != first.etag


def test_a_feed_changes_with_the_address_that_it_shows(visit, ana, main_street):
    token = calendars.link_of(ana).token
    first = calendars.feed(token)
    main_street.address = "14 Main Street"
    main_street.save()
    assert calendars.feed(token).etag != first.etag


def test_a_feed_says_when_to_look_again(ana):
    lines = feed_of(ana).decode().split("\r\n")
    for line in ("REFRESH-INTERVAL;VALUE=DURATION:PT2H", "X-PUBLISHED-TTL:PT2H", "NAME:Harbor Eye Care"):
        assert line in lines
    assert "X-WR-TIMEZONE:America/New_York" in lines


@pytest.mark.parametrize("visits", [1, 30])
def test_a_feed_takes_five_queries_however_many_visits(
    ana, exam, okafor, main_street, visits, django_assert_num_queries
):
    token = calendars.link_of(ana).token
    for number in range(visits):
        moved(
            stands(ana, exam, okafor, main_street, TUESDAY_NINE + timedelta(days=2 * number)),
            TUESDAY_NINE + timedelta(days=2 * number + 1),
        )
    with django_assert_num_queries(5):  # link, practice, visits, how often they moved, when they changed
        body = calendars.feed(token).body
    assert len(Calendar.from_ical(body).events) == visits


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        (datetime(2026, 3, 8, 0, 30, tzinfo=ZONE), datetime(2026, 3, 8, 5, 30, tzinfo=UTC)),
        (datetime(2026, 3, 8, 9, tzinfo=ZONE), datetime(2026, 3, 8, 13, tzinfo=UTC)),
        (datetime(2026, 11, 1, 0, 30, tzinfo=ZONE), datetime(2026, 11, 1, 4, 30, tzinfo=UTC)),
        (datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZONE), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
        (datetime(2026, 11, 1, 9, tzinfo=ZONE), datetime(2026, 11, 1, 14, tzinfo=UTC)),
    ],
)
def test_a_visit_on_a_day_when_the_clocks_change_is_told_at_its_moment(
    ana, exam, okafor, main_street, wall, utc
):
    row = stands(ana, exam, okafor, main_street, wall)
    assert only_event(calendars.file_of(row))["DTSTART"].dt == utc


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Main; Street, upstairs", "Main; Street, upstairs"),
        ("A\nEND:VEVENT\nBEGIN:VEVENT", "A\nEND:VEVENT\nBEGIN:VEVENT"),
        ("Back\\slash", "Back\\slash"),
        ("Nul\0bell\a\r\n.", "Nulbell\n."),
        ('"Quoted": é ' + "眼" * 25, '"Quoted": é ' + "眼" * 25),
    ],
)
def test_hostile_names_of_places_stay_text(visit, name, read):
    visit.location.name = name  # as a row would carry it; some databases refuse the worst
    body = calendars._stream(
        calendars._calendar(), calendars._events([visit], visit.patient, calendars.practice.current())
    )
    assert only_event(body)["LOCATION"] == f"{read}, 12 Main Street, Springfield"
    assert_is_well_formed(body)


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=120), address=st.text(max_size=120))
def test_every_stream_is_well_formed(name, address):
    body = calendars._stream(calendars._calendar(), [an_event(name, address)])
    assert_is_well_formed(body)
    assert len(Calendar.from_ical(body).events) == 1


def an_event(name: str, address: str) -> Event:
    moment = MONDAY.astimezone(UTC)
    house = factories.PracticeFactory.build(name=name)
    row = Appointment(
        visit_type=factories.VisitTypeFactory.build(name="Exam"),
        provider=factories.ProviderFactory.build(),
        location=factories.LocationFactory.build(name=name, address=address),
        starts_at=moment,
        ends_at=moment + timedelta(minutes=30),
    )
    event = calendars._event(row, house, calendars._WORDS["en"], preparation=address)
    event.add("dtstamp", moment)
    event.add("sequence", 0)
    return event


def assert_is_well_formed(body: bytes) -> None:
    """RFC 5545, 3.1 and 3.6: lines end in CRLF, are folded at 75 octets, and name what they must."""
    assert body.endswith(b"END:VCALENDAR\r\n")
    lines = body.split(b"\r\n")
    assert all(len(line) <= 75 and b"\n" not in line and b"\r" not in line for line in lines)
    assert all(line.decode() is not None for line in lines)  # no character is cut by a fold
    calendar = Calendar.from_ical(body)
    assert {"VERSION", "PRODID"} <= calendar.keys()
    for event in calendar.events:
        assert {"UID", "DTSTAMP", "DTSTART", "DTEND", "SEQUENCE", "STATUS", "SUMMARY"} <= event.keys()
        assert event["DTSTAMP"].to_ical().endswith(b"Z")


def test_a_feed_of_every_state_is_well_formed(ana, exam, okafor, main_street):
    states = ("booked", "confirmed", "arrived", "in_exam", "done", "no_show", "cancelled")
    for number, state in enumerate(states):
        stands(ana, exam, okafor, main_street, TUESDAY_NINE + timedelta(days=number), state)
    body = feed_of(ana)
    assert_is_well_formed(body)
    assert len(Calendar.from_ical(body).events) == len(states)


def test_an_impatient_patient_does_not_make_the_feed_endless(ana, exam, okafor, main_street, monkeypatch):
    monkeypatch.setattr(calendars, "MOST_VISITS", 3)
    for number in range(5):
        stands(ana, exam, okafor, main_street, TUESDAY_NINE + timedelta(days=number), "cancelled")
    days = {event["DTSTART"].dt.astimezone(ZONE).date() for event in Calendar.from_ical(feed_of(ana)).events}
    assert days == {date(2026, 3, 5), date(2026, 3, 6), date(2026, 3, 7)}
