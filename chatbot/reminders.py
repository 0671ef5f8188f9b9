"""A bare 1, 2 or 3 (or a plain yes) that answers the reminder the practice sent last."""

from datetime import datetime

from chatbot import plain
from chatbot.arguments import ToolContext
from chatbot.models import Conversation
from chatbot.tools import Reply, registry
from messaging import services as messaging
from patients import services as patients

ANSWERABLE_HOURS = 96


def answered(
    conversation: Conversation, text: str, context: ToolContext, asked_at: datetime | None
) -> Reply | None:
    """Return what the app that sent the message makes of the answer; None when it answers nothing.

    `asked_at` is when the assistant asked what is open now, if anything is: a digit under a list
    that came after the message belongs to the list. May raise a Refusal.
    """
    digit = plain.reminder_reply(text) if conversation.channel == Conversation.Channel.SMS else None
    if digit is None:
        return None
    kinds = registry.answerable_kinds  # a receipt that came after the reminder asked nothing
    sent = messaging.last_message_to(conversation.phone, within_hours=ANSWERABLE_HOURS, kinds=kinds)
    answer = registry.quick_reply(sent.kind) if sent else None
    if sent is None or answer is None or sent.patient not in patients.with_phone(conversation.phone):
        return None
    if asked_at and asked_at > (sent.claimed_at or sent.created_at):
        return None
    conversation.patient = sent.patient
    return answer(sent.patient, sent, int(digit), context)
