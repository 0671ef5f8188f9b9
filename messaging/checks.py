"""The last look at a message before it leaves: much may have changed since it was written."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from messaging import wording
from messaging.models import Message, OptOut
from patients import services as patients
from patients.models import Consent

Check = Callable[[Message], str]

_registered: dict[str, list[Check]] = defaultdict(list)


def register(kind: str, check: Check) -> None:
    """Have `check` look at every message of a kind: it returns "" to let it go, else why it is dropped."""
    if check not in _registered[kind]:
        _registered[kind].append(check)


def objection(message: Message) -> str:
    """Return the first reason why a message must not go any more, or ""."""
    return obstacle(message) or _first_reason(_registered[message.kind], message)


def obstacle(message: Message) -> str:
    """Return why a message cannot go to its recipient whatever it says, or ""."""
    return _first_reason((_recipient_is_here, _has_not_opted_out, _agreed), message)


def _first_reason(checks: Iterable[Check], message: Message) -> str:
    return next((reason for check in checks if (reason := check(message))), "")


def _recipient_is_here(message: Message) -> str:
    gone = message.patient is not None and not message.patient.is_active
    return "the patient's record is closed" if gone else ""


def _has_not_opted_out(message: Message) -> str:
    if message.channel != Message.Channel.SMS or wording.of(message.kind).even_opted_out:
        return ""
    return "the number opted out" if OptOut.objects.filter(phone=message.to).exists() else ""


def _agreed(message: Message) -> str:
    kind = wording.of(message.kind).consent
    if not kind or message.patient is None:
        return ""
    if message.channel == Message.Channel.EMAIL:
        kind = Consent.Kind.EMAIL
    return "" if patients.consents(message.patient, kind) else "the patient has not agreed to these messages"
