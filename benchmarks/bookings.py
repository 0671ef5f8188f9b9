"""How booking stands up to a crowd on PostgreSQL, beside the limit and beside check-then-insert.

    python benchmarks/bookings.py [--threads 50] [--slots 100] [--workers 8] [--bookings 800] [--json FILE]

The crowd: so many threads book the same time at the same moment, time after time. Throughput: so many
processes book at once, each patient one visit; at `random times`, of those that were free at the start,
and at the `first free time`, looked up just before, where everybody wants the same.

- `ours`: the whole service: rules, locks, the row, its history, reminders and the text in the outbox.
- `lock and INSERT`: the provider's row is locked, as ours does, and the same row goes into a table with the
  same exclusion constraints, and nothing else: the limit.
- `constraint alone`: the same INSERT without the lock. Two that meet wait for each other until PostgreSQL
  ends one of them as a deadlock, a second later. So it is given fewer to book than the others.
- `check, then insert`: a query for an overlap, then the row, without a constraint, as Marley
  (`validate_overlaps`) and Easy!Appointments (`Booking.php`) do it; what it books twice is counted.

`lost` is the share of attempts that found the time gone; `twice` counts pairs of visits that overlap. It
starts a PostgreSQL of its own, or fills DATABASE_URL's empty database.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import platform
import random
import statistics
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")
os.environ |= {"DEMO": "1", "LOG_LEVEL": "ERROR", "CELERY_BROKER_URL": "memory://"}

FIRST_DAY, LAST_DAY = 1, 40
"""Days after the Monday on which the clock stands."""

MOST = 30_000
OPEN, GUARDED = "peer_open", "peer_guarded"
LIMIT, ALONE = "lock and INSERT", "constraint alone"

FEW = 5
"""Times for the crowd where nothing orders it, and the part of all bookings: each may take seconds."""

Outcome = tuple[str, float, int]
"""What came of an attempt (booked, lost, deadlock), how long it took, and how many times were offered."""


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    what: str
    way: str
    booked: int
    lost: int
    deadlocks: int
    twice: int
    offered: float
    median_ms: float
    p95_ms: float
    seconds: float

    @property
    def attempts(self) -> int:
        return self.booked + self.lost + self.deadlocks

    @property
    def per_second(self) -> float:
        return self.booked / self.seconds

    @property
    def attempts_per_second(self) -> float:
        return self.attempts / self.seconds


class House:
    """What is to be booked and by whom; read anew by each process."""

    def __init__(self) -> None:
        from appointments import services
        from appointments.models import VisitType
        from patients.models import Patient
        from tests.factories import MONDAY

        self.exam = VisitType.objects.get()
        days = (MONDAY.date() + timedelta(days=number) for number in (FIRST_DAY, LAST_DAY))
        self.days = dict(zip(("first_day", "last_day"), days, strict=True))
        self.patients = list(Patient.objects.order_by("number"))
        self.slots = services.find_slots(visit_type=self.exam, **self.days)


Way = Callable[[House, Any, Any], tuple[str, int]]
"""Books a slot for a patient; says whether it was booked or lost, and how many other times were offered."""


def ours(house: House, patient: Any, slot: Any) -> tuple[str, int]:
    from appointments import services

    try:
        services.book(patient=patient, visit_type=house.exam, slot=slot, channel="web")
    except services.SlotTaken as refusal:
        return "lost", len(refusal.alternatives)
    return "booked", 0


def lock_and_insert(house: House, patient: Any, slot: Any) -> tuple[str, int]:
    return _guarded_insert(house, patient, slot, is_locked=True)


def constraint_alone(house: House, patient: Any, slot: Any) -> tuple[str, int]:
    return _guarded_insert(house, patient, slot, is_locked=False)


def _guarded_insert(house: House, patient: Any, slot: Any, *, is_locked: bool) -> tuple[str, int]:
    from django.db import IntegrityError, transaction

    from appointments import entries

    try:
        with transaction.atomic():
            if is_locked:
                entries.lock_providers(slot.provider.pk)
            _insert(GUARDED, house, patient, slot)
    except IntegrityError:
        return "lost", 0
    return "booked", 0


def check_then_insert(house: House, patient: Any, slot: Any) -> tuple[str, int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM {OPEN} WHERE provider_id = %s AND busy_from < %s AND busy_until > %s LIMIT 1",  # noqa: S608
            [slot.provider.pk, slot.ends_at, slot.starts_at],
        )
        if cursor.fetchone():
            return "lost", 0
    _insert(OPEN, house, patient, slot)
    return "booked", 0


def _insert(table: str, house: House, patient: Any, slot: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (id, lineage, patient_id, visit_type_id, provider_id, location_id,"  # noqa: S608
            " starts_at, ends_at, busy_from, busy_until, state, channel, note, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'booked', 'web', '', now())",
            [
                uuid.uuid4(), uuid.uuid4(), patient.pk, house.exam.pk, slot.provider.pk, slot.location.pk,
                slot.starts_at, slot.ends_at, slot.starts_at, slot.ends_at,
            ],
        )  # fmt: skip


WAYS: dict[str, tuple[Way, str]] = {
    LIMIT: (lock_and_insert, GUARDED),
    "ours": (ours, "appointments_appointment"),
    ALONE: (constraint_alone, GUARDED),
    "check, then insert": (check_then_insert, OPEN),
}


def main() -> None:
    options = _options()
    with ExitStack() as until_the_end:
        _database(until_the_end)
        _furnish(options)
        _print_heading(options)
        results = list(_told(_results(options)))
    if options.json:
        report = {"results": [asdict(result) for result in results]}
        Path(options.json).write_text(json.dumps(report | vars(options), indent=2))


def _results(options: argparse.Namespace) -> Iterator[Result]:
    """Yield the limit of each scenario first: the others are told as a share of it."""
    for way in WAYS:
        yield _crowd(way, options)
    for what, way in itertools.product(("random times", "first free time"), WAYS):
        yield _throughput(what, way, options)


def _crowd(way: str, options: argparse.Namespace) -> Result:
    """Let all threads book one slot at the same moment, slot after slot."""
    from django.db import connection

    _clear()
    with _stopped_clock():
        house = House()
    provider = house.slots[0].provider
    slots = [slot for slot in house.slots if slot.provider == provider]
    slots = slots[: FEW if way == ALONE else options.slots]
    start, outcomes = threading.Barrier(options.threads), []

    def one(patient: Any) -> None:
        try:
            with _stopped_clock():
                for slot in slots:
                    start.wait()
                    outcomes.append(_timed(WAYS[way][0], house, patient, slot))
        except BaseException:
            start.abort()  # nobody waits for one who is gone
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=[patient]) for patient in house.patients[: options.threads]]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return _result(f"{options.threads} threads, one time", way, outcomes, seconds)


def _throughput(what: str, way: str, options: argparse.Namespace) -> Result:
    """Let processes of their own book at once; they begin together and the last one ends it."""
    _clear()
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(options.workers + 1), context.Queue()
    share = options.bookings // options.workers // (FEW if way == ALONE else 1)
    workers = [
        context.Process(target=_work, args=(what, way, number, share, ready, answers))
        for number in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    outcomes = list(itertools.chain.from_iterable(answers.get() for _ in workers))
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return _result(what, way, outcomes, seconds)


def _work(what: str, way: str, number: int, share: int, ready: Any, answers: Any) -> None:
    import django

    django.setup()
    with _stopped_clock():
        house = House()
        mine = house.patients[number * share : (number + 1) * share]
        wanted = _random_times(house, number) if what == "random times" else _first_free(house, way)
        next(wanted)  # what is read once is read before the start
        ready.wait()
        book = partial(_timed, WAYS[way][0], house)
        answers.put([book(patient, next(wanted)) for patient in mine])


def _random_times(house: House, number: int) -> Iterator[Any]:
    die = random.Random(number)
    while True:
        yield die.choice(house.slots)


def _first_free(house: House, way: str) -> Iterator[Any]:
    """Yield what is the first free time now, by the way's own means."""
    from appointments import services

    while True:
        if way == "ours":
            yield services.find_slots(visit_type=house.exam, limit=1, **house.days)[0]
            continue
        taken = _taken(WAYS[way][1])
        yield next(slot for slot in house.slots if (slot.provider.pk, slot.starts_at) not in taken)


def _taken(table: str) -> set[tuple[int, Any]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT provider_id, starts_at FROM {table}")  # noqa: S608
        return set(cursor.fetchall())


def _timed(way: Way, house: House, patient: Any, slot: Any) -> Outcome:
    from django.db import OperationalError

    began = time.perf_counter()
    try:
        outcome, offered = way(house, patient, slot)
    except OperationalError as error:
        if "deadlock" not in str(error):
            raise
        outcome, offered = "deadlock", 0
    return outcome, time.perf_counter() - began, offered


def _result(what: str, way: str, outcomes: Sequence[Outcome], seconds: float) -> Result:
    counts = Counter(outcome for outcome, _, _ in outcomes)
    times = sorted(took * 1000 for _, took, _ in outcomes)
    offered = [offered for outcome, _, offered in outcomes if outcome == "lost"]
    return Result(
        what=what,
        way=way,
        booked=counts["booked"],
        lost=counts["lost"],
        deadlocks=counts["deadlock"],
        twice=_booked_twice(WAYS[way][1]),
        offered=statistics.fmean(offered) if offered else 0,
        median_ms=statistics.median(times),
        p95_ms=times[int(len(times) * 0.95)],
        seconds=seconds,
    )


def _booked_twice(table: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {table} one JOIN {table} other ON one.provider_id = other.provider_id"  # noqa: S608
            " AND one.id < other.id AND one.busy_from < other.busy_until AND other.busy_from < one.busy_until"
        )
        return int(cursor.fetchone()[0])


@contextmanager
def _stopped_clock() -> Iterator[None]:
    from eyecare import clock
    from tests.factories import MONDAY

    with clock.frozen_at(MONDAY):
        yield


def _database(until_the_end: ExitStack) -> None:
    """Lead everything, worker processes too, to an empty PostgreSQL."""
    from tests.servers import Postgres

    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        if Postgres.programs() is None:
            raise SystemExit("PostgreSQL is not installed: set DATABASE_URL to an empty database of one.")
        folder = until_the_end.enter_context(TemporaryDirectory(prefix="eyecare-pg-"))
        postgres = Postgres(Path(folder))
        postgres.start()
        until_the_end.callback(postgres.crash)
        os.environ["DATABASE_URL"] = postgres.url
    import django

    django.setup()


def _furnish(options: argparse.Namespace) -> None:
    """Make ten providers of one kind of visit, a patient for each booking, and the peers' tables."""
    from django.core.management import call_command
    from django.db import connection

    from appointments.models import DiarySettings
    from patients.models import Patient
    from tests import factories

    call_command("migrate", verbosity=0)
    factories.PracticeFactory()
    place = factories.LocationFactory()
    staff = [factories.ProviderFactory(locations=[place]) for _ in range(10)]
    for provider, weekday in itertools.product(staff, range(5)):
        factories.WeeklyHoursFactory(provider=provider, location=place, weekday=weekday)
    factories.VisitTypeFactory(providers=staff)
    DiarySettings.objects.create(most_open_visits=MOST)  # the crowd's patients win again and again
    people = max(options.threads, options.bookings)
    Patient.objects.bulk_create(
        factories.PatientFactory.build(account=None, number=f"P{number:06}") for number in range(people)
    )
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {GUARDED} (LIKE appointments_appointment INCLUDING ALL)")
        cursor.execute(f"CREATE TABLE {OPEN} (LIKE appointments_appointment INCLUDING DEFAULTS)")
        cursor.execute(f"CREATE INDEX ON {OPEN} (provider_id, busy_from)")


def _clear() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE appointments_appointment, {GUARDED}, {OPEN} CASCADE")
        cursor.execute("ANALYZE")


def _print_heading(options: argparse.Namespace) -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, PostgreSQL")
    print(f"{options.threads} threads x {options.slots} times; {options.workers} processes\n")
    print(f"{'':23}{'':20}{'booked':>8}{'lost':>8}{'twice':>7}{'deadlock':>9}{'offered':>9}", end="")
    print(f"{'ms median':>11}{'p95':>9}{'tries/s':>9}{'booked/s':>10}{'of limit':>10}")


def _told(results: Iterator[Result]) -> Iterator[Result]:
    limits: dict[str, float] = {}
    for result in results:
        limit = limits.setdefault(result.what, result.attempts_per_second)
        print(
            f"{result.what:23}{result.way:20}{result.booked:8}{result.lost / result.attempts:8.1%}"
            f"{result.twice:7}{result.deadlocks:9}{result.offered:9.1f}{result.median_ms:11.1f}"
            f"{result.p95_ms:9.1f}{result.attempts_per_second:9.1f}{result.per_second:10.1f}"
            f"{result.attempts_per_second / limit:10.1%}",
            flush=True,
        )
        yield result


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=50)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--bookings", type=int, default=800, help="attempts, of all workers together")
    parser.add_argument("--json", help="write the figures to this file as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
