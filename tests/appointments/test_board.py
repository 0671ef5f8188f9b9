"""The front desk's day: what the board shows, what a click writes, and what stays as it is."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from appointments import board, services
from appointments.board import Span
from appointments.models import Appointment, ScheduleException, UrgentBlock, VisitType, WeeklyHours
from eyecare import clock
from practice.models import AuditEvent
from tests import factories
from tests.factories import MONDAY, ZONE

BOARD = "/admin/appointments/appointment/board/"
TUESDAY = date(2026, 3, 3)
HTMX = {"HX-Request": "true"}
NOBODYS = "00000000-0000-4000-8000-000000000000"

minutes = st.integers(0, 24 * 60)
spans = st.lists(st.tuples(minutes, minutes).map(sorted).filter(lambda pair: pair[0] < pair[1]), max_size=12)


def at(day, hour, minute=0):
    return datetime(2026, 3, day, hour, minute, tzinfo=ZONE)


def as_minutes(stretches):
    return {minute for start, end in stretches for minute in range(start, end)}


@pytest.fixture
def desk(monday, client, dana):
    client.force_login(dana)
    return client


@pytest.fixture
def staff(monday, client, practice):
    """Sign in as staff with these rights only: staff("view_appointment")."""

    def sign_in(*rights):
        account = factories.AccountFactory(is_staff=True)
        account.user_permissions.set(Permission.objects.filter(codename__in=rights))
        client.force_login(account)
        return client

    return sign_in


def column(day=TUESDAY, **look):
    """Return the only column of a day."""
    (found,) = board.read(day, **look).columns
    return found


def free_times(found, kind="free"):
    return [start.words for start in found.starts if start.kind == kind]


# ------------------------------------------------------------------ the shape of a day


@given(spans)
def test_no_two_visits_lie_on_top_of_each_other(pairs):
    taken = [Span(*pair) for pair in pairs]
    lanes = board.in_lanes(taken)
    assert all(0 <= lane < width for lane, width in lanes)
    for (one, (lane, width)), (other, (beside, its_width)) in combinations(zip(taken, lanes, strict=True), 2):
        if one.start < other.end and other.start < one.end:
            assert (lane != beside, width) == (True, its_width)


@given(spans, spans)
def test_what_is_cut_out_is_all_that_goes(pairs, cuts):
    left = board.without([Span(*pair) for pair in pairs], [Span(*cut) for cut in cuts])
    assert as_minutes(left) == as_minutes(pairs) - as_minutes(cuts)


@given(st.tuples(minutes, minutes).filter(lambda pair: pair[0] < pair[1]))
def test_a_free_stretch_is_cut_at_the_quarters_and_nothing_is_lost(pair):
    pieces = board.quarters(Span(*pair))
    assert as_minutes(pieces) == set(range(*pair))
    assert all(piece.start % 15 == 0 for piece in pieces[1:])
    assert all(piece.minutes <= 15 for piece in pieces)


@pytest.mark.parametrize(
    ("day", "length", "nine"),
    [(date(2026, 3, 8), 23 * 60, 8 * 60), (date(2026, 11, 1), 25 * 60, 10 * 60), (TUESDAY, 24 * 60, 9 * 60)],
)
def test_the_day_is_as_long_as_it_is_when_the_clocks_change(day, length, nine):
    wall = board.Wall(day, ZoneInfo("America/New_York"))
    assert wall.whole == Span(0, length)
    assert wall.hours(time(9), time(9, 30)) == Span(nine, nine + 30)
    assert wall.words(nine) == "9:00 AM"


@pytest.mark.usefixtures("monday", "exam")
def test_the_board_runs_from_before_the_first_hours_to_after_the_last():
    found = board.read(TUESDAY)
    assert found.axis.span == Span(8 * 60 + 30, 17 * 60 + 30)
    assert found.axis.hours[0] == (9 * 60, "9 AM")
    assert found.axis.hours[-1] == (17 * 60, "5 PM")
    assert found.now is None


@pytest.mark.usefixtures("monday", "exam")
def test_the_line_of_the_present_stands_on_today_only():
    assert board.read(date(2026, 3, 2)).now == 9 * 60
    with clock.frozen_at(at(2, 23)):
        assert board.read(date(2026, 3, 2)).now is None


def test_a_visit_takes_its_time_and_its_buffer(monday, ana, exam, slot_at):
    exam.buffer_after_minutes = 5
    exam.save()
    services.book(patient=ana, visit_type=exam, slot=slot_at(3, 9), channel="web")
    found = column()
    assert free_times(found)[:3] == ["9:35 AM", "9:45 AM", "10:00 AM"]
    (block,) = found.blocks
    assert (block.span, block.buffers) == (Span(540, 570), [Span(570, 575)])
    assert (block.times, block.who) == ("9:00–9:30 AM", "Ana Silva")


def test_a_cancelled_visit_gives_its_time_back_and_is_shown_when_asked_for(anas_exam):
    services.cancel(appointment=anas_exam, channel="web")
    assert column().blocks == []
    assert free_times(column())[0] == "9:00 AM"
    (block,) = column(with_cancelled=True).blocks
    assert (block.is_over, block.state_words) == (True, "cancelled")
    assert free_times(column(with_cancelled=True))[0] == "9:00 AM"


def test_a_hold_is_shown_until_it_runs_out(monday, ana, exam, slot_at):
    services.hold(patient=ana, visit_type=exam, slot=slot_at(3, 9), channel="web")
    (block,) = column().blocks
    assert block.state_words == "held until 9:10 AM"
    assert "9:00 AM" not in free_times(column())
    with clock.frozen_at(at(2, 9, 10)):
        assert column().blocks == []
        assert "9:00 AM" in free_times(column())


def test_a_time_held_for_the_waitlist_is_nobodys_yet(monday, exam, slot_at):
    services.hold_for_several(visit_type=exam, slot=slot_at(3, 9), until=at(2, 10))
    (block,) = column().blocks
    assert (block.who, block.is_new_patient) == ("Waitlist", False)


def test_the_visit_that_moves_leaves_its_own_time_free(anas_exam, exam):
    aim = board.Aim(visit_type=exam, moving=anas_exam, providers=frozenset({anas_exam.provider_id}))
    found = column(aim=aim)
    assert free_times(found)[:2] == ["9:00 AM", "9:15 AM"]
    assert [start.words for start in found.starts if start.kind == "free" and not start.fits] == ["4:45 PM"]


def test_time_for_urgent_visits_is_kept_until_it_is_given_free(monday, exam, okafor, main_street):
    UrgentBlock.objects.create(
        provider=okafor, location=main_street, weekday=1, starts_at="11:00", ends_at="11:30"
    )
    assert free_times(column(), "kept") == ["11:00 AM", "11:15 AM"]
    assert [band.text for band in column().bands if band.kind == "kept"] == [
        "Urgent visits only until 7:00 AM"
    ]
    with clock.frozen_at(at(3, 7)):
        assert free_times(column(), "kept") == []
        assert "11:00 AM" in free_times(column())
        assert [band.text for band in column().bands if band.kind == "released"] == [
            "Urgent time, given free"
        ]


@pytest.mark.parametrize("is_urgent", [False, True])
def test_kept_time_is_pointed_out_to_urgent_visits_only(anas_exam, exam, okafor, main_street, is_urgent):
    UrgentBlock.objects.create(
        provider=okafor, location=main_street, weekday=1, starts_at="11:00", ends_at="12:00"
    )
    exam.is_urgent = is_urgent
    aim = board.Aim(visit_type=exam, moving=anas_exam, providers=frozenset({okafor.pk}))
    kept = [start.fits for start in column(aim=aim).starts if start.kind == "kept"]
    assert kept == ([True, True, True, False] if is_urgent else [False] * 4)


def test_leave_is_shown_with_its_reason_and_cannot_be_clicked_as_free(monday, exam, okafor):
    ScheduleException.objects.create(
        kind="closed", date="2026-03-02", last_date="2026-03-06", provider=okafor, reason="Conference"
    )
    found = board.read(TUESDAY)
    assert [band.text for band in found.columns[0].bands] == ["Conference"]
    assert free_times(found.columns[0]) == []
    assert free_times(found.columns[0], "closed")[0] == "8:30 AM"
    assert found.closures == []


def test_a_holiday_closes_everybody(monday, exam):
    ScheduleException.objects.create(kind="closed", date="2026-03-03", reason="Founders' Day")
    assert board.read(TUESDAY).closures == ["Founders' Day"]
    assert free_times(column()) == []


def test_extra_hours_open_a_saturday(monday, exam, okafor, main_street):
    saturday = date(2026, 3, 7)
    assert board.read(saturday).columns == []
    ScheduleException.objects.create(
        kind="extra",
        date=saturday,
        provider=okafor,
        location=main_street,
        starts_at="10:00",
        ends_at="10:30",
    )
    assert free_times(column(saturday)) == ["10:00 AM", "10:15 AM"]


def test_the_location_decides_whose_columns_are_shown_but_nothing_is_hidden_in_them(
    monday, anas_exam, okafor
):
    riverside = factories.LocationFactory(name="Riverside")
    reyes = factories.ProviderFactory(last_name="Reyes", locations=[riverside])
    WeeklyHours.objects.create(
        provider=reyes, location=riverside, weekday=1, starts_at="09:00", ends_at="12:00"
    )
    WeeklyHours.objects.create(
        provider=okafor, location=riverside, weekday=1, starts_at="18:00", ends_at="19:00"
    )
    assert [found.provider for found in board.read(TUESDAY).columns] == [okafor, reyes]
    here = board.read(TUESDAY, location=anas_exam.location).columns
    assert [found.provider for found in here] == [okafor]
    there = board.read(TUESDAY, location=riverside).columns
    assert [len(found.blocks) for found in there] == [1, 0]


def test_somebody_who_does_not_work_has_a_column_for_a_visit_all_the_same(monday, ana, exam, okafor, slot_at):
    services.book(
        patient=ana, visit_type=exam, slot=slot_at(7, 10), channel="staff", override_reason="Only Saturdays"
    )
    found = column(date(2026, 3, 7))
    assert (found.provider, found.places, len(found.blocks)) == (okafor, [], 1)
    assert set(free_times(found, "closed")) >= {"9:30 AM", "10:30 AM"}


def test_who_waits_and_who_is_late_is_told_in_minutes(anas_exam, dana):
    with clock.frozen_at(at(3, 8, 50)):
        services.check_in(appointment=anas_exam, actor=dana)
    with clock.frozen_at(at(3, 9, 12)):
        (block,) = column().blocks
        assert (block.waiting_minutes, block.state_words) == (22, "waiting 22 min")
    with clock.frozen_at(at(3, 10, 5)):
        assert column().blocks[0].state_words == "waiting 1 h 15 min"


def test_a_visit_is_late_from_five_minutes_on(anas_exam):
    for minute, late in ((4, None), (5, 5), (20, 20)):
        with clock.frozen_at(at(3, 9, minute)):
            assert column().blocks[0].late_minutes == late
    with clock.frozen_at(at(4, 9)):
        assert column().blocks[0].late_minutes is None


def test_a_patient_is_new_until_a_visit_has_taken_place(anas_exam, ana, exam, okafor, main_street):
    assert column().blocks[0].is_new_patient
    factories.AppointmentFactory(
        patient=ana,
        visit_type=exam,
        provider=okafor,
        location=main_street,
        starts_at=at(2, 8),
        state="done",
    )
    assert not column().blocks[0].is_new_patient


def test_a_label_says_all_that_the_block_shows(anas_exam):
    Appointment.objects.filter(pk=anas_exam.pk).update(note="Wheelchair")
    assert column().blocks[0].label == (
        "9:00–9:30 AM, Ana Silva, Comprehensive eye exam, booked, Dr. Maya Okafor, Main Street, "
        "new patient, has a note, from: portal"
    )


def test_what_is_over_for_long_cannot_be_booked_any_more(monday, exam):
    with clock.frozen_at(at(3, 12)):
        assert free_times(column())[0] == "11:30 AM"
    with clock.frozen_at(at(4, 12)):
        assert column().starts == []


# ------------------------------------------------------------------ the page


def test_the_page_shows_the_day_and_its_free_times(desk, anas_exam):
    page = desk.get(f"{BOARD}?day=2026-03-03").content.decode()
    assert "Tuesday, Mar 3" in page
    assert "9:00–9:30 AM, Ana Silva, Comprehensive eye exam, booked" in page
    assert "9:30 AM, free, Dr. Maya Okafor, Main Street" in page


def test_without_a_day_it_is_today_and_stays_so(desk, exam):
    page = desk.get(BOARD).content.decode()
    assert "Monday, Mar 2" in page
    assert "data-follows" in page
    assert "data-follows" not in desk.get(f"{BOARD}?day=2026-03-02").content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "day=abc",
        "day=9999-12-31",
        "day=0001-01-01",
        "day=2026-02-30",
        "location=x",
        "location=99999999999999999999999",
        "location=%00",
        "moving=x",
        f"moving={NOBODYS}",
        "moving=%00",
        "patient=x",
        f"patient={NOBODYS}",
        "visit_type=-1",
        "visit_type=²",
        "cancelled=maybe",
        "day=2026-03-03&day=x",
        "day[]=2026-03-03",
    ],
)
def test_nonsense_in_the_address_gives_a_board(desk, anas_exam, query):
    for page in (BOARD, f"{BOARD}columns/"):
        response = desk.get(f"{page}?{query}")
        assert response.status_code == 200
        assert "Dr. Maya Okafor" in response.content.decode()


@pytest.mark.parametrize(("day", "turn"), [("2000-01-01", "before"), ("2199-12-31", "after")])
def test_the_board_stops_at_the_ends_of_its_days(desk, exam, day, turn):
    response = desk.get(f"{BOARD}?day={day}")
    assert getattr(response.context["look"], turn).day.isoformat() == day


@pytest.mark.parametrize("given", ["", "x", "1.2", "1.1.20260303", "1.1.99990101T0000", "0.0.20260303T1400"])
def test_a_click_on_nonsense_is_refused_with_a_sentence(desk, anas_exam, given):
    for page in (f"{BOARD}book/?at={given}", f"{BOARD}{anas_exam.pk}/move/?to={given}"):
        response = desk.get(page, headers=HTMX)
        assert response.status_code == 400
        assert "not a time we know" in response.content.decode()


@pytest.mark.parametrize("term", ["", "a", "%00%00", "1/1/0000", "9" * 300, "%F0%9F%91%81%F0%9F%91%81"])
def test_a_search_for_nonsense_finds_nobody(desk, ana, term):
    response = desk.get(f"{BOARD}patients/?q={term}")
    assert response.status_code == 200
    assert "Silva" not in response.content.decode()


def test_a_search_tells_namesakes_apart(desk, ana):
    namesake = factories.PatientFactory(
        first_name="Ana", last_name="Silva", date_of_birth="2001-02-03", number="P99999"
    )
    for term in ("Silva", "2/3/2001", "P99999"):
        found = desk.get(f"{BOARD}patients/", {"q": term}).content.decode()
        assert f"who-{namesake.pk}" in found
        assert "born Feb 3, 2001 · P99999" in found
    assert f"who-{ana.pk}" in desk.get(f"{BOARD}patients/?q=Silva").content.decode()


def fill_the_day(exam, okafor, main_street, count):
    for number in range(count):
        factories.AppointmentFactory(
            visit_type=exam,
            provider=okafor,
            location=main_street,
            starts_at=datetime(2026, 3, 3, 14, tzinfo=UTC) + timedelta(minutes=30 * number),
        )


@pytest.mark.parametrize("count", [1, 12])
def test_the_page_asks_the_same_few_questions_however_full_the_day_is(
    desk, exam, okafor, main_street, count, django_assert_max_num_queries
):
    fill_the_day(exam, okafor, main_street, count)
    desk.get(BOARD)
    with django_assert_max_num_queries(11):
        response = desk.get(f"{BOARD}?day=2026-03-03")
    assert response.content.decode().count("data-is=") == count


def test_a_poll_of_a_diary_that_stands_still_asks_it_one_question(desk, anas_exam, django_assert_num_queries):
    page = f"{BOARD}columns/?day=2026-03-03"
    etag = desk.get(page)["ETag"]
    with django_assert_num_queries(3):  # who is signed in (two), and the diary's stamps
        response = desk.get(page, headers={"If-None-Match": etag})
    assert (response.status_code, response.content) == (304, b"")


def test_the_first_page_knows_the_stamp_of_what_it_shows(desk, anas_exam):
    page = desk.get(f"{BOARD}?day=2026-03-03")
    stamp = page.context["stamp"]
    poll = desk.get(f"{BOARD}columns/?day=2026-03-03", headers={"If-None-Match": stamp})
    assert poll.status_code == 304


def is_new(desk, before):
    return desk.get(f"{BOARD}columns/?day=2026-03-03", headers={"If-None-Match": before}).status_code == 200


def test_every_change_to_the_diary_is_seen_at_the_next_poll(desk, anas_exam, ben, exam, okafor, slot_at):
    changes = [
        lambda: services.hold(patient=ben, visit_type=exam, slot=slot_at(3, 10), channel="sms"),
        lambda: services.book(patient=ben, visit_type=exam, slot=slot_at(3, 10), channel="sms"),
        lambda: services.confirm(appointment=anas_exam, channel="sms"),
        lambda: services.reschedule(appointment=anas_exam, slot=slot_at(4, 10), channel="web"),
        lambda: Appointment.objects.for_patient(ben).update(note="Wheelchair"),
        lambda: ScheduleException.objects.create(kind="closed", date="2026-03-03", reason="Storm"),
    ]
    for change in changes:
        before = desk.get(f"{BOARD}columns/?day=2026-03-03")["ETag"]
        assert not is_new(desk, before)
        change()
        assert is_new(desk, before)


def test_time_itself_is_seen_by_the_minute(desk, anas_exam):
    before = desk.get(f"{BOARD}columns/?day=2026-03-03")["ETag"]
    with clock.frozen_at(MONDAY.replace(second=59)):
        assert not is_new(desk, before)
    with clock.frozen_at(MONDAY.replace(minute=1)):
        assert is_new(desk, before)


# ------------------------------------------------------------------ who may


def doors(appointment, slot):
    """Return every door of the board: method, address, what is posted."""
    visit = f"{BOARD}{appointment.pk}/"
    yield "get", BOARD, {}
    yield "get", f"{BOARD}columns/", {}
    yield "get", f"{BOARD}patients/?q=Silva", {}
    yield "get", f"{BOARD}book/?at={slot.key}", {}
    yield "post", f"{BOARD}book/", {"at": slot.key, "key": uuid4()}
    yield "get", visit, {}
    yield "get", f"{visit}move/?to={slot.key}", {}
    yield "post", f"{visit}move/", {"to": slot.key, "key": uuid4()}
    yield "post", f"{visit}release/", {}
    for step in ("check_in", "start_exam", "complete", "confirm", "no_show", "cancel"):
        yield "post", f"{visit}{step}/", {"reason": "why"}


def answers(client, appointment, slot):
    return {
        (method, address.split("?")[0].removeprefix(BOARD)): getattr(client, method)(address, posted)
        for method, address, posted in doors(appointment, slot)
    }


def test_patients_and_strangers_are_sent_to_the_log_in(client, anas_exam, ana, slot_at):
    for account in (None, ana.account):
        if account:
            client.force_login(account)
        for response in answers(client, anas_exam, slot_at(3, 14)).values():
            assert response.status_code == 302
    assert Appointment.objects.get().state == "booked"


def test_staff_without_rights_see_nothing(staff, anas_exam, slot_at):
    client = staff("view_patient")
    for response in answers(client, anas_exam, slot_at(3, 14)).values():
        assert response.status_code == 403
    assert Appointment.objects.get().state == "booked"


def test_who_may_only_look_changes_nothing(staff, anas_exam, slot_at):
    client = staff("view_appointment", "view_patient")
    seen = {
        door: response.status_code for door, response in answers(client, anas_exam, slot_at(3, 14)).items()
    }
    visit = f"{anas_exam.pk}/"
    assert {door for door, status in seen.items() if status == 200} == {
        ("get", ""),
        ("get", "columns/"),
        ("get", visit),
    }
    assert set(seen.values()) == {200, 403}
    assert Appointment.objects.get().state == "booked"
    assert 'class="start' not in client.get(f"{BOARD}?day=2026-03-03").content.decode()
    panel = client.get(f"{BOARD}{visit}").content.decode()
    assert "Check in" not in panel
    assert '<form method="post"' not in panel


def test_finding_patients_takes_the_right_to_see_them(staff, ana):
    assert staff("add_appointment").get(f"{BOARD}patients/?q=Silva").status_code == 403
    assert staff("add_appointment", "view_patient").get(f"{BOARD}patients/?q=Silva").status_code == 200


def test_a_post_from_elsewhere_is_refused(dana, anas_exam, slot_at):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(dana)
    for (method, _), response in answers(browser, anas_exam, slot_at(3, 14)).items():
        assert response.status_code == (403 if method == "post" else 200)
    assert Appointment.objects.get().state == "booked"


# ------------------------------------------------------------------ booking


def booking(slot, patient, visit_type, **more):
    return {
        "at": slot.key,
        "key": str(uuid4()),
        "patient": str(patient.pk) if patient else "",
        "visit_type": str(visit_type.pk) if visit_type else "",
        "note": "",
        **more,
    }


def test_a_click_on_a_free_time_asks_who_comes_for_what_the_provider_does(desk, exam, okafor, slot_at):
    VisitType.objects.create(name="Glasses adjustment", slug="adjustment", minutes=15)
    page = desk.get(f"{BOARD}book/?at={slot_at(3, 9).key}").content.decode()
    assert "Tuesday, March 3 at 9:00 AM" in page
    assert "Comprehensive eye exam, 30 min" in page
    assert "Glasses adjustment" not in page


def test_the_front_desk_books_by_click(desk, dana, ana, exam, slot_at):
    response = desk.post(f"{BOARD}book/", booking(slot_at(3, 9), ana, exam, note="Wheelchair"), headers=HTMX)
    booked = Appointment.objects.get()
    assert (response.status_code, booked.state, booked.note) == (204, "booked", "Wheelchair")
    assert (booked.starts_at, booked.channel) == (at(3, 9), "staff")
    assert booked.events.get().actor == dana
    assert "Ana Silva is booked: Tuesday, March 3 at 9:00 AM" in response["HX-Trigger"]
    assert str(booked.pk) in response["HX-Trigger"]


def test_pressing_twice_books_once(desk, ana, exam, slot_at):
    form = booking(slot_at(3, 9), ana, exam)
    assert [desk.post(f"{BOARD}book/", form).status_code for _ in range(2)] == [204, 204]
    assert Appointment.objects.count() == 1


def test_a_taken_time_is_refused_in_place_and_what_was_typed_stays(desk, ben, exam, slot_at, anas_exam):
    response = desk.post(f"{BOARD}book/", booking(slot_at(3, 9), ben, exam, note="Brings her mother"))
    page = response.content.decode()
    assert response.status_code == 409
    assert "Sorry, that time has just been taken." in page
    assert slot_at(3, 9, 30).key in page
    assert 'value="Brings her mother"' in page
    assert f'value="{ben.pk}"' in page
    assert "override_reason" not in page
    assert Appointment.objects.get() == anas_exam


def test_a_no_is_said_before_anybody_presses_the_button(desk, ben, exam, slot_at, anas_exam):
    form = booking(slot_at(3, 9), ben, exam) | {"check": "1"}
    page = desk.post(f"{BOARD}book/", form).content.decode()
    assert "Sorry, that time has just been taken." in page
    free = desk.post(f"{BOARD}book/", form | {"at": slot_at(3, 10).key}).content.decode()
    assert "Until 10:30 AM" in free
    assert "Sorry" not in free
    assert Appointment.objects.get() == anas_exam


def test_outside_the_hours_takes_a_reason_that_stands_in_the_history(desk, dana, ana, exam, slot_at):
    form = booking(slot_at(3, 18), ana, exam)
    page = desk.post(f"{BOARD}book/", form)
    assert page.status_code == 409
    assert "override_reason" in page.content.decode()
    assert not Appointment.objects.exists()
    assert desk.post(f"{BOARD}book/", form | {"override_reason": "Broke her glasses"}).status_code == 204
    event = Appointment.objects.get().events.get()
    assert (event.is_override, event.reason, event.actor) == (True, "Broke her glasses", dana)


def test_a_reason_does_not_book_a_taken_time(desk, ben, exam, slot_at, anas_exam):
    form = booking(slot_at(3, 9), ben, exam, override_reason="He insists")
    assert desk.post(f"{BOARD}book/", form).status_code == 409
    assert Appointment.objects.get() == anas_exam


def test_any_minute_of_the_hours_will_do_at_the_desk(desk, ana, exam, slot_at):
    assert desk.post(f"{BOARD}book/", booking(slot_at(3, 9, 35), ana, exam)).status_code == 204
    assert Appointment.objects.get().events.get().is_override is False


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [("patient", "Choose a patient from the list."), ("visit_type", "Choose the kind of visit.")],
)
def test_what_is_missing_is_said_beside_its_field(desk, ana, exam, slot_at, missing, sentence):
    for nonsense in ("", "x", str(uuid4())):
        form = booking(slot_at(3, 9), ana, exam) | {missing: nonsense}
        response = desk.post(f"{BOARD}book/", form)
        assert response.status_code == 422
        if not nonsense:
            assert sentence in response.content.decode()
    assert not Appointment.objects.exists()


def test_somebody_who_left_the_practice_is_not_booked(desk, ana, exam, slot_at):
    ana.is_active = False
    ana.save()
    assert desk.post(f"{BOARD}book/", booking(slot_at(3, 9), ana, exam)).status_code == 422
    assert not Appointment.objects.exists()


def test_a_link_says_for_whom_the_next_click_books(desk, ana, exam):
    page = desk.get(f"{BOARD}?day=2026-03-03&patient={ana.pk}&visit_type={exam.pk}").content.decode()
    assert "Booking for Ana Silva" in page
    assert f"&amp;patient={ana.pk}&amp;visit_type={exam.pk}" in page


# ------------------------------------------------------------------ a visit's panel


def reads(appointment):
    return AuditEvent.objects.filter(action="read", row=str(appointment.pk)).count()


def test_opening_a_visit_is_recorded_once_and_polling_is_not(desk, dana, anas_exam):
    desk.get(f"{BOARD}?day=2026-03-03")
    desk.get(f"{BOARD}columns/?day=2026-03-03")
    assert reads(anas_exam) == 0
    page = desk.get(f"{BOARD}{anas_exam.pk}/").content.decode()
    assert "Ana Silva" in page
    assert "May 17, 1980" in page
    assert reads(anas_exam) == 1
    assert AuditEvent.objects.get(action="read").actor == str(dana.pk)
    desk.post(f"{BOARD}{anas_exam.pk}/confirm/")
    assert reads(anas_exam) == 1


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("check_in", "arrived"),
        ("start_exam", "in_exam"),
        ("complete", "done"),
        ("confirm", "confirmed"),
        ("no_show", "no_show"),
        ("cancel", "cancelled"),
    ],
)
def test_a_button_takes_the_visit_a_step_on(desk, dana, anas_exam, step, state):
    with clock.frozen_at(at(3, 9, 10)):
        response = desk.post(f"{BOARD}{anas_exam.pk}/{step}/", {"reason": "Provider is ill"}, headers=HTMX)
    anas_exam.refresh_from_db()
    assert (response.status_code, anas_exam.state) == (204, state)
    assert anas_exam.events.last().actor == dana
    assert "Ana Silva" in response["HX-Trigger"]


@pytest.mark.parametrize("step", ["check_in", "start_exam", "complete", "confirm", "no_show", "cancel", "x"])
def test_following_a_link_changes_nothing(desk, anas_exam, step):
    assert desk.get(f"{BOARD}{anas_exam.pk}/{step}/").status_code == 404
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_a_step_that_cannot_be_taken_is_refused_in_the_panel(desk, anas_exam):
    services.cancel(appointment=anas_exam, channel="web")
    response = desk.post(f"{BOARD}{anas_exam.pk}/confirm/")
    assert response.status_code == 409
    assert "it cannot become confirmed" in response.content.decode()
    anas_exam.refresh_from_db()
    assert anas_exam.state == "cancelled"


def test_a_visit_of_another_day_offers_no_check_in(desk, anas_exam):
    buttons = desk.get(f"{BOARD}{anas_exam.pk}/").content.decode()
    for label in ("Check in", "Start the exam", "Done", "Did not come"):
        assert label not in buttons
    for label in ("Confirm", "Cancel the visit", "Move"):
        assert label in buttons
    with clock.frozen_at(at(3, 9)):
        assert "Check in" in desk.get(f"{BOARD}{anas_exam.pk}/").content.decode()


def test_cancelling_takes_a_reason(desk, anas_exam):
    for reason in ("", "   "):
        response = desk.post(f"{BOARD}{anas_exam.pk}/cancel/", {"reason": reason})
        assert response.status_code == 422
        assert "Please say why." in response.content.decode()
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"
    desk.post(f"{BOARD}{anas_exam.pk}/cancel/", {"reason": "Provider is ill"})
    anas_exam.refresh_from_db()
    assert (anas_exam.state, anas_exam.events.last().reason) == ("cancelled", "Provider is ill")


def test_a_held_time_is_given_back_by_click(desk, dana, ana, exam, slot_at):
    held = services.hold(patient=ana, visit_type=exam, slot=slot_at(3, 9), channel="web")
    panel = desk.get(f"{BOARD}{held.pk}/").content.decode()
    assert "Give the time back" in panel
    assert "Check in" not in panel
    assert desk.post(f"{BOARD}{held.pk}/release/").status_code == 204
    held.refresh_from_db()
    event = held.events.last()
    assert (held.state, event.actor, event.channel) == ("released", dana, "staff")


def test_giving_back_what_is_a_visit_by_now_leaves_the_visit(desk, anas_exam):
    desk.post(f"{BOARD}{anas_exam.pk}/release/")
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_a_visit_that_does_not_exist_is_missing(desk, practice):
    for door in ("", "move/", "confirm/", "release/"):
        assert desk.post(f"{BOARD}{uuid4()}/{door}").status_code == 404


# ------------------------------------------------------------------ moving


def test_a_move_is_read_back_before_it_is_written(desk, anas_exam, slot_at):
    page = desk.get(f"{BOARD}{anas_exam.pk}/move/?to={slot_at(4, 14).key}").content.decode()
    assert "Tuesday, March 3 at 9:00 AM with Dr. Maya Okafor" in page
    assert "Wednesday, March 4 at 2:00 PM with Dr. Maya Okafor" in page
    assert Appointment.objects.get().state == "booked"


def test_a_confirmed_move_goes_to_the_day_where_the_visit_stands_now(desk, dana, anas_exam, slot_at):
    form = {"to": slot_at(4, 14).key, "key": uuid4(), "placing": "1"}
    response = desk.post(f"{BOARD}{anas_exam.pk}/move/", form, headers=HTMX)
    anas_exam.refresh_from_db()
    moved = anas_exam.moved_to
    assert (anas_exam.state, moved.starts_at, moved.events.get().actor) == ("moved", at(4, 14), dana)
    assert response["HX-Redirect"] == f"{BOARD}?day=2026-03-04#visit-{moved.pk}"


def test_a_move_to_a_taken_time_changes_nothing_and_says_what_is_free(desk, anas_exam, ben, exam, slot_at):
    services.book(patient=ben, visit_type=exam, slot=slot_at(3, 10), channel="web")
    target = slot_at(3, 10).key
    for response in (
        desk.get(f"{BOARD}{anas_exam.pk}/move/?to={target}"),
        desk.post(f"{BOARD}{anas_exam.pk}/move/", {"to": target, "key": uuid4()}),
    ):
        page = response.content.decode()
        assert "Sorry, that time has just been taken." in page
        assert slot_at(3, 9, 30).key in page
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_a_move_outside_the_hours_takes_a_reason(desk, anas_exam, slot_at):
    form = {"to": slot_at(3, 18).key, "key": uuid4()}
    assert desk.post(f"{BOARD}{anas_exam.pk}/move/", form).status_code == 409
    desk.post(f"{BOARD}{anas_exam.pk}/move/", form | {"override_reason": "Comes after work"})
    anas_exam.refresh_from_db()
    event = anas_exam.moved_to.events.get()
    assert (event.is_override, event.reason) == (True, "Comes after work")


def test_a_move_without_its_key_is_not_written(desk, anas_exam, slot_at):
    response = desk.post(f"{BOARD}{anas_exam.pk}/move/", {"to": slot_at(4, 14).key, "key": "x"})
    assert response.status_code == 422
    anas_exam.refresh_from_db()
    assert anas_exam.state == "booked"


def test_who_comes_early_is_checked_in_at_the_earlier_time_without_a_text(desk, anas_exam, exam, slot_at):
    services.reschedule(appointment=anas_exam, slot=slot_at(3, 14), channel="web")
    later = Appointment.objects.active().get()
    with clock.frozen_at(at(3, 9)):
        early = f"{BOARD}{later.pk}/move/"
        assert "The patient is here already" in desk.get(f"{early}?to={slot_at(3, 9).key}").content.decode()
        desk.post(early, {"to": slot_at(3, 9).key, "key": uuid4(), "is_here": "on"})
    came = Appointment.objects.active().get()
    assert (came.state, came.starts_at) == ("arrived", at(3, 9))


def test_the_board_shows_what_is_moving_and_offers_no_free_time_for_what_ended(desk, anas_exam):
    page = desk.get(f"{BOARD}?day=2026-03-03&moving={anas_exam.pk}").content.decode()
    assert "Moving Ana Silva" in page
    assert f"{anas_exam.pk}/move/?to=" in page
    services.cancel(appointment=anas_exam, channel="web")
    page = desk.get(f"{BOARD}?day=2026-03-03&moving={anas_exam.pk}").content.decode()
    assert "Moving Ana Silva" not in page
