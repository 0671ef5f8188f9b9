"""The diary's pages: what a patient sees, holds, books, moves, cancels and waits for in a browser."""

import re
import uuid
from datetime import timedelta

import pytest

from appointments import services, waitlist
from appointments.models import (
    Appointment,
    CalendarLink,
    Opening,
    ScheduleException,
    WaitlistEntry,
    WaitlistOffer,
)
from eyecare import clock
from practice.models import Weekday
from tests import factories


@pytest.fixture
def signed_in(client, ana):
    client.force_login(ana.account)
    return client


def times_on(response) -> list[str]:
    return re.findall(r"<b>(\d+:\d\d [AP]M)</b>", response.content.decode())


def keys_on(response) -> list[str]:
    return re.findall(r'name="slot" value="([^"]+)"', response.content.decode())


def words_of(response) -> str:
    """Return what a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def pressed(**more) -> dict[str, str]:
    return {"key": str(uuid.uuid4()), **more}


def choose(client, slot, of="/appointments/book/exam/"):
    """Press the button of a time."""
    return client.post(of, {"slot": slot.key}, follow=True)


class TestTheList:
    def test_it_shows_what_is_coming_and_what_has_been(self, signed_in, anas_exam, ana, exam):
        factories.AppointmentFactory(
            patient=ana, visit_type=exam, starts_at=clock.now() - timedelta(days=400), state="done"
        )
        page = signed_in.get("/appointments/").content.decode()
        assert "Tuesday, March 3 at 9:00 AM" in page
        assert ", 2025 at" in page

    @pytest.mark.parametrize("rows", [1, 12])
    def test_it_asks_the_same_few_questions_however_many_visits(
        self, signed_in, monday, ana, exam, okafor, rows, django_assert_max_num_queries
    ):
        for number in range(rows):
            factories.AppointmentFactory(
                patient=ana,
                visit_type=exam,
                provider=okafor,
                starts_at=clock.now() - timedelta(days=10 + number),
                state="done",
            )
        with django_assert_max_num_queries(12):
            signed_in.get("/appointments/")

    def test_a_time_that_was_moved_away_from_is_no_visit_of_its_own(self, signed_in, anas_exam, slot_at):
        services.reschedule(appointment=anas_exam, slot=slot_at(4, 10), channel="web")
        page = words_of(signed_in.get("/appointments/"))
        assert "March 4 at 10:00 AM" in page
        assert "March 3" not in page

    def test_a_time_that_is_held_can_be_gone_on_with(self, signed_in, monday, exam, tuesday_nine):
        choose(signed_in, tuesday_nine)
        page = signed_in.get("/appointments/").content.decode()
        assert "Held for you until 9:10 AM" in page
        assert f'href="/appointments/book/exam/{tuesday_nine.key}/"' in page
        assert "No visit is booked." in page


class TestChoosing:
    def test_the_first_free_days_are_offered_and_the_next_ones_behind_a_link(self, signed_in, monday, exam):
        response = signed_in.get("/appointments/book/exam/")
        assert "Monday, March 2" in response.content.decode()
        assert times_on(response)[0] == "11:00 AM"
        assert "?start=2026-03-05" in response.content.decode()

    def test_only_mornings_are_offered_to_whom_wants_mornings(self, signed_in, monday, exam):
        response = signed_in.get("/appointments/book/exam/?part=morning&start=2026-03-03")
        mornings = {"9:00 AM", "9:30 AM", "10:00 AM", "10:30 AM", "11:00 AM", "11:30 AM"}
        assert set(times_on(response)) == mornings

    def test_a_filter_that_cannot_be_read_is_named_and_ignored(self, signed_in, monday, exam):
        response = signed_in.get("/appointments/book/exam/?start=yesterday&provider=999")
        assert response.status_code == 200
        assert "Enter a valid date." in response.content.decode()
        assert times_on(response)

    def test_a_day_on_which_nothing_is_free_says_why_before_the_next_ones(self, signed_in, monday, exam):
        ScheduleException.objects.create(kind="closed", date="2026-03-04", reason="Founders’ Day")
        closed = words_of(signed_in.get("/appointments/book/exam/?start=2026-03-04"))
        sunday = words_of(signed_in.get("/appointments/book/exam/?start=2026-03-08"))
        beyond = words_of(signed_in.get("/appointments/book/exam/?start=2199-01-01"))
        assert "Founders’ Day. These are the next free times." in closed
        assert "Nothing like that is free on Sunday, March 8. These are the next free times." in sunday
        assert "Our diary is open until August 29." in beyond

    def test_who_has_as_many_visits_as_may_be_is_sent_to_the_front_desk_first(
        self, signed_in, monday, ana, exam
    ):
        for day in range(4):
            factories.AppointmentFactory(
                patient=ana, visit_type=exam, starts_at=monday + timedelta(days=day + 1)
            )
        page = signed_in.get("/appointments/book/exam/")
        assert "You have 4 visits to come already." in words_of(page)
        assert not keys_on(page)

    def test_a_kind_of_visit_that_does_not_exist_is_not_found(self, signed_in, monday, exam):
        assert signed_in.get("/appointments/book/surgery/").status_code == 404

    def test_the_link_of_a_recall_leads_on_after_the_log_in(self, client, monday, ana, exam):
        response = client.get("/appointments/book/exam/")
        assert response.url == "/account/login/?next=/appointments/book/exam/"
        inside = client.post(
            response.url, {"login": ana.account.email, "password": "correct horse battery"}, follow=True
        )
        assert inside.redirect_chain[-1][0] == "/appointments/book/exam/"
        assert times_on(inside)

    def test_a_visit_for_known_patients_only_is_arranged_by_phone_with_a_newcomer(
        self, signed_in, monday, okafor
    ):
        factories.VisitTypeFactory(name="Field test", slug="field", intended_for="known", providers=[okafor])
        assert "by phone" in words_of(signed_in.get("/appointments/book/"))
        page = signed_in.get("/appointments/book/field/")
        assert not keys_on(page)
        assert "(212) 555-0100" in words_of(page)

    def test_what_is_not_booked_online_shows_the_phone_and_no_times(self, signed_in, monday, okafor):
        factories.VisitTypeFactory(name="Urgent visit", slug="urgent", is_online=False, providers=[okafor])
        assert (
            'href="/appointments/book/urgent/"' not in signed_in.get("/appointments/book/").content.decode()
        )
        page = signed_in.get("/appointments/book/urgent/")
        assert not keys_on(page)
        assert "This visit is arranged by phone." in words_of(page)

    def test_widened_pupils_are_spoken_of_before_the_yes_and_after_it(
        self, signed_in, monday, exam, tuesday_nine
    ):
        type(exam).objects.update(may_dilate=True, preparation="Bring your glasses.")
        before = choose(signed_in, tuesday_nine)
        after = signed_in.post(before.request["PATH_INFO"], pressed(), follow=True)
        for page in (before, after):
            assert "Your pupils may be widened" in words_of(page)
            assert "Bring your glasses." in words_of(page)


class TestHolding:
    def test_choosing_a_time_holds_it_and_says_until_when(self, signed_in, monday, ana, exam, tuesday_nine):
        page = choose(signed_in, tuesday_nine)
        assert page.redirect_chain[-1][0] == f"/appointments/book/exam/{tuesday_nine.key}/"
        assert "Held for you until 9:10 AM" in words_of(page)
        assert services.hold_of(ana).starts_at == tuesday_nine.starts_at

    def test_opening_a_link_to_a_time_writes_nothing(self, signed_in, monday, exam, tuesday_nine):
        page = words_of(signed_in.get(f"/appointments/book/exam/{tuesday_nine.key}/"))
        assert "Tue, Mar 3 9:00 AM" in page
        assert "This time is free, but not held for you yet." in page
        assert not Appointment.objects.exists()

    def test_opening_a_link_to_a_time_that_is_gone_names_others(
        self, signed_in, monday, ben, exam, tuesday_nine
    ):
        services.book(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
        page = signed_in.get(f"/appointments/book/exam/{tuesday_nine.key}/")
        assert page.status_code == 409
        assert "Sorry, that time has just been taken." in words_of(page)
        assert len(keys_on(page)) == 3

    def test_a_time_that_another_patient_is_just_checking_cannot_be_chosen(
        self, signed_in, monday, ben, exam, tuesday_nine
    ):
        services.hold(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
        page = choose(signed_in, tuesday_nine)
        assert page.status_code == 409
        assert tuesday_nine.key not in keys_on(page)
        assert "Tue, Mar 3 9:30 AM" in words_of(page)

    def test_going_back_and_choosing_another_time_holds_only_that(
        self, signed_in, monday, ana, exam, tuesday_nine, slot_at
    ):
        choose(signed_in, tuesday_nine)
        choose(signed_in, slot_at(4, 10))
        assert services.hold_of(ana).starts_at == slot_at(4, 10).starts_at
        assert Appointment.objects.held().count() == 1

    def test_choose_another_time_gives_it_back(self, signed_in, monday, exam, tuesday_nine):
        choose(signed_in, tuesday_nine)
        back = signed_in.post("/appointments/book/exam/give-back/")
        assert back.url == "/appointments/book/exam/"
        assert Appointment.objects.get().state == "released"

    def test_a_time_that_is_none_is_refused_and_not_a_fault(self, signed_in, monday, exam):
        for key in ("", "nonsense", "1.1.99991231T2359", "\x00"):
            assert signed_in.post("/appointments/book/exam/", {"slot": key}).status_code == 400

    def test_a_time_beyond_the_diary_is_refused_with_its_reason(self, signed_in, monday, exam, slot_at):
        page = choose(signed_in, slot_at(2, 9, month=12))
        assert page.status_code == 409
        assert "Our diary is open until August 29." in words_of(page)

    def test_a_holiday_is_named_as_the_reason(self, signed_in, monday, exam, tuesday_nine):
        ScheduleException.objects.create(kind="closed", date="2026-03-03", reason="Founders’ Day")
        page = choose(signed_in, tuesday_nine)
        assert page.status_code == 409
        assert "Founders’ Day" in words_of(page)


class TestBooking:
    def test_one_press_too_many_books_once(self, signed_in, monday, ana, exam, tuesday_nine):
        choose(signed_in, tuesday_nine)
        press = pressed(note="sore left eye")
        for _ in range(2):
            response = signed_in.post(f"/appointments/book/exam/{tuesday_nine.key}/", press)
        visit = Appointment.objects.get()
        assert response.url == f"/appointments/{visit.pk}/"
        assert (visit.patient, visit.channel, visit.note) == (ana, "web", "sore left eye")
        assert visit.state == "booked"

    def test_going_back_after_the_yes_leads_to_what_was_booked(self, signed_in, anas_exam, tuesday_nine):
        back = signed_in.get(f"/appointments/book/exam/{tuesday_nine.key}/")
        assert back.url == f"/appointments/{anas_exam.pk}/"

    def test_a_yes_after_the_hold_ran_out_books_what_is_still_free(
        self, signed_in, monday, ana, exam, tuesday_nine
    ):
        choose(signed_in, tuesday_nine)
        with clock.frozen_at(monday + timedelta(minutes=30)):
            assert services.hold_of(ana) is None
            signed_in.post(f"/appointments/book/exam/{tuesday_nine.key}/", pressed())
        assert Appointment.objects.visits().get().state == "booked"

    def test_a_yes_after_somebody_else_took_it_names_others_and_books_nothing(
        self, signed_in, monday, ana, ben, exam, tuesday_nine
    ):
        choose(signed_in, tuesday_nine)
        with clock.frozen_at(monday + timedelta(minutes=30)):
            services.book(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
            lost = signed_in.post(f"/appointments/book/exam/{tuesday_nine.key}/", pressed())
            assert lost.status_code == 409
            assert "Sorry, that time has just been taken." in words_of(lost)
            assert "These times are free and near to it" in words_of(lost)
            assert not Appointment.objects.visits().for_patient(ana).exists()
            other = signed_in.post("/appointments/book/exam/", {"slot": keys_on(lost)[0]}, follow=True)
        assert "Held for you until 9:40 AM" in words_of(other)


class TestMoving:
    def test_the_new_time_is_held_while_the_old_one_stands(self, signed_in, ana, anas_exam, slot_at):
        page = choose(signed_in, slot_at(4, 10), f"/appointments/{anas_exam.pk}/move/")
        assert "Held for you until 9:10 AM" in words_of(page)
        assert "Tuesday, March 3 at 9:00 AM is given back." in words_of(page)
        anas_exam.refresh_from_db()
        assert anas_exam.state == "booked"
        assert services.hold_of(ana).lineage == anas_exam.lineage

    def test_the_yes_moves_it_and_tells_how_it_moved(self, signed_in, anas_exam, slot_at):
        choose(signed_in, slot_at(4, 10), f"/appointments/{anas_exam.pk}/move/")
        page = signed_in.post(
            f"/appointments/{anas_exam.pk}/move/{slot_at(4, 10).key}/", pressed(), follow=True
        )
        assert "Wed, Mar 4" in words_of(page)
        assert "From Tue, March 3, 9:00 AM to Wed, March 4, 10:00 AM on March 2, by you" in words_of(page)
        anas_exam.refresh_from_db()
        assert anas_exam.state == "moved"

    def test_a_time_that_was_left_leads_to_where_the_visit_stands_now(self, signed_in, anas_exam, slot_at):
        second = services.reschedule(appointment=anas_exam, slot=slot_at(4, 10), channel="web")
        third = services.reschedule(appointment=second, slot=slot_at(5, 11), channel="staff")
        page = signed_in.get(f"/appointments/{anas_exam.pk}/").content.decode()
        assert f'href="/appointments/{third.pk}/">See the new time' in page

    def test_giving_the_new_time_back_leaves_the_visit_where_it_is(self, signed_in, anas_exam, slot_at):
        choose(signed_in, slot_at(4, 10), f"/appointments/{anas_exam.pk}/move/")
        back = signed_in.post(f"/appointments/{anas_exam.pk}/move/give-back/")
        assert back.url == f"/appointments/{anas_exam.pk}/move/"
        anas_exam.refresh_from_db()
        assert anas_exam.state == "booked"
        assert not Appointment.objects.held().exists()

    def test_a_new_time_that_is_lost_leaves_the_visit_where_it_is_and_says_so(
        self, signed_in, ben, exam, anas_exam, slot_at
    ):
        services.book(patient=ben, visit_type=exam, slot=slot_at(4, 10), channel="web")
        page = choose(signed_in, slot_at(4, 10), f"/appointments/{anas_exam.pk}/move/")
        assert page.status_code == 409
        assert "It stays on Tuesday, March 3 at 9:00 AM." in words_of(page)
        assert f'action="/appointments/{anas_exam.pk}/move/"' in page.content.decode()

    def test_too_late_to_move_shows_the_phone_and_no_times(self, signed_in, anas_exam):
        with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=30)):
            page = signed_in.get(f"/appointments/{anas_exam.pk}/move/")
        assert not keys_on(page)
        assert "(212) 555-0100" in words_of(page)


class TestTheVisit:
    def test_cancelling_asks_first(self, signed_in, anas_exam):
        assert "Cancel this visit?" in words_of(signed_in.get(f"/appointments/{anas_exam.pk}/cancel/"))
        anas_exam.refresh_from_db()
        assert anas_exam.is_active
        signed_in.post(f"/appointments/{anas_exam.pk}/cancel/", {"reason": "I have a cold"})
        anas_exam.refresh_from_db()
        assert anas_exam.state == "cancelled"
        assert anas_exam.events.last().reason == "I have a cold"

    def test_too_late_to_cancel_says_so_and_cancels_nothing(self, signed_in, anas_exam):
        with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=30)):
            response = signed_in.post(f"/appointments/{anas_exam.pk}/cancel/")
        assert response.status_code == 409
        assert "It is too late to" in words_of(response)
        anas_exam.refresh_from_db()
        assert anas_exam.is_active

    def test_a_visit_that_is_over_is_neither_moved_nor_cancelled_but_shown(self, signed_in, anas_exam):
        services.cancel(appointment=anas_exam, channel="web")
        for door in ("move", "cancel"):
            assert (
                signed_in.get(f"/appointments/{anas_exam.pk}/{door}/").url == f"/appointments/{anas_exam.pk}/"
            )

    def test_too_late_shows_why_and_how_to_reach_us_in_the_place_of_the_buttons(self, signed_in, anas_exam):
        with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=30)):
            page = signed_in.get(f"/appointments/{anas_exam.pk}/")
        assert "It is too late to" in words_of(page)
        assert "(212) 555-0100" in words_of(page)
        assert 'href="/chat/">Write to us' in page.content.decode()
        assert "Move it" not in words_of(page)
        assert "Cancel it" not in words_of(page)

    def test_moving_and_cancelling_have_notices_of_their_own(self, signed_in, anas_exam):
        type(anas_exam.visit_type).objects.update(move_notice_hours=48, cancel_notice_hours=2)
        page = words_of(signed_in.get(f"/appointments/{anas_exam.pk}/"))
        assert "Move it" not in page
        assert "Cancel it" in page

    def test_it_says_that_the_patient_is_in_the_exam(self, signed_in, dana, anas_exam):
        with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=5)):
            services.check_in(appointment=anas_exam, actor=dana)
            services.start_exam(appointment=anas_exam, actor=dana)
            page = words_of(signed_in.get(f"/appointments/{anas_exam.pk}/"))
        assert "in exam" in page
        assert "Move it" not in page

    def test_a_patient_says_that_they_will_come(self, signed_in, anas_exam):
        signed_in.post(f"/appointments/{anas_exam.pk}/confirm/")
        anas_exam.refresh_from_db()
        assert anas_exam.state == "confirmed"

    def test_a_mere_hold_is_no_visit_to_look_at(self, signed_in, monday, ana, exam, tuesday_nine):
        held = services.hold(patient=ana, visit_type=exam, slot=tuesday_nine, channel="web")
        assert signed_in.get(f"/appointments/{held.pk}/").status_code == 404


class TestWaiting:
    JOIN = "/appointments/waitlist/join/exam/"

    def test_a_search_that_finds_nothing_leads_to_the_waitlist_with_what_was_asked(
        self, signed_in, monday, exam, okafor
    ):
        okafor.weekly_hours.all().delete()
        page = signed_in.get("/appointments/book/exam/?part=morning&start=2026-03-10").content.decode()
        assert f'href="{self.JOIN}?part=morning&amp;start=2026-03-10"' in page
        form = signed_in.get(f"{self.JOIN}?part=morning&start=2026-03-10").content.decode()
        assert 'value="2026-03-10"' in form
        assert '<option value="morning" selected>' in form

    def test_a_wish_is_kept_as_it_was_said(self, signed_in, monday, ana, exam, okafor):
        said = {"first_day": "2026-03-09", "last_day": "2026-03-20", "weekdays": ["1", "3"]}
        signed_in.post(self.JOIN, {**said, "part": "morning", "provider": okafor.pk})
        wish = WaitlistEntry.objects.get()
        assert (wish.patient, wish.visit_type, wish.provider, wish.channel) == (ana, exam, okafor, "web")
        assert (str(wish.first_day), str(wish.last_day)) == ("2026-03-09", "2026-03-20")
        assert wish.weekdays == [Weekday.TUESDAY, Weekday.THURSDAY]
        assert (wish.from_time, str(wish.until_time)) == (None, "12:00:00")

    def test_days_the_wrong_way_round_are_named_beside_their_field(self, signed_in, monday, exam):
        page = signed_in.post(self.JOIN, {"first_day": "2026-03-20", "last_day": "2026-03-09"})
        assert "This day lies before the first." in words_of(page)
        assert not WaitlistEntry.objects.exists()

    def test_the_wish_stands_on_the_visits_page_and_can_be_taken_back(self, signed_in, monday, ana, exam):
        entry = waitlist.join(patient=ana, visit_type=exam, channel="web", weekdays=[1])
        assert "Tuesdays" in words_of(signed_in.get("/appointments/"))
        signed_in.post(f"/appointments/waitlist/{entry.pk}/withdraw/")
        entry.refresh_from_db()
        assert entry.state == "withdrawn"
        assert "Tuesdays" not in words_of(signed_in.get("/appointments/waitlist/"))

    @pytest.mark.parametrize("wishes", [1, 5])
    def test_the_waitlist_asks_the_same_few_questions_however_many_wishes(
        self, signed_in, monday, ana, okafor, wishes, django_assert_max_num_queries
    ):
        for number in range(wishes):
            kind = factories.VisitTypeFactory(
                name=f"Kind {number}", slug=f"kind-{number}", providers=[okafor]
            )
            waitlist.join(patient=ana, visit_type=kind, channel="web")
        with django_assert_max_num_queries(12):
            signed_in.get("/appointments/waitlist/")

    def test_a_visit_can_wait_for_an_earlier_time(self, signed_in, ana, anas_exam, slot_at):
        late = services.reschedule(appointment=anas_exam, slot=slot_at(20, 10), channel="web")
        signed_in.post(f"/appointments/{late.pk}/earlier/", {"first_day": "2026-03-02"})
        wish = WaitlistEntry.objects.get()
        assert wish.moving == late

    def test_who_cannot_be_told_reads_it_before_they_wait(self, signed_in, monday, ana, exam):
        assert "We could not tell you" in words_of(signed_in.get(self.JOIN))
        factories.ConsentFactory(patient=ana)
        assert "We could not tell you" not in words_of(signed_in.get(self.JOIN))

    def test_what_is_not_booked_online_is_not_waited_for_either(self, signed_in, monday, okafor):
        factories.VisitTypeFactory(name="Urgent visit", slug="urgent", is_online=False, providers=[okafor])
        page = signed_in.post("/appointments/waitlist/join/urgent/", {"first_day": "2026-03-02"})
        assert page.status_code == 409
        assert not WaitlistEntry.objects.exists()


@pytest.fixture
def anas_offer(monday, ana, ben, exam, tuesday_nine) -> WaitlistOffer:
    """Tuesday nine, which Ben gave back, offered to Ana who waits."""
    factories.ConsentFactory(patient=ana)
    bens = services.book(patient=ben, visit_type=exam, slot=tuesday_nine, channel="web")
    waitlist.join(patient=ana, visit_type=exam, channel="web")
    services.cancel(appointment=bens, channel="web")
    waitlist.work_on(Opening.objects.get().pk)
    return WaitlistOffer.objects.get()


class TestOffers:
    def test_a_time_that_came_free_stands_on_top_of_the_visits_and_on_the_home_page(
        self, signed_in, anas_offer
    ):
        for path in ("/appointments/", "/appointments/waitlist/", "/"):
            page = words_of(signed_in.get(path))
            assert "A time came free Tue, Mar 3 9:00 AM" in page
            assert "Kept until 9:45 AM for you and others who wait; the first yes gets it." in page

    def test_taking_it_books_it(self, signed_in, ana, anas_offer):
        page = signed_in.post(f"/appointments/waitlist/offers/{anas_offer.pk}/accept/", follow=True)
        assert "It is yours: Tuesday, March 3 at 9:00 AM" in words_of(page)
        assert Appointment.objects.for_patient(ana).upcoming().count() == 1

    def test_taking_it_twice_is_once(self, signed_in, ana, anas_offer):
        pages = [signed_in.post(f"/appointments/waitlist/offers/{anas_offer.pk}/accept/") for _ in range(2)]
        assert pages[0].url == pages[1].url

    def test_keep_waiting_keeps_the_place(self, signed_in, anas_offer):
        signed_in.post(f"/appointments/waitlist/offers/{anas_offer.pk}/decline/")
        anas_offer.refresh_from_db()
        assert (anas_offer.state, anas_offer.entry.state) == ("declined", "waiting")

    def test_who_is_too_late_reads_it_and_is_shown_other_times(
        self, signed_in, monday, ana, ben, exam, anas_offer
    ):
        with clock.frozen_at(monday + timedelta(hours=3)):
            services.sweep_holds()
            services.book(patient=ben, visit_type=exam, slot=waitlist.slot_of(anas_offer), channel="web")
            page = signed_in.post(f"/appointments/waitlist/offers/{anas_offer.pk}/accept/")
        assert page.status_code == 409
        assert keys_on(page)
        assert not Appointment.objects.visits().for_patient(ana).exists()


class TestCalendars:
    FEED = re.compile(r'value="https?://[^/"]+(/appointments/calendar/[\w-]+\.ics)"')

    def address(self, page) -> str:
        return self.FEED.search(page.content.decode())[1]

    def test_a_visit_comes_as_a_file(self, signed_in, anas_exam):
        answer = signed_in.get(f"/appointments/{anas_exam.pk}/calendar.ics")
        assert answer["Content-Type"] == "text/calendar; charset=utf-8"
        assert answer["Content-Disposition"] == 'attachment; filename="visit.ics"'
        assert answer.content.startswith(b"BEGIN:VCALENDAR")

    def test_looking_makes_no_link(self, signed_in, monday):
        assert "Make my link" in words_of(signed_in.get("/appointments/calendar/"))
        assert not CalendarLink.objects.exists()

    def test_the_link_is_read_without_signing_in(self, signed_in, client, anas_exam):
        address = self.address(signed_in.post("/appointments/calendar/renew/", follow=True))
        client.logout()
        feed = client.get(address)
        assert feed["Content-Type"] == "text/calendar; charset=utf-8"
        assert b"DTSTART" in feed.content
        again = client.get(address, headers={"If-None-Match": feed["ETag"]})
        assert (again.status_code, again.content) == (304, b"")

    def test_a_new_link_closes_the_one_before(self, signed_in, monday):
        before = self.address(signed_in.post("/appointments/calendar/renew/", follow=True))
        after = self.address(signed_in.post("/appointments/calendar/renew/", follow=True))
        assert signed_in.get(before).status_code == 404
        assert signed_in.get(after).status_code == 200

    @pytest.mark.parametrize("token", ["nothing", "%00", "é", "x" * 500])
    def test_a_wrong_link_is_not_found(self, client, monday, practice, token):
        assert client.get(f"/appointments/calendar/{token}.ics").status_code == 404
