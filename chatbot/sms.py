"""Text messages that come in: the same loop as on the portal, answered by text."""

import logging
import uuid

from chatbot import services
from eyecare.errors import Refusal
from messaging.models import InboundText

logger = logging.getLogger(__name__)


def receive(inbound_text_id: uuid.UUID | str) -> None:
    """Answer a text, together with everything else that its sender wrote meanwhile; safe to run twice."""
    text = InboundText.objects.get(pk=inbound_text_id)
    conversation = services.text_conversation(str(text.sender))
    for waiting in _burst(text):
        try:
            services.admit(conversation)
            services.receive(conversation, waiting.body[: services.TEXT_LIMIT], waiting.provider_id)
        except Refusal as refusal:  # a picture without words, or a flood: there is nothing to answer
            logger.info("text %s was left unanswered: %s", waiting.pk, refusal.code)
    services.answer(conversation)


def _burst(text: InboundText) -> list[InboundText]:
    others = InboundText.objects.filter(sender=text.sender, processed_at=None).exclude(pk=text.pk)
    return sorted([text, *others], key=lambda one: one.received_at)
