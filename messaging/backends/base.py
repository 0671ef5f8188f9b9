"""What sends a message, and how it says that it could not."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Text:
    """What leaves the house. `reference` names this one attempt; status reports bring it back."""

    to: str
    body: str
    reference: str = ""
    subject: str = ""


class DeliveryFailed(Exception):
    """The provider said no. `permanent`: the same text to the same number will never go through."""

    def __init__(self, message: str, *, permanent: bool, opted_out: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.opted_out = opted_out


class FateUnknown(Exception):
    """The provider may or may not have taken it: no answer came. It must not be sent again blindly."""


class MessagingBackend(Protocol):
    """One way of sending; settings.MESSAGING_BACKEND names the one for texts."""

    def send(self, text: Text) -> str:
        """Send one text and return the provider's id for it; raises DeliveryFailed or FateUnknown."""
