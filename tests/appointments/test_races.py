"""Many book the same time at the same moment: one wins, the others are told what else is free."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from appointments import services
from appointments.models import Appointment, AppointmentEvent
from eyecare import clock
from tests import factories
from tests.factories import MONDAY


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_book_the_same_time_on_postgresql_one_gets_it(exam, tuesday_nine):
    patients = [factories.PatientFactory() for _ in range(50)]
    start, outcomes = threading.Barrier(len(patients)), []

    def book(patient):
        try:
            start.wait()
            with clock.frozen_at(MONDAY):
                services.book(patient=patient, visit_type=exam, slot=tuesday_nine, channel="web")
            outcomes.append("booked")
        except services.SlotTaken as refusal:
            outcomes.append(len(refusal.alternatives))
        except Exception as error:  # noqa: BLE001 - a thread's failure must fail the test
            outcomes.append(error)
        finally:
            connection.close()

    with clock.frozen_at(MONDAY):
        threads = [threading.Thread(target=book, args=[patient]) for patient in patients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes, key=str) == [3] * 49 + ["booked"]
    assert Appointment.objects.count() == AppointmentEvent.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_moves_of_one_appointment_one_happens(anas_exam, slot_at):
    start, outcomes = threading.Barrier(2), []

    def move(slot):
        try:
            start.wait()
            with clock.frozen_at(MONDAY):
                services.reschedule(appointment=anas_exam, slot=slot, channel="web")
            outcomes.append("moved")
        except services.Ended:
            outcomes.append("ended")
        finally:
            connection.close()

    threads = [threading.Thread(target=move, args=[slot]) for slot in (slot_at(4, 9), slot_at(5, 9))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ended", "moved"]
    assert Appointment.objects.active().count() == 1


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
