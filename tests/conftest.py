"""What every test may ask for: a stopped clock, the practice, and the cast."""

import os
from collections.abc import Iterator

os.environ.setdefault("DEMO", "1")

import pytest
from django.conf import settings
from django.core.cache import cache

from eyecare import clock
from messaging.backends import memory
from patients.models import Account, Patient
from practice.models import Location, Practice, Provider
from tests import factories


@pytest.fixture(autouse=True)
def _no_wire(settings: object) -> None:
    """No test reaches a provider, a model host or a broker: messages stay here, tasks run at once."""
    settings.MESSAGING_BACKEND = "messaging.backends.memory.MemoryBackend"  # type: ignore[attr-defined]
    settings.PAYMENTS_BACKEND = "payments.backends.demo.DemoBackend"  # type: ignore[attr-defined]
    settings.ASSISTANT_ENGINE = "rules"  # type: ignore[attr-defined]
    settings.LLM_BASE_URL = settings.EMBEDDINGS_BASE_URL = "http://127.0.0.1:9/v1"  # type: ignore[attr-defined]
    settings.CHROMA_URL = "http://127.0.0.1:9"  # type: ignore[attr-defined]
    settings.CELERY_TASK_ALWAYS_EAGER = True  # type: ignore[attr-defined]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    settings.AXES_ENABLED = False  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _eager_tasks() -> Iterator[None]:
    from eyecare.celery import app

    before = app.conf.task_always_eager
    app.conf.task_always_eager = True
    memory.outbox.clear()
    yield
    app.conf.task_always_eager = before
    cache.clear()


@pytest.fixture
def monday() -> Iterator[object]:
    """Stop the clock on Monday, 2 March 2026, 9 a.m. in New York."""
    with clock.frozen_at(factories.MONDAY):
        yield factories.MONDAY


@pytest.fixture
def practice(db: None) -> Practice:
    return factories.PracticeFactory()


@pytest.fixture
def main_street(practice: Practice) -> Location:
    return factories.LocationFactory()


@pytest.fixture
def okafor(main_street: Location) -> Provider:
    """An optometrist at Main Street, weekdays nine to five, who does exams."""
    provider = factories.ProviderFactory(last_name="Okafor", locations=[main_street])
    for weekday in range(5):
        factories.WeeklyHoursFactory(provider=provider, location=main_street, weekday=weekday)
    return provider


@pytest.fixture
def exam(okafor: Provider) -> object:
    return factories.VisitTypeFactory(providers=[okafor])


@pytest.fixture
def ana(practice: Practice) -> Patient:
    return factories.PatientFactory(first_name="Ana", last_name="Silva", account__email="ana@example.com")


@pytest.fixture
def ben(practice: Practice) -> Patient:
    return factories.PatientFactory(first_name="Ben", last_name="Moreau", account__email="ben@example.com")


@pytest.fixture
def dana(practice: Practice) -> Account:
    """The front desk."""
    return factories.AccountFactory(email="dana@example.com", is_staff=True, is_superuser=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs PostgreSQL when the tests run on SQLite."""
    if "postgresql" in settings.DATABASES["default"]["ENGINE"]:
        return
    skip = pytest.mark.skip(reason="needs PostgreSQL: run by `make test` where its programs are installed")
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(skip)
