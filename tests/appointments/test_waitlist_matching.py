"""Whom a time that came free suits, and who of them is asked first."""

from datetime import date, datetime, time, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments import availability, services, waitlist
from appointments.models import Appointment, Opening, VisitType, WaitlistEntry, WaitlistOffer
from appointments.waitlist import matching
from appointments.waitlist.matching import Wish
from patients.models import Patient
from practice.models import Location, Provider
from tests import factories
from tests.factories import MONDAY, ZONE

OKAFOR = Provider(pk=1, first_name="Maya", last_name="Okafor")
CHEN = Provider(pk=2, first_name="Li", last_name="Chen")
MAIN, NORTH = Location(pk=1, name="Main Street"), Location(pk=2, name="North")
EXAM = VisitType(pk=1, name="Exam", slug="exam", minutes=30)
FITTING = VisitType(pk=2, name="Fitting", slug="fitting", minutes=60)


def at(day, hour, minute=0):
    return datetime(2026, 3, day, hour, minute, tzinfo=ZONE)


def slot(day, hour, minute=0, visit_type=EXAM, provider=OKAFOR, location=MAIN):
    return availability.slot(visit_type, provider, location, at(day, hour, minute), ZONE)


def wish(moves=None, elsewhere=(), visit_type=EXAM, **columns):
    known = {"first_day": date(2026, 3, 2), "created_at": MONDAY, "weekdays": [], **columns}
    return Wish(WaitlistEntry(visit_type=visit_type, **known), moves, elsewhere)


def visit(starts_at, minutes=30):
    return Appointment(starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes))


TUESDAY_NINE = slot(3, 9)


@pytest.mark.parametrize(
    "fitting",
    [
        {},
        {"provider": OKAFOR},
        {"location": MAIN},
        {"first_day": date(2026, 3, 3), "last_day": date(2026, 3, 3)},
        {"weekdays": [1]},
        {"from_time": time(9)},
        {"until_time": time(9, 1)},
        {"moves": visit(at(3, 9, 30))},
        {"elsewhere": [visit(at(3, 8, 30)), visit(at(3, 9, 30))]},
    ],
)
def test_a_time_fits_a_wish(fitting):
    assert wish(**fitting).fits(TUESDAY_NINE)


@pytest.mark.parametrize(
    "narrow",
    [
        {"provider": CHEN},
        {"location": NORTH},
        {"first_day": date(2026, 3, 4)},
        {"last_day": date(2026, 3, 2)},
        {"weekdays": [0, 2, 3, 4, 5, 6]},
        {"from_time": time(9, 1)},
        {"until_time": time(9)},
        {"moves": visit(at(3, 9))},
        {"moves": visit(at(3, 8))},
        {"elsewhere": [visit(at(3, 9, 29))]},
        {"elsewhere": [visit(at(3, 8, 0), minutes=61)]},
    ],
)
def test_a_time_does_not_fit_a_wish(narrow):
    assert not wish(**narrow).fits(TUESDAY_NINE)


def test_a_wish_for_an_earlier_time_is_void_without_its_visit():
    gone = WaitlistEntry(visit_type=EXAM, first_day=date(2026, 3, 2), moving_id=Appointment().pk)
    assert not Wish(gone).fits(TUESDAY_NINE)


def test_hours_and_days_are_the_practices_on_both_sides_of_the_clock_change():
    """Clocks go forward on Sunday, March 8; nine stays nine, whatever UTC says."""
    mornings = wish(from_time=time(9), until_time=time(10))
    assert mornings.fits(slot(6, 9))
    assert mornings.fits(slot(9, 9))
    assert not mornings.fits(slot(9, 10))
    assert wish(weekdays=[4]).fits(slot(6, 20))  # Saturday in UTC


def test_the_best_fit_is_asked_first_and_then_who_waits_longest():
    named = wish(provider=OKAFOR, created_at=at(2, 12))
    narrow = wish(weekdays=[1], until_time=time(12), created_at=at(2, 11))
    has_none = wish(created_at=at(2, 10))
    has_none_newer = wish(created_at=at(2, 10, 30))
    has_late = wish(moves=visit(at(30, 9)), created_at=at(2, 8))
    has_soon = wish(moves=visit(at(4, 9)), created_at=at(2, 7))
    anyhow = [has_soon, has_none_newer, has_late, narrow, has_none, named]
    (chance,) = matching.chances(anyhow, {EXAM.pk: [TUESDAY_NINE]})
    assert chance.wishes == [named, narrow, has_none, has_none_newer, has_late, has_soon]


def test_one_chance_is_one_time_of_one_kind_of_visit():
    nine, half_past = slot(3, 9), slot(3, 9, 30)
    long = slot(3, 9, visit_type=FITTING)
    late = wish(from_time=time(9, 30), provider=OKAFOR)
    fitting, anytime = wish(visit_type=FITTING, weekdays=[1]), wish()
    found = matching.chances([anytime, fitting, late], {EXAM.pk: [nine, half_past], FITTING.pk: [long]})
    assert found == [(half_past, [late, anytime]), (long, [fitting]), (nine, [anytime])]


def test_only_slots_that_need_the_freed_time_count_and_those_within_it_come_first():
    slots = [slot(3, 9, visit_type=FITTING), slot(3, 9, 30, FITTING), slot(3, 10, visit_type=FITTING)]
    assert matching.within(slots, at(3, 9, 30), at(3, 10)) == [slots[1], slots[0]]


@pytest.mark.django_db
def test_a_thousand_who_wait_take_no_more_queries_than_ten(monday, exam, okafor, slot_at):
    queries = {}
    for count in (10, 1000):
        _wait(exam, count - WaitlistEntry.objects.count())
        opening = _opening(exam, slot_at(3 if count == 10 else 4, 9))
        WaitlistOffer.objects.all().delete()
        with CaptureQueriesContext(connection) as counted:
            assert waitlist.work_on(opening.pk) == 3
        queries[count] = len(counted)
    assert queries[1000] <= queries[10]


def _wait(exam, count):
    patients = factories.PatientFactory.build_batch(count, account=None)
    Patient.objects.bulk_create(patients)
    for patient in patients[:20]:
        factories.ConsentFactory(patient=patient)
    WaitlistEntry.objects.bulk_create(
        WaitlistEntry(
            patient=patient,
            visit_type=exam,
            first_day=date(2026, 3, 2),
            created_at=MONDAY + timedelta(seconds=n),
        )
        for n, patient in enumerate(patients)
    )


def _opening(exam, freed):
    somebody = factories.PatientFactory()
    booked = services.book(patient=somebody, visit_type=exam, slot=freed, channel="web")
    services.cancel(appointment=booked, channel="staff")
    return Opening.objects.get(freed_by=booked)
