from datetime import timedelta

import pytest

from eyecare import clock
from messaging import services, tasks
from messaging.models import InboundText, Message
from tests.factories import MONDAY, ConsentFactory

answered: list[str] = []


def answer(inbound_text_id: str) -> None:
    """Stands where the assistant stands."""
    answered.append(InboundText.objects.get(pk=inbound_text_id).body)


def fail(inbound_text_id: str) -> None:
    answer(inbound_text_id)
    raise ZeroDivisionError


@pytest.fixture(autouse=True)
def receiver(settings):
    settings.MESSAGING_RECEIVER = "tests.messaging.test_inbound.answer"
    answered.clear()


@pytest.fixture
def say(ana, monday, django_capture_on_commit_callbacks):
    """Text the practice from Ana's phone; whatever follows is done when it returns."""

    def text(body: str, provider_id: str = "") -> InboundText:
        with django_capture_on_commit_callbacks(execute=True):
            return services.receive(
                provider_id=provider_id or f"SM{InboundText.objects.count()}",
                sender=str(ana.phone),
                recipient="+12125550100",
                body=body,
            )

    return text


def test_a_text_is_kept_and_answered(say):
    text = say("when is my appointment?")
    text.refresh_from_db()
    assert (answered, text.processed_at) == (["when is my appointment?"], MONDAY)


def test_a_text_that_is_delivered_twice_is_answered_once(say):
    assert say("hello", "SM1") == say("hello", "SM1")
    assert answered == ["hello"]


def test_stop_is_confirmed_once_and_then_nothing_more_is_sent(say, ana, outbox):
    ConsentFactory(patient=ana)
    say("STOP")
    say("Stop!!")
    services.send(services.queue(kind="note", reason="n", patient=ana, body="Hello.").pk)
    assert [text.body for text in outbox] == [
        "Harbor Eye Care: you will get no more texts from us. Reply START to get them again. "
        "For care call (212) 555-0100."
    ]
    assert answered == []


def test_start_brings_the_texts_back(say, ana, agreed, outbox):
    say("stop")
    say("START")
    services.send(services.queue(kind="note", reason="n", patient=ana, body="Hello.").pk)
    assert [text.body for text in outbox][1:] == [
        "Harbor Eye Care: you will get our texts again. Reply HELP for help, STOP to end them.",
        "Hello.",
    ]


def test_yes_comes_back_only_after_having_left(say, ana):
    say("yes")
    assert answered == ["yes"]
    say("stop")
    say("yes")
    assert answered == ["yes"]
    assert not services.is_opted_out(str(ana.phone))


def test_help_is_answered_even_after_having_left(say, outbox):
    say("stop")
    say("help")
    assert outbox[-1].body.startswith("Harbor Eye Care: for help call (212) 555-0100")


def test_a_spanish_speaker_is_answered_in_spanish(say, ana, outbox):
    ana.language = "es"
    ana.save()
    say("ALTO")
    assert outbox[0].body.startswith("Harbor Eye Care: no recibira mas mensajes")


def test_cancel_my_appointment_is_an_ordinary_text(say, ana):
    say("cancel my appointment")
    assert answered == ["cancel my appointment"]
    assert not services.is_opted_out(str(ana.phone))


def test_a_text_that_was_missed_is_answered_by_the_sweep(ana, monday):
    services.receive(provider_id="SM1", sender=str(ana.phone), recipient="+12125550100", body="hello")
    assert answered == []
    tasks.sweep_inbound()
    tasks.sweep_inbound()
    assert answered == ["hello"]


def test_a_text_that_cannot_be_answered_is_tried_five_times_and_left_to_a_person(ana, monday, settings):
    settings.MESSAGING_RECEIVER = "tests.messaging.test_inbound.fail"
    text = services.receive(provider_id="SM1", sender=str(ana.phone), recipient="+12125550100", body="hello")
    for hour in range(8):
        with clock.frozen_at(MONDAY + timedelta(hours=hour)):
            try:
                services.process(text.pk)
            except ZeroDivisionError:
                continue
    text.refresh_from_db()
    assert (len(answered), text.attempts, text.processed_at) == (5, 5, None)


def test_a_text_in_one_workers_hands_is_left_alone_by_another(ana, monday):
    text = services.receive(provider_id="SM1", sender=str(ana.phone), recipient="+12125550100", body="hello")
    InboundText.objects.update(claimed_at=MONDAY)
    services.process(text.pk)
    assert answered == []


def test_a_character_that_the_database_refuses_is_left_out(say):
    say("he\0llo")
    assert answered == ["hello"]


def test_the_confirmation_names_no_patient(say):
    say("stop")
    assert Message.objects.get(kind="opted_out").patient is None


def test_a_short_code_may_text_us_too(practice, monday):
    services.receive(provider_id="SM1", sender="262966", recipient="+12125550100", body="STOP")
    assert services.is_opted_out("262966")
    assert Message.objects.get().to == "262966"
