"""Everything that is said to patients, and heard from them, outside the portal."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.module_loading import import_string

from eyecare import clock
from eyecare.errors import Refusal
from messaging import alphabet, checks, quiet, tasks, wording, words
from messaging.backends.base import DeliveryFailed, FateUnknown, MessagingBackend, Text
from messaging.models import InboundText, Message, OptOut
from patients.models import Patient
from practice import audit
from practice import services as practice_services

PAUSES = (timedelta(minutes=1), timedelta(minutes=10))
"""How long to wait after each failure that may pass; then it is final."""

State = Message.State


class CannotResend(Refusal):
    """Only a message that surely did not arrive may be sent again."""

    code = "cannot_resend"


def queue(
    *,
    kind: str,
    reason: str,
    patient: Patient | None,
    to: str | None = None,
    channel: str = Message.Channel.SMS,
    context: Mapping[str, Any] | None = None,
    body: str | None = None,
    due_at: datetime | None = None,
    urgent: bool = False,
    subject_id: str = "",
) -> Message | None:
    """Put a message into the outbox, in the caller's transaction; it leaves after the commit.

    A second call with the same `reason` returns the first one's message. `to` is the patient's phone
    or e-mail address unless given, or the guarantor's; None is returned where there is none. Without
    a `body` the kind's wording is filled from `context` (see `messaging.wording`). Consent, opt-outs
    and quiet hours are looked at when it is sent, not here.
    """
    recipient = to or _address(patient, channel)
    if not recipient:
        return None
    message, is_new = Message.objects.get_or_create(
        reason=reason,
        defaults={
            "kind": kind,
            "channel": channel,
            "patient": patient,
            "to": recipient,
            "subject": wording.subject(kind, _language(patient)),
            "body": _body(kind, patient, context or {}, channel) if body is None else body,
            "urgent": urgent,
            "subject_id": subject_id,
            "due_at": due_at or clock.now(),
        },
    )
    if is_new and message.due_at <= clock.now():
        tasks.send.delay_on_commit(str(message.pk))
    return message


def obstacle(*, patient: Patient, kind: str, channel: str) -> str:
    """Return why a message of a kind cannot reach a patient by a channel now, or ""; nothing is written."""
    to = _address(patient, channel)
    if not to:
        return _NO_ADDRESS[channel]
    return checks.obstacle(Message(kind=kind, channel=channel, patient=patient, to=to))


def reachable(*, patient: Patient, kind: str) -> list[str]:
    """Return the channels by which a message of a kind can reach a patient now, a text before an e-mail."""
    return [
        channel
        for channel in (Message.Channel.SMS, Message.Channel.EMAIL)
        if not obstacle(patient=patient, kind=kind, channel=channel)
    ]


def leaves_at(channel: str) -> datetime:
    """Return when a message that can wait may leave: now, or when the quiet hours end."""
    now = clock.now()
    if channel == Message.Channel.EMAIL:
        return now
    practice = practice_services.current()
    zone = practice_services.zone()
    return quiet.allowed_at(now, quiet_from=practice.quiet_from, quiet_until=practice.quiet_until, zone=zone)


def reply(*, to: str, body: str, reason: str, patient: Patient | None = None) -> Message | None:
    """Answer somebody who has just texted us: at any hour, and without further consent."""
    return queue(kind="reply", reason=reason, patient=patient, to=to, body=body, urgent=True)


def send(message_id: uuid.UUID | str) -> None:
    """Send one message if it is due, still right, and nobody else is sending it."""
    if not _claim(message_id):
        return  # sent, dropped, not due, or in another worker's hands
    message = Message.objects.select_related("patient").get(pk=message_id)
    try:
        objection, leaves_at = checks.objection(message), _leaves_at(message)
    except Exception:
        _try_again(message, "it could not be checked")  # nothing has left yet
        raise
    if objection:
        _mark(message, State.DROPPED, explanation=objection)
    elif leaves_at > clock.now():
        _mark(message, State.QUEUED, due_at=leaves_at, attempts=message.attempts - 1)
    else:
        _deliver(message)


def send_due(limit: int = 50) -> int:
    """Send what is due, oldest first, and return how many were looked at."""
    due = list(Message.objects.due().order_by("due_at").values_list("pk", flat=True)[:limit])
    for message_id in due:
        send(message_id)
    return len(due)


def give_up_abandoned() -> int:
    """Mark what a dead worker was sending: it may have left, so it is not repeated. Return how many."""
    return Message.objects.abandoned().update(
        state=State.UNKNOWN, explanation="the worker stopped while it was being sent"
    )


def resend(message: Message) -> None:
    """Send a failed message again; it is checked again before it leaves. Anything else is refused."""
    failed = Message.objects.filter(pk=message.pk, state=State.FAILED)
    if not failed.update(state=State.QUEUED, due_at=clock.now(), explanation=""):
        raise CannotResend("Only a message that failed can be sent again: this one may have arrived.")
    tasks.send.delay_on_commit(str(message.pk))


def learn_fate(
    *, reference: str, provider_id: str, state: str, failure: DeliveryFailed | None = None
) -> None:
    """Take note of what became of one attempt: SENT, DELIVERED or FAILED.

    Reports come late, twice and in any order, so a state never goes back: `delivered` is final, and a
    report about an earlier attempt than the latest changes nothing. An attempt whose worker died is
    settled here too.
    """
    message_id, _, attempt = reference.partition(".")
    if not _is_uuid(message_id) or not attempt.isdecimal():
        return
    reached = Message.objects.filter(pk=message_id, attempts=int(attempt), state__in=_EARLIER[state])
    if failure:
        for message in reached.filter(state__in=_EARLIER[State.FAILED]):
            _failed(message, failure, provider_id=provider_id)
        return
    reached.filter(sent_at=None).update(sent_at=clock.now())
    reached.update(state=state, provider_id=provider_id, explanation="")


@transaction.atomic
def receive(*, provider_id: str, sender: str, recipient: str, body: str) -> InboundText:
    """Keep a text that came in, once however often it is delivered, and see that it is answered."""
    text, is_new = InboundText.objects.get_or_create(
        provider_id=provider_id,
        defaults={"sender": sender, "recipient": recipient, "body": body.replace("\0", "")},
    )
    if is_new and not _answered_by_word(text):
        tasks.receive.delay_on_commit(str(text.pk))
    return text


def process(inbound_text_id: uuid.UUID | str) -> None:
    """Hand a text to whoever answers it (settings.MESSAGING_RECEIVER), unless somebody does already.

    The receiver may be called again for the same text after a crash and has to stand that.
    """
    waiting = InboundText.objects.waiting().filter(pk=inbound_text_id)
    if not waiting.update(claimed_at=clock.now(), attempts=F("attempts") + 1):
        return
    with audit.acting(channel="sms"):
        import_string(settings.MESSAGING_RECEIVER)(inbound_text_id)
    InboundText.objects.filter(pk=inbound_text_id).update(processed_at=clock.now())


def process_waiting(limit: int = 50) -> int:
    """Nudge the texts that were missed, oldest first, and return how many."""
    missed = InboundText.objects.waiting().order_by("received_at").values_list("pk", flat=True)[:limit]
    for text_id in missed:
        tasks.receive.delay(str(text_id))
    return len(missed)


def last_message_to(
    phone: str,
    within_hours: int = 96,
    kinds: Collection[str] | None = None,
    without: Collection[str] = (),
) -> Message | None:
    """Return the newest text that we sent of our own accord, of these kinds if any are named.

    None of those whose keys are `without`.
    """
    since = clock.now() - timedelta(hours=within_hours)
    recent = Message.objects.to_phone(phone).that_left().filter(claimed_at__gte=since)
    if kinds is not None:
        recent = recent.filter(kind__in=kinds)
    return recent.exclude(kind="reply").exclude(pk__in=without).order_by("-claimed_at", "-created_at").first()


def is_opted_out(phone: str) -> bool:
    """Say whether this number asked for no more texts."""
    return OptOut.objects.filter(phone=phone).exists()


def opt_out(phone: str, *, word: str) -> bool:
    """Send nothing more to a number; return whether that is new."""
    return OptOut.objects.get_or_create(phone=phone, defaults={"word": word[:40]})[1]


def opt_in(phone: str) -> bool:
    """Text a number again that had opted out; return whether it had."""
    return bool(OptOut.objects.filter(phone=phone).delete()[0])


_EARLIER: dict[str, tuple[State, ...]] = {
    State.SENT: (State.SENDING, State.UNKNOWN),
    State.FAILED: (State.SENDING, State.UNKNOWN, State.SENT),
    State.DELIVERED: (State.QUEUED, State.SENDING, State.UNKNOWN, State.SENT, State.FAILED),
}
"""From which states a report may lead to each; QUEUED is an attempt that failed and waits for the next."""


def _claim(message_id: uuid.UUID | str) -> bool:
    claimed = Message.objects.due().filter(pk=message_id)
    return bool(claimed.update(state=State.SENDING, claimed_at=clock.now(), attempts=F("attempts") + 1))


def _leaves_at(message: Message) -> datetime:
    return clock.now() if message.urgent else leaves_at(message.channel)


def _deliver(message: Message) -> None:
    reference = f"{message.pk}.{message.attempts}"
    text = Text(message.to, message.body, reference, message.subject)
    try:
        provider_id = _backend(message.channel).send(text)
    except DeliveryFailed as failure:
        _failed(message, failure)
    except FateUnknown:
        _mark(message, State.UNKNOWN, explanation="the provider did not answer")
    else:
        _mark(message, State.SENT, provider_id=provider_id, sent_at=clock.now(), explanation="")


def _failed(message: Message, failure: DeliveryFailed, provider_id: str = "") -> None:
    if failure.opted_out:
        opt_out(message.to, word="(told by the carrier)")
        _mark(message, State.DROPPED, explanation=failure.message, provider_id=provider_id)
    elif failure.permanent:
        _mark(message, State.FAILED, explanation=failure.message, provider_id=provider_id)
    else:
        _try_again(message, failure.message)


def _try_again(message: Message, explanation: str) -> None:
    if message.attempts > len(PAUSES):
        _mark(message, State.FAILED, explanation=explanation)
    else:
        due_at = clock.now() + PAUSES[message.attempts - 1]
        _mark(message, State.QUEUED, explanation=explanation, due_at=due_at)


def _mark(message: Message, state: str, **columns: Any) -> None:
    """Move a message on from the state in which it was read; where it has moved since, that stands."""
    Message.objects.filter(pk=message.pk, state=message.state).update(state=state, **columns)


def _backend(channel: str) -> MessagingBackend:
    if channel == Message.Channel.EMAIL:
        return import_string("messaging.backends.email.EmailBackend")()
    return import_string(settings.MESSAGING_BACKEND)()


_NO_ADDRESS: dict[str, str] = {
    Message.Channel.SMS: "no phone number",
    Message.Channel.EMAIL: "no e-mail address",
}


def _address(patient: Patient | None, channel: str) -> str:
    if patient is None:
        return ""
    if channel == Message.Channel.EMAIL:
        return patient.email or patient.payer.email
    return str(patient.phone or patient.payer.phone)


def _body(
    kind: str, patient: Patient | None, context: Mapping[str, Any], channel: str = Message.Channel.SMS
) -> str:
    practice = practice_services.current()
    values = {
        "practice": practice.name,
        "phone": practice.phone.as_national,
        "url": settings.SITE_URL,
        "first_name": patient.first_name if patient else "",
        **context,
    }
    if channel == Message.Channel.EMAIL:
        return wording.text(wording.as_email(kind), _language(patient), values)
    return alphabet.fold(wording.text(kind, _language(patient), values))


def _language(patient: Patient | None) -> str:
    return patient.language if patient else Patient.Language.ENGLISH


def _answered_by_word(text: InboundText) -> bool:
    """Act on a text that is nothing but an opt-out, opt-in or help word; say whether it was one."""
    phone, word = str(text.sender), words.read(text.body)
    if word is words.Word.BACK:
        word = words.Word.IN if is_opted_out(phone) else None
    if word is None:
        return False
    if word is words.Word.HELP:
        _answer(text, "help")
    elif word is words.Word.OUT and opt_out(phone, word=text.body.strip()):
        _answer(text, "opted_out")
    elif word is words.Word.IN:
        opt_in(phone)
        _answer(text, "opted_in")
    InboundText.objects.filter(pk=text.pk).update(processed_at=clock.now())
    return True


def _answer(text: InboundText, kind: str) -> None:
    """Answer in the language of the number's owner; it names nobody, so the patient is left out."""
    phone = str(text.sender)
    owner = Patient.objects.with_phone(phone).first()
    body = _body(kind, owner, {})
    queue(kind=kind, reason=f"{kind}:{text.pk}", patient=None, to=phone, body=body, urgent=True)


def _is_uuid(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True
