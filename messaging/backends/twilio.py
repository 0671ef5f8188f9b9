"""Twilio: the only file that knows its library, its error codes and its signatures."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings
from django.http import QueryDict
from requests.exceptions import ConnectTimeout, RequestException
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from messaging.backends.base import DeliveryFailed, FateUnknown, Text
from messaging.models import Message

TOO_FAST = "20429"
STATUS_PATH = "/webhooks/twilio/status/"


@dataclass(frozen=True)
class Meaning:
    """What one of Twilio's error codes means to us."""

    explanation: str
    permanent: bool = True
    opted_out: bool = False


MEANINGS = {
    TOO_FAST: Meaning("the provider is busy", permanent=False),
    "21211": Meaning("not a phone number"),
    "21408": Meaning("texts to this region are switched off"),
    "21610": Meaning("the number opted out", opted_out=True),
    "21612": Meaning("no way to text this number"),
    "21614": Meaning("not a mobile number"),
    "21635": Meaning("a landline"),
    "30001": Meaning("the provider's queue was full", permanent=False),
    "30003": Meaning("the phone was switched off or out of reach", permanent=False),
    "30004": Meaning("the phone blocks our texts"),
    "30005": Meaning("nobody has this number"),
    "30006": Meaning("a landline, or a carrier that takes no texts"),
    "30007": Meaning("the carrier took it for spam"),
    "30008": Meaning("the carrier could not deliver it", permanent=False),
}
"""twilio.com/docs/api/errors; a code that is not here is permanent, so that nothing is sent in a loop."""

FATES = {
    "accepted": Message.State.SENT,
    "scheduled": Message.State.SENT,
    "queued": Message.State.SENT,
    "sending": Message.State.SENT,
    "sent": Message.State.SENT,
    "delivered": Message.State.DELIVERED,
    "read": Message.State.DELIVERED,
    "undelivered": Message.State.FAILED,
    "failed": Message.State.FAILED,
    "canceled": Message.State.FAILED,
}
"""Every status of an outgoing message, and the state that it proves."""


class TwilioBackend:
    def __init__(self) -> None:
        wire = TwilioHttpClient(timeout=10)
        self._client = Client(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, http_client=wire)

    def send(self, text: Text) -> str:
        try:
            sent = self._client.messages.create(
                to=text.to,
                from_=settings.TWILIO_FROM_NUMBER,
                body=text.body,
                status_callback=_status_url(text.reference),
            )
        except TwilioRestException as error:
            raise _translated(error) from error
        except ConnectTimeout as error:
            raise DeliveryFailed("the provider could not be reached", permanent=False) from error
        except (RequestException, TwilioException, ValueError) as error:
            raise FateUnknown from error  # no answer, or one that cannot be read
        return str(sent.sid)


def failure(code: str | int) -> DeliveryFailed:
    """Return the failure that one of Twilio's error codes stands for; "" is an unknown one."""
    meaning = MEANINGS.get(str(code), Meaning(f"Twilio error {code or 'without a code'}"))
    return DeliveryFailed(meaning.explanation, permanent=meaning.permanent, opted_out=meaning.opted_out)


def is_genuine(path: str, form: QueryDict, signature: str) -> bool:
    """Say whether Twilio signed this request.

    It signs the address that it was given, so behind a proxy SITE_URL counts and not the Host header.
    Without a token nothing is genuine.
    """
    if not settings.TWILIO_AUTH_TOKEN:
        return False
    validator = RequestValidator(settings.TWILIO_AUTH_TOKEN)
    return bool(validator.validate(settings.SITE_URL + path, form, signature))


def _status_url(reference: str) -> str:
    return f"{settings.SITE_URL}{STATUS_PATH}?{urlencode({'reference': reference})}"


def _translated(error: TwilioRestException) -> DeliveryFailed | FateUnknown:
    if error.status >= 500:
        return FateUnknown()
    if error.status == 429:
        return failure(TOO_FAST)
    return failure(error.code)
