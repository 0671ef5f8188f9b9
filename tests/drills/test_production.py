"""PostgreSQL and Redis crash under a working portal: it says so, recovers, and has lost nothing."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from appointments.models import Appointment, AppointmentEvent, DiarySettings
from billing.models import Statement, StatementRun
from messaging.models import Message
from tests.drills.conftest import rows_of
from tests.drills.house import House, until
from tests.drills.test_embedded import ALL_ANSWER, MANY_STATEMENTS, STATEMENTS, age_claims, done, messages
from tests.servers import Postgres, Redis

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.skipif(
        not (os.environ.get("TEST_REDIS_URL") and Postgres.programs() and Redis.program()),
        reason="needs PostgreSQL and Redis: run by `make test` where their programs are installed",
    ),
]
RECOVERS_WITHIN = 30.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with TemporaryDirectory(prefix="eyecare-pg-") as folder:  # pytest's own folder is closed to other users
        server = Postgres(Path(folder))
        server.start()
        yield server
        server.crash()


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    server = Redis()
    server.start()
    yield server
    server.crash()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis: Redis) -> Iterator[House]:
    servers = {
        "DATABASE_URL": postgres.url,
        "CELERY_BROKER_URL": f"{redis.url}/0",
        "CACHE_URL": f"{redis.url}/1",
    }
    house = House(tmp_path_factory.mktemp("production"), servers)
    try:
        house.start()
        yield house
    finally:
        house.clear_away()


@pytest.fixture
def house(running: House, django_db_blocker: DjangoDbBlocker) -> Iterator[House]:
    with rows_of(running, django_db_blocker):
        yield running


def test_redis_comes_back_empty_in_a_statement_run_and_nothing_is_lost_or_done_twice(
    house: House, redis: Redis
) -> None:
    sam = house.patient("new")
    run = StatementRun.objects.using("house").get(pk=house.run(MANY_STATEMENTS).split()[-1])
    until(run.statements.exclude(state=Statement.State.QUEUED).exists, "the run is under way")
    redis.crash()
    assert until(lambda: house.health().get("queue") == "down", "the outage is seen")
    assert sam.pages() == ALL_ANSWER
    visit = sam.book().split("/")[2]
    visitor = house.stranger()
    assert visitor.post("/chat/messages/", text="When are you open?").status_code == 200
    age_claims()
    redis.start()
    until(lambda: done(run), "the run is finished")
    until(lambda: not messages(state="queued"), "everything queued has left")
    assert Counter(run.statements.values_list("state", flat=True)) == {"sent": STATEMENTS}
    assert messages(kind="statement_ready").total() == STATEMENTS
    assert set(messages()) <= {("sent", 1), ("unknown", 1), ("delivered", 0)}
    assert messages(subject_id=visit) == {("sent", 1): 1}


def test_postgres_crashes_under_load_and_every_booking_is_whole_or_was_never_made(
    house: House, postgres: Postgres
) -> None:
    sam, over = house.patient("new"), threading.Event()
    DiarySettings.objects.using("house").update(most_open_visits=1000)  # one patient books them all
    answers: list[httpx.Response] = []
    load = threading.Thread(target=book_until, args=[house, answers, over])
    load.start()
    until(lambda: len(answers) >= 3, "visits are booked")
    connections["house"].close()  # the drill's own would be found dead later
    postgres.crash()
    answer = until(lambda: away(sam.browser.get("/appointments/")), "a page says that it is away")
    assert "Your record is as it was before" in answer.text
    assert house.health()["status"] == "down"
    postgres.start()
    until(lambda: sam.pages() == ALL_ANSWER, "the portal is back", RECOVERS_WITHIN)
    seen = len(answers)
    until(lambda: len(answers) > seen + 2, "visits are booked again", RECOVERS_WITHIN)
    over.set()
    load.join()
    assert {response.status_code for response in answers} <= {200, 409, 503}
    assert_whole(answers)
    until(lambda: not messages(state="queued"), "what was queued has left")


def away(response: httpx.Response) -> httpx.Response | None:
    return response if response.status_code == 503 else None


def book_until(house: House, answers: list[httpx.Response], over: threading.Event) -> None:
    """Book one visit after another as somebody who never gives up."""
    patient = house.patient("overdue")
    while not over.is_set():
        answers.append(patient.try_to_book())


def assert_whole(answers: list[httpx.Response]) -> None:
    """Every visit that was promised is there, and every visit has its history and its message, once."""
    rows = Appointment.objects.using("house").filter(patient__email="walter@example.com", channel="web")
    visits = rows.visits()  # a hold whose yes was lost promises nothing
    promised = {str(answer.url.path).split("/")[2] for answer in answers if answer.status_code == 200}
    booked = {str(pk) for pk in visits.values_list("pk", flat=True)}
    assert promised <= booked
    told = Message.objects.using("house").filter(subject_id__in=booked)
    assert Counter(told.values_list("subject_id", flat=True)) == dict.fromkeys(booked, 1)
    events = AppointmentEvent.objects.using("house").filter(appointment__in=visits, to_state="booked")
    assert Counter(str(pk) for pk in events.values_list("appointment", flat=True)) == dict.fromkeys(booked, 1)
