"""A phone's thread with the practice, both directions in order: what its owner would see."""

from dataclasses import dataclass
from datetime import datetime

from messaging.models import InboundText, Message

LENGTH = 40
ARRIVED = (Message.State.SENT, Message.State.DELIVERED)


@dataclass(frozen=True)
class Line:
    """One text; `is_ours` when the practice sent it."""

    body: str
    at: datetime
    is_ours: bool


def thread(phone: str) -> list[Line]:
    """Return the last texts to and from a number, newest first."""
    ours = Message.objects.to_phone(phone).filter(channel=Message.Channel.SMS, state__in=ARRIVED)
    theirs = InboundText.objects.filter(sender=phone)
    lines = [Line(text.body, text.sent_at or text.created_at, True) for text in ours[:LENGTH]]
    lines += [Line(text.body, text.received_at, False) for text in theirs[:LENGTH]]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:LENGTH]
