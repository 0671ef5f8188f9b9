"""Conversations: stored once, answered once, silent while a person has them, closed to others."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from chatbot import handoff, services
from chatbot.models import ChatMessage, Conversation, Handoff
from chatbot.turns import Turn
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from patients.models import Account, Patient, Proxy
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday")]


@pytest.fixture
def talk(ana: Patient) -> Conversation:
    return services.begin(channel="web", patient=ana, account=ana.account)


def test_a_message_that_comes_twice_is_stored_and_answered_once(talk: Conversation) -> None:
    first = services.say(talk, "hello", provider_id="SM1")
    again = services.say(talk, "hello", provider_id="SM1")
    assert first == again
    assert talk.messages.count() == 2


def test_messages_that_wait_are_joined_into_one_answer(talk: Conversation) -> None:
    services.receive(talk, "hello")
    services.receive(talk, "i want to talk to a person")
    reply = services.answer(talk)
    assert reply is not None
    assert reply.handoff
    assert talk.messages.filter(author="assistant").count() == 1
    assert not talk.messages.filter(author="patient", answered_at=None).exists()


def test_what_another_worker_answers_now_is_left_to_it(talk: Conversation) -> None:
    services.receive(talk, "hello")
    Conversation.objects.filter(pk=talk.pk).update(busy_until=clock.now() + timedelta(seconds=30))
    assert services.answer(talk) is None
    Conversation.objects.filter(pk=talk.pk).update(busy_until=clock.now() - timedelta(seconds=1))
    assert services.answer(talk) is not None


def test_what_came_while_a_message_was_answered_is_answered_next(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, texts = Turn.take, iter(["and i want to talk to a person"])

    def take_while_another_comes(turn: Turn) -> object:
        for text in texts:
            services.receive(talk, text)
        return take(turn)

    monkeypatch.setattr(Turn, "take", take_while_another_comes)
    services.say(talk, "hello")
    assert [reply.handoff for reply in talk.messages.filter(author="assistant")] == [False, True]


def test_the_assistant_is_silent_while_a_person_has_the_conversation(
    talk: Conversation, dana: Account
) -> None:
    services.say(talk, "i want to talk to a person")
    handoff.take(conversation=talk, account=dana)
    assert services.say(talk, "hello") is None
    handoff.end(conversation=talk)
    assert services.say(talk, "hello") is not None


def test_a_reply_is_dropped_when_a_person_takes_over_while_it_is_made(
    talk: Conversation, dana: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Turn.take

    def take_too_late(turn: Turn) -> object:
        handoff.take(conversation=talk, account=dana)
        return take(turn)

    monkeypatch.setattr(Turn, "take", take_too_late)
    assert services.say(talk, "hello") is None
    assert not talk.messages.filter(author="assistant").exists()


def test_a_red_flag_is_answered_even_while_a_person_has_the_conversation(
    talk: Conversation, dana: Account
) -> None:
    handoff.take(conversation=talk, account=dana)
    reply = services.say(talk, "I just splashed bleach in my eye")
    assert reply is not None
    assert reply.urgent
    assert Handoff.objects.get().is_urgent
    talk.refresh_from_db()
    assert talk.status == Conversation.Status.STAFF


def test_two_people_of_staff_cannot_take_the_same_conversation(talk: Conversation, dana: Account) -> None:
    other = factories.AccountFactory(email="eve@example.com", is_staff=True)
    handoff.take(conversation=talk, account=dana)
    with pytest.raises(handoff.AlreadyTaken):
        handoff.take(conversation=talk, account=other)
    assert Handoff.objects.get().taken_by == dana


def test_after_a_person_is_done_the_assistant_starts_afresh(talk: Conversation, dana: Account) -> None:
    services.say(talk, "I just splashed bleach in my eye")
    handoff.reply(conversation=talk, account=dana, text="Please come now.")
    handoff.end(conversation=talk)
    talk.refresh_from_db()
    assert (talk.status, talk.is_urgent, talk.state) == ("assistant", False, {})
    assert Handoff.objects.get().ended_at is not None


def test_asking_for_a_person_twice_makes_one_handoff(talk: Conversation) -> None:
    first = services.say(talk, "i want to talk to a person")
    second = services.say(talk, "i said i want to talk to a person")
    assert first is not None
    assert second is not None
    assert [len(reply.effects) for reply in (first, second)] == [1, 0]
    assert Handoff.objects.count() == 1


@pytest.mark.parametrize("text", ["", "   ", "\x00", "x" * 2_001])
def test_nothing_is_stored_of_an_empty_or_endless_message(talk: Conversation, text: str) -> None:
    with pytest.raises(Invalid):
        services.receive(talk, text)
    assert not talk.messages.exists()


def test_the_twenty_first_message_in_ten_minutes_is_refused_in_any_conversation(ana: Patient) -> None:
    for _ in range(20):
        talk = services.begin(channel="web", patient=ana, account=ana.account)
        services.admit(talk)
        services.receive(talk, "hello")
    with pytest.raises(services.TooManyMessages):
        services.admit(services.begin(channel="web", patient=ana, account=ana.account))
    with clock.frozen_at(clock.now() + timedelta(minutes=11)):
        services.admit(talk)


def test_another_accounts_conversation_looks_missing(talk: Conversation, ben: Patient) -> None:
    assert ben.account is not None
    for key in (talk.pk, "not-a-key", None):
        with pytest.raises(NotFound):
            services.get_for(ben.account, key)


def test_a_conversation_about_somebody_one_may_no_longer_act_for_looks_missing(
    ana: Patient, ben: Patient
) -> None:
    assert ana.account is not None
    right = Proxy.objects.create(patient=ben, proxy=ana, relation="carer")
    talk = services.begin(channel="web", patient=ben, account=ana.account)
    assert services.get_for(ana.account, talk.pk) == talk
    right.delete()
    with pytest.raises(NotFound):
        services.get_for(ana.account, talk.pk)


def test_what_a_dead_worker_left_is_answered_by_the_sweep(talk: Conversation) -> None:
    services.receive(talk, "hello")
    with clock.frozen_at(clock.now() + timedelta(minutes=2)):
        assert services.answer_missed(timedelta(minutes=1)) == 1
        assert services.answer_missed(timedelta(minutes=1)) == 0


def test_interleaved_conversations_hold_no_foreign_word(practice: object) -> None:
    talks = [
        services.begin(channel="web", patient=patient, account=patient.account)
        for patient in factories.PatientFactory.create_batch(10)
    ]
    for talk in talks:
        services.say(talk, f"i want to talk to a person about canary{talk.pk.hex}")
    for talk in talks:
        reply = services.say(talk, "hello")
        assert reply is not None
        said = "".join(ChatMessage.objects.filter(conversation=talk).values_list("text", flat=True))
        assert said.count("canary") == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_ten_messages_at_once_are_all_answered_and_never_two_at_a_time(ana: Patient) -> None:
    talk = services.begin(channel="web", patient=ana, account=ana.account)
    overlaps: list[bool] = []
    take, busy = Turn.take, threading.Lock()

    def take_alone(turn: Turn) -> object:
        overlaps.append(not busy.acquire(blocking=False))
        try:
            return take(turn)
        finally:
            busy.release()

    def say(number: int) -> None:
        try:
            services.say(talk, f"hello {number}")
        finally:
            connection.close()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(10) as threads:
        patch.setattr(Turn, "take", take_alone)
        list(threads.map(say, range(10)))
    assert not any(overlaps)
    assert not talk.messages.filter(author="patient", answered_at=None).exists()
    assert talk.messages.filter(author="assistant").count() == len(overlaps)
