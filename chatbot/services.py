"""Conversations: found or begun, a message stored once, answered once."""

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from chatbot import assistants, delivery, handoff, sayings
from chatbot.drafts import Draft
from chatbot.identity import phone_words
from chatbot.models import Assistant, ChatMessage, Conversation, RedFlag
from chatbot.stack import Stack
from chatbot.tools import Effect
from chatbot.triage import Sign, Triage, default_flags
from chatbot.turns import Turn
from chatbot.work import let_go_of_all
from eyecare import clock
from eyecare.errors import Invalid, NotFound, Refusal
from patients import services as patients
from patients.models import Account, Patient
from practice import audit
from practice import services as practice

logger = logging.getLogger(__name__)

TEXT_LIMIT = 2_000
"""Characters of one message; the model is shown the first `prompt.MESSAGE_LIMIT` of them."""

RATE_LIMIT = 20
RATE_WINDOW = timedelta(minutes=10)
FORGOTTEN_AFTER = timedelta(hours=12)
"""Open tasks of a conversation that rested longer are no longer what the patient means."""

TEXT_CONVERSATION_RESTS = timedelta(hours=24)
"""A text after a longer rest begins a new conversation: whose phone it is is asked again."""

MISSED_AT_ONCE = 50

TURN_SECONDS = 60
"""How long one worker may hold a conversation; past it the worker counts as dead."""


class TooManyMessages(Refusal):
    """More messages than one person writes."""

    code = "too_many_messages"
    status = 429


class TooLong(Invalid):
    """More text than one message may hold."""

    code = "too_long"


def begin(
    *,
    channel: str,
    patient: Patient | None = None,
    account: Account | None = None,
    phone: str = "",
    assistant: Assistant | None = None,
) -> Conversation:
    return Conversation.objects.create(
        assistant=assistant if assistant and assistant.pk and not assistant.is_default else None,
        channel=channel,
        patient=patient,
        account=account,
        phone=phone,
        created_at=clock.now(),
        active_at=clock.now(),
    )


def web_conversation(
    *,
    account: Account | None,
    patient: Patient | None,
    key: str | None,
    assistant: Assistant | None = None,
) -> Conversation | None:
    """Return the open portal conversation of this account about this patient, or a visitor's by its key.

    Each assistant has conversations of its own; without one the usual assistant's is meant.
    """
    mine = Conversation.objects.filter(channel=Conversation.Channel.WEB, account=account, patient=patient)
    mine = mine.with_assistant(assistant or assistants.default())
    if account is None:
        known = _as_key(key)
        mine = mine.filter(pk=known) if known else mine.none()
    return mine.exclude(status=Conversation.Status.CLOSED).first()


@transaction.atomic
def text_conversation(phone: str) -> Conversation:
    """Return the open conversation with this phone; one that rested for long is closed and begun anew."""
    texts = Conversation.objects.filter(channel=Conversation.Channel.SMS, phone=phone)
    rested = texts.filter(
        status=Conversation.Status.ASSISTANT, active_at__lt=clock.now() - TEXT_CONVERSATION_RESTS
    )
    rested.update(status=Conversation.Status.CLOSED)
    conversation, _ = texts.exclude(status=Conversation.Status.CLOSED).get_or_create(
        defaults={"created_at": clock.now(), "active_at": clock.now()},
        channel=Conversation.Channel.SMS,
        phone=phone,
    )
    return conversation


def end_text_conversation(phone: str) -> None:
    """Close what is open with this phone; its next text begins a new conversation."""
    texts = Conversation.objects.filter(channel=Conversation.Channel.SMS, phone=phone)
    for conversation in texts.exclude(status=Conversation.Status.CLOSED):
        let_go_of_all(Stack.from_json(conversation.state))
    texts.update(status=Conversation.Status.CLOSED, state={})


def get_for(account: Account, conversation_id: object) -> Conversation:
    """Return one of the account's own conversations; NotFound for anybody else's.

    One about a person whom the account may no longer act for is not its own any more.
    """
    key = _as_key(conversation_id)
    found = Conversation.objects.filter(account=account, pk=key).first() if key else None
    if found is None or (found.patient and found.patient not in patients.patients_of(account)):
        raise NotFound("We could not find that conversation.")
    return found


def history(conversation: Conversation) -> QuerySet[ChatMessage]:
    return conversation.messages.order_by("id")


def say(conversation: Conversation, text: str, provider_id: str = "") -> ChatMessage | None:
    """Store what the patient wrote and answer it; None when a person has the conversation.

    Raises TooLong and Invalid; the doors ask `admit` first. A message that came before (the same
    `provider_id`) is answered by the reply it had.
    """
    message = receive(conversation, text, provider_id)
    answer(conversation)
    return reply_to(message)


def admit(conversation: Conversation) -> None:
    """Refuse a flood: raises TooManyMessages. Every conversation of the same person counts."""
    person = Q(conversation=conversation.pk)
    if conversation.account_id:
        person |= Q(conversation__account=conversation.account_id)
    recent = ChatMessage.objects.filter(
        person, author=ChatMessage.Author.PATIENT, created_at__gt=clock.now() - RATE_WINDOW
    )
    if recent.count() >= RATE_LIMIT:
        raise TooManyMessages("That was a lot at once. Please wait a few minutes, or call us.")


def receive(conversation: Conversation, text: str, provider_id: str = "") -> ChatMessage:
    """Store a message of the patient, once for each provider id."""
    text = _checked(text)
    try:
        with transaction.atomic():
            return ChatMessage.objects.create(
                conversation=conversation,
                author=ChatMessage.Author.PATIENT,
                channel=conversation.channel,
                provider_id=provider_id,
                text=text,
                created_at=clock.now(),
            )
    except IntegrityError:
        return ChatMessage.objects.get(channel=conversation.channel, provider_id=provider_id)


def answer(
    conversation: Conversation, *, engine: str = "", assistant: Assistant | None = None
) -> ChatMessage | None:
    """Answer every message that waits, joined into one; return the last reply.

    `assistant` stands in for the conversation's own: one with another model, before it is promoted.
    One worker at a time: whoever comes while another is at it leaves, and the other looks again
    after it let go.
    """
    reply = None
    while _waiting(conversation).exists() and _claim(conversation):
        try:
            reply = _answer(conversation, engine, assistant)
        finally:
            Conversation.objects.filter(pk=conversation.pk).update(busy_until=None)
    return reply


def answer_missed(after: timedelta) -> int:
    """Answer what has waited longer than this, in any conversation; return in how many."""
    waiting = ChatMessage.objects.filter(
        author=ChatMessage.Author.PATIENT, answered_at=None, created_at__lt=clock.now() - after
    )
    missed = Conversation.objects.filter(pk__in=waiting.values("conversation"))
    return sum(answer(conversation) is not None for conversation in missed[:MISSED_AT_ONCE])


def reply_to(message: ChatMessage) -> ChatMessage | None:
    """Return the reply to a message, which may answer later ones as well."""
    replies = ChatMessage.objects.filter(
        conversation_id=message.conversation_id, author=ChatMessage.Author.ASSISTANT, answers__isnull=False
    )
    return replies.filter(answers__gte=message.pk).order_by("id").first()


def _checked(text: str) -> str:
    text = text.replace("\x00", "").strip()
    if not text:
        raise Invalid("Please write something first.")
    if len(text) > TEXT_LIMIT:
        raise TooLong(f"That is too long for me. Please keep it under {TEXT_LIMIT:,} characters.")
    return text


def _waiting(conversation: Conversation) -> QuerySet[ChatMessage]:
    return history(conversation).filter(author=ChatMessage.Author.PATIENT, answered_at=None)


def _claim(conversation: Conversation) -> bool:
    now = clock.now()
    free = Q(busy_until=None) | Q(busy_until__lt=now)
    row = Conversation.objects.filter(free, pk=conversation.pk)
    return bool(row.update(busy_until=now + timedelta(seconds=TURN_SECONDS)))


def _answer(conversation: Conversation, engine: str, assistant: Assistant | None) -> ChatMessage | None:
    started = time.monotonic()
    conversation.refresh_from_db()
    messages = list(_waiting(conversation))
    who = str(conversation.account_id or "")
    with timezone.override(practice.zone()), audit.acting(account=who, channel=conversation.channel):
        assistant = assistant or conversation.assistant or assistants.default()
        turn = _turn(conversation, messages, engine, assistant)
        draft = _taken(turn)
        reply = _store(turn, draft, messages)
        if reply:
            reply.milliseconds = round((time.monotonic() - started) * 1000)
            reply.save(update_fields=["milliseconds"])
        return reply


def _turn(
    conversation: Conversation, messages: Sequence[ChatMessage], engine: str, assistant: Assistant
) -> Turn:
    text = "\n".join(message.text for message in messages)
    rested = clock.now() - conversation.active_at > FORGOTTEN_AFTER
    said = history(conversation).filter(author=ChatMessage.Author.ASSISTANT)
    return Turn(
        conversation=conversation,
        text=text,
        stack=Stack() if rested else Stack.from_json(conversation.state),
        turn_id=str(messages[-1].pk),
        sign=Triage(_red_flags()).check(text),
        last_reply=said.last(),
        engine=engine,
        assistant=assistant,
    )


def _red_flags() -> Sequence[Sign]:
    """Return the practice's list; one that was never loaded must not leave the gate open."""
    flags = list(RedFlag.objects.all())
    return [flag for flag in flags if flag.is_active] if flags else default_flags()


def _taken(turn: Turn) -> Draft | None:
    """Take the turn; whatever breaks in it, the patient is told and a person learns of it."""
    try:
        return turn.take()
    except Exception:
        logger.exception("A turn of conversation %s broke", turn.conversation.pk)
        turn.stack = Stack()
        return Draft(parts=[sayings.broken(phone_words())], handoff="the assistant broke")


@transaction.atomic
def _store(turn: Turn, draft: Draft | None, messages: Sequence[ChatMessage]) -> ChatMessage | None:
    """Write the reply and the state of the conversation, unless a person took it over meanwhile."""
    conversation = turn.conversation
    ChatMessage.objects.filter(pk__in=[message.pk for message in messages]).update(answered_at=clock.now())
    is_ours = _save_state(conversation, turn.stack)
    if draft is None or not (is_ours or draft.effects or draft.urgent):
        return None
    if draft.handoff:
        _, is_new = handoff.request(conversation=conversation, reason=draft.handoff, is_urgent=draft.urgent)
        draft.effects += [Effect("handoff.requested", "conversation", str(conversation.pk))] if is_new else []
    reply = ChatMessage.objects.create(answers=messages[-1], **_columns(conversation, draft))
    delivery.deliver(reply)
    return reply


def _save_state(conversation: Conversation, stack: Stack) -> bool:
    """Keep what the turn learned; say whether the conversation is still the assistant's."""
    conversation.state, conversation.active_at = stack.as_json(), clock.now()
    row = Conversation.objects.filter(pk=conversation.pk).exclude(status=Conversation.Status.STAFF)
    return bool(
        row.update(
            state=conversation.state,
            patient=conversation.patient,
            identity_checked_at=conversation.identity_checked_at,
            active_at=conversation.active_at,
        )
    )


def _columns(conversation: Conversation, draft: Draft) -> dict[str, Any]:
    return {
        "conversation": conversation,
        "author": ChatMessage.Author.ASSISTANT,
        "channel": conversation.channel,
        "text": draft.text,
        "choices": [asdict(choice) for choice in draft.choices],
        "cards": [asdict(card) for card in draft.cards],
        "commands": [{"name": said.name, "arguments": dict(said.arguments)} for said in draft.commands],
        "effects": [asdict(effect) for effect in draft.effects],
        "sources": [asdict(source) for source in draft.sources],
        "context": draft.context,
        "engine": draft.engine,
        "urgent": draft.urgent,
        "handoff": bool(draft.handoff),
        "created_at": clock.now(),
    }


def _as_key(conversation_id: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(conversation_id))
    except ValueError:
        return None
