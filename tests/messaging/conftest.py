from collections.abc import Iterator

import pytest

from messaging import services
from messaging.backends import memory
from messaging.models import Message
from patients.models import Consent, Patient
from tests.factories import ConsentFactory


@pytest.fixture(autouse=True)
def outbox() -> Iterator[list]:
    """What left the house in this test."""
    memory.outbox.clear()
    yield memory.outbox
    memory.outbox.clear()


@pytest.fixture
def agreed(ana: Patient, monday: object) -> Consent:
    """Ana agreed to texts about visits and orders."""
    return ConsentFactory(patient=ana)


@pytest.fixture
def order_ready(ana: Patient, agreed: Consent, monday: object) -> Message:
    """A message to Ana that is due."""
    return services.queue(
        kind="note", reason="note:1", patient=ana, body="Your order is here.", subject_id="1"
    )


class Provider:
    """A provider that fails as it is told to; the wire is faked here and nowhere else."""

    fails: list[Exception] = []
    sent: list = []

    def send(self, text: object) -> str:
        self.sent.append(text)
        if self.fails:
            raise self.fails.pop(0)
        return f"SM{len(self.sent)}"


@pytest.fixture
def provider(settings: object) -> type[Provider]:
    settings.MESSAGING_BACKEND = "tests.messaging.conftest.Provider"
    Provider.fails, Provider.sent = [], []
    return Provider
