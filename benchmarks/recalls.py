"""How long it takes to derive the recalls of a whole practice, beside one patient at a time.

    python benchmarks/recalls.py [--patients 2000] [--sample 300]

Every patient has had two exams. `first` derives all their recalls, `nothing changed` does it again, as
every night, `interval changed` after the practice has set another one. `one at a time` is the
straightforward way, on a sample: the last exam, the interval, the recall, for each patient. The two ways
find the same days. Made in memory, or in DATABASE_URL's empty database.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")
os.environ.setdefault("DEMO", "1")
os.environ.setdefault("DATABASE_URL", "sqlite://:memory:")
os.environ |= {"LOG_LEVEL": "ERROR", "CELERY_BROKER_URL": "memory://"}

import django

django.setup()

from django.core.management import call_command
from django.db import connection, transaction

from appointments import recalls
from appointments.models import Appointment, Recall, RecallRule, VisitType
from appointments.recalls import intervals
from eyecare import clock
from patients.models import Patient
from practice import services as practice
from practice.models import Location, Provider
from tests import factories

BATCH = 5000


def fill(count: int) -> RecallRule:
    """Give so many patients two exams each, in the last six years."""
    factories.PracticeFactory()
    place = factories.LocationFactory()
    provider = factories.ProviderFactory(locations=[place])
    exam = factories.VisitTypeFactory(providers=[provider])
    dice = random.Random(20260302)
    for start in range(0, count, BATCH):
        with transaction.atomic():
            people = _patients(range(start, min(start + BATCH, count)), dice)
            Appointment.objects.bulk_create(
                _exam(patient, exam, provider, place, 2 * (start + number) + nth, dice)
                for number, patient in enumerate(people)
                for nth in range(2)
            )
    recalls.load_defaults()
    return RecallRule.objects.get(slug="routine-exam")


def _patients(numbers: range, dice: random.Random) -> list[Patient]:
    return Patient.objects.bulk_create(
        Patient(
            number=f"B{number:06}",
            first_name="Ana",
            last_name=f"Silva {number}",
            date_of_birth=date(dice.randrange(1930, 2015), dice.randrange(1, 13), dice.randrange(1, 29)),
        )
        for number in numbers
    )


def _exam(
    patient: Patient,
    exam: VisitType,
    provider: Provider,
    place: Location,
    number: int,
    dice: random.Random,
) -> Appointment:
    """Return a past exam at a time of its own: the diary refuses two at once, also in the past."""
    start = factories.MONDAY - timedelta(minutes=15 * (number + 1))
    return Appointment(
        patient=patient,
        visit_type=exam,
        provider=provider,
        location=place,
        starts_at=start,
        ends_at=start + timedelta(minutes=10),
        busy_from=start,
        busy_until=start + timedelta(minutes=10),
        state=Appointment.State.DONE,
    )


def derive(rule: RecallRule) -> None:
    recalls.refresh(rule)
    while recalls.work_through():
        pass


def one_at_a_time(rule: RecallRule, patients: list[Patient]) -> dict[object, date]:
    """Derive each patient's recall by itself, and write it."""
    found = {}
    for patient in patients:
        kinds = list(rule.after.all())
        last = patient.appointments.filter(state="done", visit_type__in=kinds).order_by("-starts_at")[0]
        due_on = intervals.due_on(
            last.starts_at.astimezone(practice.zone()).date(),
            rule.months,
            by_age=list(rule.intervals.values_list("from_age", "months")),
            born_on=patient.date_of_birth,
            own_months=None,
        )
        Recall.objects.update_or_create(
            patient=patient, rule=rule, defaults={"last_visit": last, "due_on": due_on}
        )
        found[patient.pk] = due_on
    return found


def seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--patients", type=int, default=2000)
    options.add_argument("--sample", type=int, default=300)
    given = options.parse_args()
    call_command("migrate", verbosity=0)
    with clock.frozen_at(factories.MONDAY):
        rule = fill(given.patients)
        print(f"{given.patients} patients, {connection.vendor}, load {os.getloadavg()[0]:.1f}")
        print(f"{'':18}{'seconds':>9}{'µs a patient':>14}{'× ours':>8}")
        first = seconds(lambda: derive(rule))
        _line("first", first, given.patients, first / given.patients)
        _line("nothing changed", seconds(lambda: derive(rule)), given.patients, first / given.patients)
        sample = list(Patient.objects.order_by("pk")[: given.sample])
        ours = dict(Recall.objects.filter(patient__in=sample, rule=rule).values_list("patient", "due_on"))
        theirs: dict[object, date] = {}
        took = seconds(lambda: theirs.update(one_at_a_time(rule, sample)))
        assert ours == theirs, "the ways differ in what they find"
        _line("one at a time", took, len(sample), first / given.patients)
        rule.months += 1
        rule.intervals.all().delete()
        rule.save()
        _line("interval changed", seconds(lambda: derive(rule)), given.patients, first / given.patients)


def _line(name: str, took: float, patients: int, ours: float) -> None:
    each = took / patients
    print(f"{name:18}{took:9.2f}{each * 1e6:14.0f}{each / ours:8.1f}")


if __name__ == "__main__":
    main()
