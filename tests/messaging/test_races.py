"""What several workers do at the same time, on real connections."""

from collections.abc import Callable
from functools import partial

import pytest

from eyecare import clock
from messaging import services
from messaging.backends import memory
from messaging.models import InboundText, Message, OptOut
from patients.models import Patient
from practice.services import draw_number
from tests.factories import MONDAY, ConsentFactory, PatientFactory
from tests.threads import at_once

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def by_twenty(act: Callable[[int], object]) -> list[object]:
    """Do something twenty times at the same moment of that Monday."""
    return at_once([partial(act, number) for number in range(20)], now=MONDAY)


@pytest.fixture
def ready(practice) -> Message:
    ana: Patient = PatientFactory(account=None)
    with clock.frozen_at(MONDAY):
        ConsentFactory(patient=ana)
        return services.queue(kind="note", reason="n", patient=ana, body="Hello.")


def test_twenty_workers_send_a_message_once(ready):
    by_twenty(lambda number: services.send(ready.pk))
    ready.refresh_from_db()
    assert (len(memory.outbox), ready.state, ready.attempts) == (1, Message.State.SENT, 1)


def test_twenty_callers_with_one_reason_make_one_message(ready):
    made = by_twenty(
        lambda number: (
            services.queue(kind="note", reason="the same", patient=None, to="+12125552001", body="Hello.").pk
        )
    )
    assert len(set(made)) == 1
    assert Message.objects.filter(reason="the same").count() == 1


def test_a_text_delivered_twenty_times_at_once_is_kept_and_confirmed_once(practice):
    by_twenty(
        lambda number: services.receive(provider_id="SM1", sender="+12125552001", recipient="x", body="STOP")
    )
    assert (InboundText.objects.count(), OptOut.objects.count()) == (1, 1)
    assert Message.objects.filter(kind="opted_out").count() == 1


def test_twenty_stops_at_once_are_confirmed_once(practice):
    by_twenty(
        lambda number: services.receive(
            provider_id=f"SM{number}", sender="+12125552001", recipient="x", body="STOP"
        )
    )
    assert (InboundText.objects.count(), OptOut.objects.count()) == (20, 1)
    assert Message.objects.filter(kind="opted_out").count() == 1


def test_twenty_callers_draw_twenty_numbers(practice):
    drawn = by_twenty(lambda number: draw_number("P"))
    assert sorted(drawn) == [f"P{100_001 + number}" for number in range(20)]
