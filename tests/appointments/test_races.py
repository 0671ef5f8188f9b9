"""Many book the same time at the same moment: one wins, the others are told what else is free."""

import copy
import functools
import os
import random
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from appointments import services
from appointments.models import Appointment, AppointmentEvent, ResourceBooking
from eyecare import clock
from eyecare.errors import Refusal
from tests import factories
from tests.factories import MONDAY
from tests.threads import at_once


def race(jobs):
    """Run every job at the same moment of that Monday; a refusal is an outcome."""
    return at_once(jobs, now=MONDAY, outcomes=Refusal)


def won_and_lost(outcomes, refusal=services.SlotTaken):
    """Split outcomes into what came back and the alternatives of who was refused; nothing else may be."""
    lost = [outcome for outcome in outcomes if isinstance(outcome, refusal)]
    won = [outcome for outcome in outcomes if outcome not in lost]
    assert all(isinstance(outcome, Appointment) for outcome in won), won
    return won, [len(outcome.alternatives) for outcome in lost]


@pytest.fixture
def chen(exam, main_street):
    """A second provider of exams, Tuesdays nine to five."""
    provider = factories.ProviderFactory(first_name="Li", last_name="Chen", locations=[main_street])
    factories.WeeklyHoursFactory(provider=provider, location=main_street, weekday=1)
    exam.providers.add(provider)
    return provider


@pytest.fixture
def with_chen(chen, exam, main_street):
    def at(slot):
        return services.slot_from_key(exam, f"{chen.pk}.{main_street.pk}.{slot.key.rpartition('.')[2]}")

    return at


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", [services.book, services.hold])
def test_of_fifty_who_want_the_same_time_on_postgresql_one_gets_it(exam, tuesday_nine, verb):
    patients = [factories.PatientFactory() for _ in range(50)]
    jobs = [
        functools.partial(verb, patient=patient, visit_type=exam, slot=tuesday_nine, channel="web")
        for patient in patients
    ]
    won, lost = won_and_lost(race(jobs))
    assert (len(won), lost) == (1, [3] * 49)
    assert Appointment.objects.count() == AppointmentEvent.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_find_a_hold_that_ran_out_one_gets_the_time(monday, ana, exam, tuesday_nine):
    with clock.frozen_at(MONDAY - timedelta(hours=1)):
        services.hold(patient=ana, visit_type=exam, slot=tuesday_nine, channel="web")
    patients = [ana, *(factories.PatientFactory() for _ in range(49))]
    jobs = [
        functools.partial(services.book, patient=patient, visit_type=exam, slot=tuesday_nine, channel="web")
        for patient in patients
    ]
    won, lost = won_and_lost(race(jobs))
    assert (len(won), lost) == (1, [3] * 49)
    assert Appointment.objects.active().count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_are_offered_the_same_time_the_first_yes_gets_it(monday, exam, tuesday_nine):
    patients = [factories.PatientFactory() for _ in range(50)]
    held = services.hold_for_several(visit_type=exam, slot=tuesday_nine, until=MONDAY + timedelta(minutes=45))
    jobs = [
        functools.partial(
            services.take_over, hold=copy.copy(held), patient=patient, visit_type=exam, channel="sms"
        )
        for patient in patients
    ]
    won, lost = won_and_lost(race(jobs))
    assert (len(won), lost) == (1, [3] * 49)
    assert Appointment.objects.get().patient == won[0].patient


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_who_says_yes_while_holds_are_swept_gets_the_time_all_the_same(monday, exam, slot_at):
    patients = [factories.PatientFactory() for _ in range(10)]
    slots = [slot_at(3, hour, minute) for hour in range(9, 14) for minute in (0, 30)]
    asked = [
        {"patient": patient, "visit_type": exam, "slot": slot, "channel": "web"}
        for patient, slot in zip(patients, slots, strict=True)
    ]
    with clock.frozen_at(MONDAY - timedelta(minutes=10)):
        for each in asked:
            services.hold(**each)
    outcomes = race([*(functools.partial(services.book, **each) for each in asked), *[sweep] * 5])
    assert [outcome for outcome in outcomes if outcome is not None] == [
        outcome for outcome in outcomes if isinstance(outcome, Appointment)
    ]
    assert Appointment.objects.active().count() == 10


def sweep():
    services.sweep_holds()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_request_that_comes_ten_times_at_once_books_once(monday, ana, exam, tuesday_nine):
    job = functools.partial(
        services.book,
        patient=ana,
        visit_type=exam,
        slot=tuesday_nine,
        channel="api",
        idempotency_key="k1",
    )
    won, lost = won_and_lost(race([job] * 10))
    assert (len(won), len(set(won)), lost) == (10, 1, [])
    assert AppointmentEvent.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_moves_of_one_appointment_one_happens(anas_exam, slot_at):
    jobs = [
        functools.partial(services.reschedule, appointment=copy.copy(anas_exam), slot=slot, channel="web")
        for slot in (slot_at(4, 9), slot_at(5, 9))
    ]
    won, lost = won_and_lost(race(jobs), services.Ended)
    assert (len(won), len(lost)) == (1, 1)
    assert Appointment.objects.active().get() == won[0]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_moves_that_cross_do_not_wait_for_each_other_for_ever(monday, exam, slot_at, with_chen):
    """Each of eight goes from one provider to the other and back, half of them the other way round."""

    def to_and_fro(number):
        here = slot_at(3, 9 + number)
        ways = [here, with_chen(here)] if number % 2 else [with_chen(here), here]
        visit = services.book(
            patient=factories.PatientFactory(), visit_type=exam, slot=ways[0], channel="web"
        )
        for slot in ways[::-1] * 8:
            visit = services.reschedule(appointment=visit, slot=slot, channel="web")
        return visit

    won, _ = won_and_lost(race([functools.partial(to_and_fro, number) for number in range(8)]))
    assert len(won) == Appointment.objects.active().count() == 8
    assert Appointment.objects.filter(state="moved").count() == 8 * 16


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_who_want_each_others_time_do_not_both_get_it(
    monday, ana, ben, exam, tuesday_nine, slot_at, with_chen
):
    book = functools.partial(services.book, visit_type=exam, channel="web")
    visits = book(patient=ana, slot=tuesday_nine), book(patient=ben, slot=slot_at(3, 10))
    swap = [(visits[0], slot_at(3, 10)), (visits[1], tuesday_nine)]
    jobs = [
        functools.partial(services.reschedule, appointment=visit, slot=slot, channel="web")
        for visit, slot in swap
    ]
    won, lost = won_and_lost(race(jobs))
    assert (won, lost) == ([], [3, 3])
    assert set(Appointment.objects.active()) == set(visits)


@pytest.fixture
def fields(okafor, chen):
    """Two kinds of visit that need the practice's one visual field machine, each with its own provider."""
    machine = factories.ResourceFactory()
    kinds = [
        factories.VisitTypeFactory(name=name, slug=name.lower(), minutes=30, providers=[provider])
        for name, provider in (("Fields", okafor), ("Screening", chen))
    ]
    for kind in kinds:
        kind.needs.add(machine.kind)
    return kinds


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_kinds_of_visit_that_want_one_machine_do_not_both_get_it(monday, fields, tuesday_nine, with_chen):
    jobs = [
        functools.partial(
            services.book,
            patient=factories.PatientFactory(),
            visit_type=kind,
            slot=services.slot_from_key(kind, slot.key),
            channel="web",
        )
        for _ in range(10)
        for kind, slot in zip(fields, (tuesday_nine, with_chen(tuesday_nine)), strict=True)
    ]
    won, lost = won_and_lost(race(jobs))
    assert (len(won), lost) == (1, [3] * 19)
    assert ResourceBooking.objects.get().appointment == won[0]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_twenty_who_hold_book_move_and_cancel_at_random_leave_a_diary_without_overlaps(
    monday, exam, fields, slot_at, with_chen
):
    exams = [slot_at(3, hour) for hour in (9, 10, 11)]
    wanted = [(exam, slot) for slot in exams] + [(exam, with_chen(slot)) for slot in exams]
    wanted += [(fields[0], services.slot_from_key(fields[0], slot.key)) for slot in exams]
    patients = [factories.PatientFactory() for _ in range(20)]
    outcomes = race([functools.partial(one_afternoon, patient, wanted) for patient in patients])
    assert outcomes == [None] * 20
    assert not overlapping("appointments_appointment", "provider_id", "busy_from", "busy_until", OCCUPYING)
    assert not overlapping("appointments_appointment", "patient_id", "starts_at", "ends_at", OCCUPYING)
    assert not overlapping(
        "appointments_resourcebooking", "resource_id", "busy_from", "busy_until", "{row}.is_active"
    )


def one_afternoon(patient, wanted):
    """Hold, book, move, confirm, cancel, give back and sweep, by a die of the patient's own."""
    die = random.Random(patient.number)
    for turn in range(12):
        kind, slot = die.choice(wanted)
        visit = Appointment.objects.active().for_patient(patient).with_details().first()
        asked = {"patient": patient, "visit_type": kind, "slot": slot, "channel": "web"}
        steps = [
            lambda asked=asked: services.hold(**asked),
            lambda asked=asked: services.book(**asked),
            lambda: services.release(patient=patient),
            services.sweep_holds,
        ]
        if visit is not None and visit.visit_type == kind:
            steps += [
                lambda visit=visit, slot=slot: services.reschedule(
                    appointment=visit, slot=slot, channel="web"
                ),
                lambda visit=visit: services.confirm(appointment=visit, channel="web"),
                lambda visit=visit: services.cancel(appointment=visit, channel="web"),
            ]
        with clock.frozen_at(MONDAY + timedelta(minutes=turn * 7)), suppress(Refusal):
            die.choice(steps)()


OCCUPYING = "{row}.state IN ('held', 'booked', 'confirmed', 'arrived', 'in_exam')"


def overlapping(table, whose, start, end, counts):
    """Return how many pairs of rows take the same one's time, asked of the database in its own words."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {table} one JOIN {table} other ON one.{whose} = other.{whose}"  # noqa: S608
            f" AND one.id < other.id AND one.lineage <> other.lineage"
            f" AND one.{start} < other.{end} AND other.{start} < one.{end}"
            f" WHERE {counts.format(row='one')} AND {counts.format(row='other')}"
        )
        return cursor.fetchone()[0]


ONE_PROCESS = """
import sys
import django
django.setup()
from appointments import services
from appointments.models import VisitType
from eyecare import clock
from patients.models import Patient
from tests.factories import MONDAY
exam, patient = VisitType.objects.get(), Patient.objects.get(number=sys.argv[1])
slot = services.slot_from_key(exam, sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
with clock.frozen_at(MONDAY):
    try:
        services.book(patient=patient, visit_type=exam, slot=slot, channel="web")
        print("booked")
    except services.SlotTaken as refusal:
        print(len(refusal.alternatives))
"""


def test_of_ten_processes_that_book_the_same_time_on_sqlite_one_gets_it(tmp_path):
    world = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "eyecare.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path}/diary.sqlite3",
        "CELERY_BROKER_URL": "memory://",
        "LOG_LEVEL": "ERROR",
    }
    key = _run(ONE_DIARY, world).splitlines()[-1]
    processes = [_start(ONE_PROCESS, world, f"P{number}", key) for number in range(10)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # all at once, once all have started
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert sorted(outcomes) == ["3"] * 9 + ["booked"]


ONE_DIARY = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from datetime import date
from appointments import services
from eyecare import clock
from tests import factories
factories.PracticeFactory()
place = factories.LocationFactory()
provider = factories.ProviderFactory(locations=[place])
factories.WeeklyHoursFactory(provider=provider, location=place, weekday=1)
exam = factories.VisitTypeFactory(providers=[provider])
for number in range(10):
    factories.PatientFactory(number=f"P{number}")
with clock.frozen_at(factories.MONDAY):
    print(services.find_slots(visit_type=exam, first_day=date(2026, 3, 3), last_day=date(2026, 3, 3))[0].key)
"""


def _start(program: str, world: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=Path(settings.BASE_DIR),
        env=world,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _run(program: str, world: dict[str, str]) -> str:
    process = _start(program, world)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output
