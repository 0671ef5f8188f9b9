"""How long a search for free times takes, beside two ways in which others do it.

    python benchmarks/availability.py [--full 0.7] [--seconds 3] [--growth] [--json FILE]

One kind of visit with any of 10 providers on 90 days, 70 % of them booked, with a holiday and leave.

- `ours, cold`: nothing is remembered, as after a change to the schedules.
- `ours, one booking later`: another appointment of one of the providers has been written since.
- `ours, warm`: nothing has changed since the last call.
- `one provider, one day per call`: how Easy!Appointments works: the working plan of the weekday, less
  the day's exceptions and appointments, for each provider and each day.
- `a query a slot`: the straightforward loop that asks of each possible start whether it is taken.

Every figure is of whole calls in one process, every query included, from the question to a list of
slots whose times are reckoned out when they are read; `as JSON` has every slot rendered as the API does.
The best of all calls stands beside the median, for machines that have other work too. All ways find the
same times, or the script fails. The diary is made in memory, or in DATABASE_URL's empty database.

`--growth` fills a diary of 50 providers for a year and searches larger and larger parts of it.
"""

import argparse
import functools
import itertools
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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
from django.db import connection, transaction
from django.db.models import Q

from appointments import diary
from appointments.availability import Slot, days_from
from appointments.models import Appointment, ScheduleException, VisitType, WeeklyHours
from eyecare import clock
from practice.models import Provider
from tests import factories
from tests.factories import ZONE

FIRST_DAY = factories.MONDAY.date() + timedelta(days=1)
HALF_HOUR = timedelta(minutes=30)
WHOLE = (10, 90)
GROWTH = [(1, 30), (10, 90), (10, 365), (50, 90), (50, 365)]

Times = list[tuple[datetime, int]]
"""Starts with the provider's id, earliest first."""

Search = Callable[["Question"], list[Any]]


@dataclass(frozen=True)
class Question:
    """Any of these providers, so many days from tomorrow on."""

    visit_type: VisitType
    providers: list[Provider]
    days: int

    @property
    def last_day(self) -> date:
        return FIRST_DAY + timedelta(days=self.days - 1)


class House:
    """A practice whose providers work on weekdays from nine to five, with a holiday and leave."""

    def __init__(self, providers: int, days: int, full: float) -> None:
        factories.PracticeFactory()
        self.place = factories.LocationFactory()
        self.staff = [factories.ProviderFactory(locations=[self.place]) for _ in range(providers)]
        for provider, weekday in itertools.product(self.staff, range(5)):
            factories.WeeklyHoursFactory(provider=provider, location=self.place, weekday=weekday)
        self._close(days)
        self.days = days
        self._book(full)

    def question(self, providers: int, days: int) -> Question:
        staff = self.staff[:providers]
        exam = factories.VisitTypeFactory(
            name=f"Exam with {providers}", slug=f"exam-{providers}", horizon_days=400, providers=staff
        )
        return Question(exam, staff, days)

    def _close(self, days: int) -> None:
        chance = random.Random(1)
        for month in range(0, days, 30):
            holiday = FIRST_DAY + timedelta(days=month + 6)
            ScheduleException.objects.create(kind="closed", date=holiday, reason="Public holiday")
            for provider in self.staff:
                leave = FIRST_DAY + timedelta(days=month + chance.randrange(30))
                ScheduleException.objects.create(kind="closed", date=leave, provider=provider)

    def _book(self, full: float) -> None:
        """Book this share of all free half hours, the last first: so SQLite's triggers have least to do."""
        everything = self.question(len(self.staff), self.days)
        chance = random.Random(20260302)
        patients = {provider.pk: factories.PatientFactory(account=None) for provider in self.staff}
        chosen = [slot for slot in _found(everything) if chance.random() < full]
        rows = [
            Appointment(
                patient=patients[slot.provider.pk], visit_type=everything.visit_type, provider=slot.provider,
                location=slot.location, starts_at=slot.starts_at, ends_at=slot.ends_at,
                busy_from=slot.starts_at, busy_until=slot.ends_at,
            )
            for slot in reversed(chosen)
        ]  # fmt: skip
        with transaction.atomic():
            Appointment.objects.bulk_create(rows, batch_size=500)
        with connection.cursor() as cursor:
            # as autovacuum leaves a table that nobody has just filled at once
            cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def _found(asked: Question) -> list[Slot]:
    return diary.find_slots(visit_type=asked.visit_type, first_day=FIRST_DAY, last_day=asked.last_day)


def cold(asked: Question) -> list[Slot]:
    diary.forget()
    return _found(asked)


def warm(asked: Question) -> list[Slot]:
    return _found(asked)


def warm_as_json(asked: Question) -> list[Slot]:
    found = _found(asked)
    assert all(slot.as_json()["key"] for slot in found)
    return found


def touch_one(asked: Question) -> None:
    """Write to one provider's diary; not part of what is measured."""
    row = Appointment.objects.filter(provider=asked.providers[0]).first()
    assert row is not None
    row.save(update_fields=["note"])


def a_day_at_a_time(asked: Question) -> Times:
    found: Times = []
    for provider in asked.providers:
        for day in days_from(FIRST_DAY, asked.last_day):
            found += _day_of(provider, day, asked.visit_type)
    return sorted(found)


def _day_of(provider: Provider, day: date, visit_type: VisitType) -> Times:
    """One call of theirs: plan, exceptions, appointments; then step through what is left."""
    plan = WeeklyHours.objects.filter(provider=provider, weekday=day.weekday())
    closed = ScheduleException.objects.filter(Q(provider=None) | Q(provider=provider), date=day)
    if closed.exists():
        return []
    midnight = datetime.combine(day, datetime.min.time(), ZONE)
    rows = Appointment.objects.occupying().filter(
        provider=provider, starts_at__gte=midnight, starts_at__lt=midnight + timedelta(days=1)
    )
    busy = list(rows.values_list("busy_from", "busy_until"))
    return [
        (start, provider.pk)
        for hours in plan
        for start in _steps(hours, day, visit_type)
        if not any(begins < start + visit_type.length and ends > start for begins, ends in busy)
    ]


def a_query_a_slot(asked: Question) -> Times:
    found: Times = []
    for provider in asked.providers:
        for day in days_from(FIRST_DAY, asked.last_day):
            closed = ScheduleException.objects.filter(Q(provider=None) | Q(provider=provider), date=day)
            if not closed.exists():
                found += _looked_up(provider, day, asked.visit_type)
    return sorted(found)


def _looked_up(provider: Provider, day: date, visit_type: VisitType) -> Iterator[tuple[datetime, int]]:
    for hours in provider.weekly_hours.filter(weekday=day.weekday()):
        for start in _steps(hours, day, visit_type):
            busy = Appointment.objects.occupying().filter(
                provider=provider, busy_from__lt=start + visit_type.length, busy_until__gt=start
            )
            if not busy.exists():
                yield start, provider.pk


def _steps(hours: WeeklyHours, day: date, visit_type: VisitType) -> Iterator[datetime]:
    start = datetime.combine(day, hours.starts_at, ZONE)
    while start + visit_type.length <= datetime.combine(day, hours.ends_at, ZONE):
        yield start
        start += HALF_HOUR


def times(found: list[Slot] | Times) -> Times:
    return sorted((row.starts_at, row.provider.pk) if isinstance(row, Slot) else row for row in found)


@dataclass(frozen=True)
class Figure:
    name: str
    milliseconds: float
    best: float
    queries: int
    slots: int


def measure(
    name: str,
    ask: Callable[[], list[Any]],
    seconds: float,
    expected: Times,
    before: Callable[[], object] = lambda: None,
) -> Figure:
    """Return the median of many calls, and the queries of one; the times found must be those expected."""
    queries: list[str] = []

    def note(execute: Any, sql: str, *given: Any) -> Any:
        queries.append(sql)
        return execute(sql, *given)

    before()
    with connection.execute_wrapper(note):
        found = ask()
    assert times(found) == expected, f"{name} finds other times"
    took: list[float] = []
    while not took or (sum(took) < seconds and len(took) < 400):
        before()
        started = time.perf_counter()
        ask()
        took.append(time.perf_counter() - started)
    return Figure(name, statistics.median(took) * 1000, min(took) * 1000, len(queries), len(found))


def compare(asked: Question, seconds: float) -> list[Figure]:
    expected = times(cold(asked))

    def figure(name: str, search: Search, before: Callable[[], object] = lambda: None) -> Figure:
        return measure(name, lambda: search(asked), seconds, expected, before)

    return [
        figure("ours, cold", cold),
        figure("ours, one booking later", warm, lambda: touch_one(asked)),
        figure("ours, warm", warm),
        figure("ours, warm, as JSON", warm_as_json),
        figure("one provider, one day per call", a_day_at_a_time),
        figure("a query a slot", a_query_a_slot),
    ]


def show(figures: list[Figure]) -> None:
    print(f"{'':32}{'median ms':>10}{'best ms':>10}{'queries':>9}{'slots':>7}{'× cold':>9}{'× warm':>9}")
    slowly, _, quickly, *_ = figures
    for row in figures:
        print(
            f"{row.name:32}{row.milliseconds:10.2f}{row.best:10.2f}{row.queries:9}{row.slots:7}"
            f"{row.milliseconds / slowly.milliseconds:9.1f}{row.milliseconds / quickly.milliseconds:9.1f}"
        )


def grow(house: House, seconds: float) -> list[dict[str, Any]]:
    """Search larger and larger parts of one diary; linear is what takes no longer for a provider and day."""
    print(
        f"{'providers × days':20}{'cold ms':>10}{'best':>9}{'warm ms':>10}{'best':>9}{'slots':>8}"
        f"{'µs a day':>10}"
    )
    rows = []
    for providers, days in GROWTH:
        asked = house.question(providers, days)
        expected = times(cold(asked))
        slowly = measure("cold", functools.partial(cold, asked), seconds, expected)
        quickly = measure("warm", functools.partial(warm, asked), seconds, expected)
        each = slowly.best * 1000 / (providers * days)
        print(
            f"{f'{providers} × {days}':20}{slowly.milliseconds:10.1f}{slowly.best:9.1f}"
            f"{quickly.milliseconds:10.1f}{quickly.best:9.1f}{slowly.slots:8}{each:10.1f}"
        )
        rows.append({"providers": providers, "days": days, "cold": vars(slowly), "warm": vars(quickly)})
    return rows


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--full", type=float, default=0.7, help="Share of the diary that is booked.")
    options.add_argument("--seconds", type=float, default=3.0, help="How long each way is measured.")
    options.add_argument(
        "--growth", action="store_true", help="Fill and search up to 50 providers × 365 days."
    )
    options.add_argument("--json", type=Path, help="Write the figures there.")
    given = options.parse_args()
    call_command("migrate", verbosity=0)
    providers, days = GROWTH[-1] if given.growth else WHOLE
    with clock.frozen_at(factories.MONDAY):
        house = House(providers, days, given.full)
        asked = house.question(*WHOLE)
        booked = Appointment.objects.filter(
            provider__in=asked.providers, starts_at__lt=factories.MONDAY + timedelta(days=asked.days + 1)
        )
        print(
            f"{WHOLE[0]} providers, {WHOLE[1]} days, {booked.count()} visits ({given.full:.0%} full), "
            f"{connection.vendor}, Python {platform.python_version()}"
        )
        figures = compare(asked, given.seconds)
        show(figures)
        growth = grow(house, given.seconds) if given.growth else []
    if given.json:
        written = {"database": connection.vendor, "figures": [vars(row) for row in figures], "growth": growth}
        given.json.write_text(json.dumps(written, indent=2))


if __name__ == "__main__":
    main()
