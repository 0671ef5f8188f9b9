"""What answers the message that the practice sent last: a bare 1, 2 or 3, or words that mean one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from chatbot import identity, plain, sayings
from chatbot.arguments import ToolContext
from chatbot.hearing import Hearing
from chatbot.models import Conversation
from chatbot.stack import Stack
from chatbot.tools import QuickReply, Reply, registry
from messaging import services as messaging
from messaging.models import Message
from patients import services as patients

ANSWERABLE_HOURS = 96
ANSWERS_KEPT = 20

TOGETHER = timedelta(hours=1)
"""Messages of one kind this close come together: a family's reminders, answered one after the other."""


def answered(heard: Hearing, stack: Stack, context: ToolContext) -> Reply | None:
    """Return what the app that sent the message makes of the answer; None when it answers nothing.

    A digit under a list that came after the message belongs to the list, and a yes or a no to the
    question that the assistant has asked. May raise a Refusal.
    """
    sent = _next_to_answer(heard.conversation, stack)
    asked_since = sent is not None and _was_asked_since(sent, heard)
    if sent is None or sent.patient is None or (asked_since and not heard.only_offers_help):
        return None
    answer = registry.quick_reply(sent.kind)
    number = _number(answer, heard, asked_since=asked_since) if answer else None
    if answer is None or number is None:
        return None
    _speak_of(heard.conversation, sent)
    stack.answered = [*stack.answered, str(sent.pk)][-ANSWERS_KEPT:]
    reply = answer.function(sent.patient, sent, number, context)
    is_shared = len(patients.with_phone(heard.conversation.phone)) > 1
    if is_shared and reply.kind == "done":
        return replace(reply, text=sayings.for_whom(sent.patient.first_name, reply.text))
    return reply


def spoken_of(heard: Hearing) -> Mapping[str, str]:
    """Return what the message that came last is about, for whatever is said next; nothing otherwise."""
    sent = _last_sent(heard.conversation)
    answer = registry.quick_reply(sent.kind) if sent else None
    if sent is None or not (answer and answer.about) or _was_replied_since(sent, heard):
        return {}
    if heard.conversation.patient is None:
        _speak_of(heard.conversation, sent)
    return {answer.about: sent.subject_id} if heard.conversation.patient == sent.patient else {}


def _last_sent(conversation: Conversation) -> Message | None:
    if conversation.channel != Conversation.Channel.SMS:
        return None
    kinds = registry.answerable_kinds  # a receipt that came after the reminder asked nothing
    sent = messaging.last_message_to(conversation.phone, within_hours=ANSWERABLE_HOURS, kinds=kinds)
    return sent if sent and sent.patient in patients.with_phone(conversation.phone) else None


def _next_to_answer(conversation: Conversation, stack: Stack) -> Message | None:
    """Return the message that came last; once that is answered, one that came together with it."""
    newest = _last_sent(conversation)
    if newest is None or str(newest.pk) not in stack.answered:
        return newest
    other = messaging.last_message_to(
        conversation.phone, within_hours=ANSWERABLE_HOURS, kinds=[newest.kind], without=stack.answered
    )
    return other if other and _left_at(newest) - _left_at(other) <= TOGETHER else newest


def _left_at(sent: Message) -> datetime:
    return sent.claimed_at or sent.created_at


def _was_asked_since(sent: Message, heard: Hearing) -> bool:
    return heard.asked_at is not None and heard.asked_at > _left_at(sent)


def _was_replied_since(sent: Message, heard: Hearing) -> bool:
    last = heard.last_reply
    return last is not None and last.created_at > _left_at(sent)


def _number(answer: QuickReply, heard: Hearing, *, asked_since: bool) -> int | None:
    """Return the digit that was written or meant; words answer an open yes-or-no question first.

    After "is there anything else?" a no and a goodbye answer that.
    """
    if digit := plain.digit(heard.message):
        return digit
    agrees = plain.yes_or_no(heard.message)
    is_manners = agrees is not None or plain.courtesy(heard.message) is not None
    if heard.awaits_yes_or_no or (asked_since and is_manners):
        return None
    said = plain.without_manners(heard.message)
    for number, words in answer.said.items():
        if words.fullmatch(said):
            return number
    return None if agrees is None else (answer.yes if agrees else answer.no) or None


def _speak_of(conversation: Conversation, sent: Message) -> None:
    """Go over to the person that the message was for; what was checked for another counts no more."""
    if sent.patient and conversation.patient != sent.patient:
        identity.choose(conversation, str(sent.patient.pk))
