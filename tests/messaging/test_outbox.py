from datetime import timedelta

import pytest

from eyecare import clock
from messaging import checks, services, tasks
from messaging.backends.base import DeliveryFailed, FateUnknown
from messaging.models import Message, OptOut
from patients import services as patients
from patients.models import Patient
from tests.factories import MONDAY, ConsentFactory, PatientFactory

State = Message.State


def test_a_message_that_is_due_is_sent_once(order_ready, outbox):
    services.send(order_ready.pk)
    services.send(order_ready.pk)
    order_ready.refresh_from_db()
    assert [(text.to, text.body) for text in outbox] == [(order_ready.to, "Your order is here.")]
    assert (order_ready.state, order_ready.sent_at, order_ready.attempts) == (State.SENT, MONDAY, 1)


def test_the_same_reason_never_makes_a_second_message(order_ready, ana):
    again = services.queue(kind="note", reason="note:1", patient=ana, body="Something else.")
    assert again == order_ready
    assert Message.objects.get().body == "Your order is here."


def test_a_message_leaves_when_the_transaction_commits(
    ana, agreed, monday, outbox, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        services.queue(kind="note", reason="note:1", patient=ana, body="Hello.")
        assert outbox == []
    assert [text.body for text in outbox] == ["Hello."]


def test_what_is_due_later_waits_for_the_sweep(
    ana, agreed, monday, outbox, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        services.queue(
            kind="note", reason="n", patient=ana, body="Hello.", due_at=monday + timedelta(hours=1)
        )
    tasks.sweep()
    assert outbox == []
    with clock.frozen_at(monday + timedelta(hours=1)):
        tasks.sweep()
    assert [text.body for text in outbox] == ["Hello."]


def test_nothing_is_queued_for_somebody_without_a_phone(practice):
    nobody = PatientFactory(phone="")
    assert services.queue(kind="note", reason="n", patient=nobody, body="Hello.") is None
    assert not Message.objects.exists()


def test_a_child_without_a_phone_is_reached_through_the_guarantor(ana):
    child = PatientFactory(phone="", guarantor=ana)
    assert services.queue(kind="note", reason="n", patient=child, body="Hello.").to == str(ana.phone)


def test_without_consent_nothing_leaves_and_the_reason_can_be_seen(ana, monday, outbox):
    message = services.queue(kind="note", reason="n", patient=ana, body="Hello.")
    services.send(message.pk)
    message.refresh_from_db()
    assert outbox == []
    assert (message.state, message.explanation) == (
        State.DROPPED,
        "the patient has not agreed to these messages",
    )


def test_consent_that_is_withdrawn_in_between_counts(order_ready, ana, outbox):
    patients.record_consent(patient=ana, kind="care_texts", granted=False, source="portal")
    services.send(order_ready.pk)
    assert outbox == []


def test_consent_to_texts_about_care_is_none_to_texts_about_bills(ana, agreed, monday, outbox):
    paid = {"kind": "payment_received", "patient": ana, "context": {"amount": "$12.50"}}
    services.send(services.queue(reason="p:1", **paid).pk)
    assert outbox == []
    ConsentFactory(patient=ana, kind="billing_texts")
    services.send(services.queue(reason="p:2", **paid).pk)
    assert len(outbox) == 1


def test_a_stop_between_queue_and_send_holds_back_every_message(ana, agreed, monday, outbox):
    queued = [
        services.queue(kind="note", reason=f"n:{number}", patient=ana, body="Hello.") for number in range(20)
    ]
    services.opt_out(str(ana.phone), word="stop")
    tasks.sweep()
    assert outbox == []
    assert Message.objects.filter(state=State.DROPPED).count() == len(queued)


def test_a_closed_record_gets_no_more_messages(order_ready, ana, outbox):
    Patient.objects.filter(pk=ana.pk).update(is_active=False)
    services.send(order_ready.pk)
    assert outbox == []


def test_the_kinds_own_check_may_drop_a_message(order_ready, outbox, monkeypatch):
    monkeypatch.setitem(checks._registered, "note", [lambda message: f"{message.subject_id} is gone"])
    services.send(order_ready.pk)
    order_ready.refresh_from_db()
    assert (order_ready.state, order_ready.explanation, outbox) == (State.DROPPED, "1 is gone", [])


def test_a_check_that_breaks_leaves_the_message_for_later(order_ready, outbox, monkeypatch):
    def broken(message: Message) -> str:
        raise ZeroDivisionError

    monkeypatch.setitem(checks._registered, "note", [broken])
    with pytest.raises(ZeroDivisionError):
        services.send(order_ready.pk)
    order_ready.refresh_from_db()
    assert (order_ready.state, order_ready.due_at) == (State.QUEUED, MONDAY + timedelta(minutes=1))


def test_in_quiet_hours_a_message_waits_for_the_morning(ana, agreed, outbox):
    night = MONDAY.replace(hour=22)
    with clock.frozen_at(night):
        message = services.queue(kind="note", reason="n", patient=ana, body="Hello.")
        services.send(message.pk)
    message.refresh_from_db()
    assert (message.state, message.due_at, message.attempts) == (
        State.QUEUED,
        MONDAY + timedelta(days=1),
        0,
    )
    with clock.frozen_at(message.due_at):
        tasks.sweep()
    assert len(outbox) == 1


def test_a_reply_to_a_text_leaves_at_night_and_without_consent(ana, outbox):
    with clock.frozen_at(MONDAY.replace(hour=23)):
        services.send(services.reply(to=str(ana.phone), body="We are open at nine.", reason="reply:1").pk)
    assert [text.body for text in outbox] == ["We are open at nine."]


def test_not_even_a_reply_goes_to_a_number_that_opted_out(ana, monday, outbox):
    OptOut.objects.create(phone=ana.phone, word="stop")
    services.send(services.reply(to=str(ana.phone), body="Hello.", reason="reply:1").pk)
    assert outbox == []


def test_a_failure_that_may_pass_is_tried_three_times_with_growing_pauses(order_ready, provider):
    provider.fails = [DeliveryFailed("out of reach", permanent=False) for _ in range(5)]
    moments = []
    while Message.objects.filter(state=State.QUEUED).exists():
        order_ready.refresh_from_db()
        moments.append(order_ready.due_at - MONDAY)
        with clock.frozen_at(order_ready.due_at):
            tasks.sweep()
    order_ready.refresh_from_db()
    assert moments == [timedelta(0), timedelta(minutes=1), timedelta(minutes=11)]
    assert (len(provider.sent), order_ready.state, order_ready.explanation) == (
        3,
        State.FAILED,
        "out of reach",
    )


def test_a_permanent_failure_is_tried_once(order_ready, provider):
    provider.fails = [DeliveryFailed("a landline", permanent=True)]
    services.send(order_ready.pk)
    tasks.sweep()
    order_ready.refresh_from_db()
    assert (len(provider.sent), order_ready.state) == (1, State.FAILED)


def test_a_carrier_that_knows_of_an_opt_out_is_believed(order_ready, provider, ana):
    provider.fails = [DeliveryFailed("the number opted out", permanent=True, opted_out=True)]
    services.send(order_ready.pk)
    order_ready.refresh_from_db()
    assert order_ready.state == State.DROPPED
    assert services.is_opted_out(str(ana.phone))


def test_a_message_without_an_answer_from_the_provider_is_never_repeated(order_ready, provider):
    provider.fails = [FateUnknown()]
    services.send(order_ready.pk)
    with clock.frozen_at(MONDAY + timedelta(days=1)):
        tasks.sweep()
    order_ready.refresh_from_db()
    assert (len(provider.sent), order_ready.state) == (1, State.UNKNOWN)


def test_what_a_dead_worker_was_sending_is_marked_and_never_repeated(order_ready, outbox):
    Message.objects.update(state=State.SENDING, claimed_at=MONDAY, attempts=1)
    with clock.frozen_at(MONDAY + timedelta(minutes=4)):
        tasks.sweep()
    order_ready.refresh_from_db()
    assert order_ready.state == State.SENDING
    with clock.frozen_at(MONDAY + timedelta(minutes=6)):
        tasks.sweep()
        tasks.sweep()
    order_ready.refresh_from_db()
    assert (order_ready.state, outbox) == (State.UNKNOWN, [])


def test_only_a_failed_message_can_be_sent_again(order_ready, provider):
    with pytest.raises(services.CannotResend):
        services.resend(order_ready)
    provider.fails = [DeliveryFailed("a landline", permanent=True)]
    services.send(order_ready.pk)
    services.resend(order_ready)
    services.send(order_ready.pk)
    order_ready.refresh_from_db()
    assert (order_ready.state, len(provider.sent)) == (State.SENT, 2)


def test_an_email_leaves_by_mail_and_at_any_hour(ana, mailoutbox):
    with clock.frozen_at(MONDAY.replace(hour=23)):
        ConsentFactory(patient=ana, kind="email")
        message = services.queue(
            kind="order_ready",
            reason="o:1",
            patient=ana,
            channel="email",
            context={"location": "Main Street"},
        )
        Message.objects.update(kind="note")  # no order stands behind it
        services.send(message.pk)
    assert [(mail.to, mail.subject) for mail in mailoutbox] == [([ana.email], "Your order is ready")]


def test_a_bare_number_answers_the_newest_text_that_was_no_reply(order_ready, ana):
    services.send(order_ready.pk)
    services.send(services.reply(to=str(ana.phone), body="You are welcome.", reason="reply:1").pk)
    assert services.last_message_to(str(ana.phone)) == order_ready
    with clock.frozen_at(MONDAY + timedelta(hours=97)):
        assert services.last_message_to(str(ana.phone)) is None


def test_the_sweep_looks_at_a_bounded_number(ana, agreed, monday, outbox):
    for number in range(4):
        services.queue(kind="note", reason=f"n:{number}", patient=ana, body="Hello.")
    assert services.send_due(limit=3) == 3
    assert len(outbox) == 3
