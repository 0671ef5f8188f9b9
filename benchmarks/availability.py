"""How long a search for free times takes, beside two ways in which others do it.

    python benchmarks/availability.py [--providers 10] [--days 90] [--full 0.7]

`ours` is one search. `a day at a time` asks for one provider and one day per call, as Easy!Appointments
does; `a query a slot` is the straightforward loop. All three find the same times. The diary is made in
memory (or in DATABASE_URL's empty database); figures are medians and include every query.
"""

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")
os.environ.setdefault("DEMO", "1")
os.environ.setdefault("DATABASE_URL", "sqlite://:memory:")
os.environ["LOG_LEVEL"] = "WARNING"

import django

django.setup()

from django.core.management import call_command
from django.db import connection

from appointments import services
from appointments.availability import Slot, days_from, instant
from appointments.models import Appointment, VisitType
from eyecare import clock
from practice import services as practice
from practice.models import Provider
from tests import factories

FIRST_DAY = factories.MONDAY.date() + timedelta(days=1)

Search = Callable[[VisitType, date], list[str]]


def fill_diary(providers: int, days: int, full: float) -> VisitType:
    """Let every provider work on weekdays from nine to five, and book `full` of their half hours."""
    factories.PracticeFactory()
    place = factories.LocationFactory()
    staff = [factories.ProviderFactory(locations=[place]) for _ in range(providers)]
    exam = factories.VisitTypeFactory(minutes=30, horizon_days=days + 2, providers=staff)
    patients = {provider.pk: factories.PatientFactory(account=None) for provider in staff}
    for provider in staff:
        for weekday in range(5):
            factories.WeeklyHoursFactory(provider=provider, location=place, weekday=weekday)
    chance = random.Random(20260302)
    free = services.find_slots(
        visit_type=exam, first_day=FIRST_DAY, last_day=FIRST_DAY + timedelta(days=days)
    )
    booked = [slot for slot in free if chance.random() < full]
    Appointment.objects.bulk_create(
        Appointment(
            patient=patients[slot.provider.pk],
            visit_type=exam,
            provider=slot.provider,
            location=slot.location,
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            busy_from=slot.starts_at,
            busy_until=slot.ends_at,
        )
        for slot in booked
    )
    return exam


def ours(exam: VisitType, last_day: date) -> list[str]:
    return _keys(services.find_slots(visit_type=exam, first_day=FIRST_DAY, last_day=last_day))


def a_day_at_a_time(exam: VisitType, last_day: date) -> list[str]:
    found: list[Slot] = []
    for provider in exam.providers.all():
        for day in days_from(FIRST_DAY, last_day):
            found += services.find_slots(visit_type=exam, first_day=day, last_day=day, provider=provider)
    return _keys(found)


def a_query_a_slot(exam: VisitType, last_day: date) -> list[str]:
    found: list[Slot] = []
    for provider in exam.providers.all():
        for day in days_from(FIRST_DAY, last_day):
            found += _looked_up(exam, provider, day)
    return _keys(found)


def _looked_up(exam: VisitType, provider: Provider, day: date) -> list[Slot]:
    """Try every half hour of the hours that the provider works that day."""
    found = []
    for hours in provider.weekly_hours.filter(weekday=day.weekday()).select_related("location"):
        start = instant(day, hours.starts_at, practice.zone())
        while start + exam.length <= instant(day, hours.ends_at, practice.zone()):
            busy = Appointment.objects.active().filter(
                provider=provider, busy_from__lt=start + exam.length, busy_until__gt=start
            )
            if not busy.exists():
                found.append(
                    services.slot_from_key(exam, f"{provider.pk}.{hours.location_id}.{start:%Y%m%dT%H%M}")
                )
            start += timedelta(minutes=30)
    return found


def _keys(found: list[Slot]) -> list[str]:
    return sorted(slot.key for slot in found)


def measure(search: Search, exam: VisitType, last_day: date, seconds: float) -> tuple[float, int, list[str]]:
    """Return the median in milliseconds, the queries of one search, and what it finds."""
    queries: list[str] = []

    def note(execute: Any, sql: str, *given: Any) -> Any:
        queries.append(sql)
        return execute(sql, *given)

    with connection.execute_wrapper(note):
        found = search(exam, last_day)
    took: list[float] = []
    while sum(took) < seconds and len(took) < 200:
        started = time.perf_counter()
        search(exam, last_day)
        took.append(time.perf_counter() - started)
    return statistics.median(took) * 1000, len(queries), found


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--providers", type=int, default=10)
    options.add_argument("--days", type=int, default=90)
    options.add_argument("--full", type=float, default=0.7)
    options.add_argument("--seconds", type=float, default=3.0, help="How long each way is measured.")
    given = options.parse_args()
    call_command("migrate", verbosity=0)
    with clock.frozen_at(factories.MONDAY):
        exam = fill_diary(given.providers, given.days, given.full)
        last_day = FIRST_DAY + timedelta(days=given.days - 1)
        print(f"{given.providers} providers, {given.days} days, {given.full:.0%} full, {connection.vendor}")
        print(f"{'':16}{'median ms':>10}{'queries':>9}{'slots':>7}{'times ours':>12}")
        first: tuple[float, list[str]] | None = None
        for search in (ours, a_day_at_a_time, a_query_a_slot):
            milliseconds, queries, found = measure(search, exam, last_day, given.seconds)
            first = first or (milliseconds, found)
            assert found == first[1], "the ways differ in what they find"
            name = search.__name__.replace("_", " ")
            print(f"{name:16}{milliseconds:10.1f}{queries:9}{len(found):7}{milliseconds / first[0]:12.1f}")


if __name__ == "__main__":
    main()
