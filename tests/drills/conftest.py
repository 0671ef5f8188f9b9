"""One house for all drills: it must survive every one of them, so none has to build its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import time
from pathlib import Path

import dj_database_url
import pytest
from django.conf import settings
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from practice.models import Practice
from tests.drills.house import House

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        item.add_marker(pytest.mark.drill)
        if not sys.platform.startswith("linux"):
            item.add_marker(pytest.mark.skip(reason="the drills find their processes in /proc"))
        elif not on_sqlite and not item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.skip(reason="the embedded house runs on SQLite"))


@contextmanager
def rows_of(house: House, blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let this process read the database of the house, beside its programs; no hour is quiet there."""
    connections.databases["house"] = connections.databases["default"] | dj_database_url.parse(
        house.database_url
    )
    try:
        with blocker.unblock():
            Practice.objects.using("house").update(quiet_from=time(0), quiet_until=time(0))
            yield
    finally:
        connections["house"].close()
        del connections["house"], connections.databases["house"]


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    try:
        house.start()
        yield house
    finally:
        house.clear_away()


@pytest.fixture
def house(embedded: House, django_db_blocker: DjangoDbBlocker) -> Iterator[House]:
    """The house, whole; its rows are read with `.using("house")`."""
    with rows_of(embedded, django_db_blocker):
        yield embedded
