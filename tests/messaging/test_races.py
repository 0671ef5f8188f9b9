"""What several workers do at the same time, on real connections."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from eyecare import clock
from messaging import services
from messaging.backends import memory
from messaging.models import InboundText, Message, OptOut
from patients.models import Patient
from practice.services import draw_number
from tests.factories import MONDAY, ConsentFactory, PatientFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def at_once(act: Callable[[int], object], times: int = 20) -> list[object]:
    """Run `act` so many times in parallel, each on a connection of its own."""

    def worker(number: int) -> object:
        try:
            with clock.frozen_at(MONDAY):
                return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=10) as pool:
        return list(pool.map(worker, range(times)))


@pytest.fixture
def ready(practice) -> Message:
    ana: Patient = PatientFactory(account=None)
    with clock.frozen_at(MONDAY):
        ConsentFactory(patient=ana)
        return services.queue(kind="note", reason="n", patient=ana, body="Hello.")


def test_twenty_workers_send_a_message_once(ready):
    at_once(lambda number: services.send(ready.pk))
    ready.refresh_from_db()
    assert (len(memory.outbox), ready.state, ready.attempts) == (1, Message.State.SENT, 1)


def test_twenty_callers_with_one_reason_make_one_message(ready):
    made = at_once(
        lambda number: (
            services.queue(kind="note", reason="the same", patient=None, to="+12125552001", body="Hello.").pk
        )
    )
    assert len(set(made)) == 1
    assert Message.objects.filter(reason="the same").count() == 1


def test_a_text_delivered_twenty_times_at_once_is_kept_and_confirmed_once(practice):
    at_once(
        lambda number: services.receive(provider_id="SM1", sender="+12125552001", recipient="x", body="STOP")
    )
    assert (InboundText.objects.count(), OptOut.objects.count()) == (1, 1)
    assert Message.objects.filter(kind="opted_out").count() == 1


def test_twenty_stops_at_once_are_confirmed_once(practice):
    at_once(
        lambda number: services.receive(
            provider_id=f"SM{number}", sender="+12125552001", recipient="x", body="STOP"
        )
    )
    assert (InboundText.objects.count(), OptOut.objects.count()) == (20, 1)
    assert Message.objects.filter(kind="opted_out").count() == 1


def test_twenty_callers_draw_twenty_numbers(practice):
    drawn = at_once(lambda number: draw_number("P"))
    assert sorted(drawn) == [f"P{100_001 + number}" for number in range(20)]
