"""What our messages say: short, friendly, and nothing about anybody's health."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.dateformat import format as date_format

from messaging.models import Template
from patients.models import Consent
from practice import services as practice

CARE, BILLING = Consent.Kind.CARE_TEXTS, Consent.Kind.BILLING_TEXTS

COMMON = frozenset({"practice", "phone", "url", "first_name"})
"""Placeholders that every message has; the others come from the caller's context."""


@dataclass(frozen=True)
class Wording:
    """The built-in text of one kind of message, and the consent that it needs ("" for none)."""

    consent: str
    en: str
    es: str
    subject: str = ""
    even_opted_out: bool = False

    @property
    def placeholders(self) -> frozenset[str]:
        return COMMON | placeholders(self.en)


KINDS: dict[str, Wording] = {
    "appointment_booked": Wording(
        CARE,
        "{practice}: {first_name}, you are booked for {day} at {time} with {provider}, {location}. "
        "To change it, reply here or call {phone}.",
        "{practice}: {first_name}, tiene cita el {day} a las {time} con {provider}, {location}. "
        "Para cambiarla, responda o llame al {phone}.",
        "Your appointment",
    ),
    "appointment_reminder": Wording(
        CARE,
        "{practice}: {first_name}, see you {day} at {time} with {provider}, {location}. "
        "Reply 1 to confirm, 2 to cancel, 3 to change.",
        "{practice}: {first_name}, lo esperamos el {day} a las {time} con {provider}, {location}. "
        "Responda 1 confirmar, 2 cancelar, 3 cambiar.",
        "Your appointment is coming up",
    ),
    "appointment_moved": Wording(
        CARE,
        "{practice}: {first_name}, your visit is now {day} at {time} with {provider}, {location}. "
        "Questions? Call {phone}.",
        "{practice}: {first_name}, su cita es ahora el {day} a las {time} con {provider}, {location}. "
        "Llame al {phone}.",
        "Your appointment has moved",
    ),
    "appointment_cancelled": Wording(
        CARE,
        "{practice}: {first_name}, your visit on {day} at {time} is cancelled. "
        "To book again, reply here or call {phone}.",
        "{practice}: {first_name}, su cita del {day} a las {time} queda cancelada. "
        "Para otra cita, responda o llame al {phone}.",
        "Your appointment is cancelled",
    ),
    "order_ready": Wording(
        CARE,
        "{practice}: {first_name}, your order is ready to collect at {location}. Questions? Call {phone}.",
        "{practice}: {first_name}, su pedido esta listo para recoger en {location}. Llame al {phone}.",
        "Your order is ready",
    ),
    "statement_ready": Wording(
        BILLING,
        "{practice}: {first_name}, a new statement is ready. See it at {url}/dues/ or call {phone}.",
        "{practice}: {first_name}, tiene un nuevo estado de cuenta. Vea {url}/dues/ o llame al {phone}.",
        "Your statement is ready",
    ),
    "payment_received": Wording(
        BILLING,
        "{practice}: {first_name}, thank you, we received your payment of {amount}. Questions? Call {phone}.",
        "{practice}: {first_name}, gracias, recibimos su pago de {amount}. Llame al {phone}.",
        "We received your payment",
    ),
    "reply": Wording("", "", ""),
    "opted_out": Wording(
        "",
        "{practice}: you will get no more texts from us. Reply START to get them again. "
        "For care call {phone}.",
        "{practice}: no recibira mas mensajes nuestros. Responda START para volver. "
        "Para atencion llame al {phone}.",
        even_opted_out=True,
    ),
    "opted_in": Wording(
        "",
        "{practice}: you will get our texts again. Reply HELP for help, STOP to end them.",
        "{practice}: volvera a recibir nuestros mensajes. Responda HELP o STOP.",
    ),
    "help": Wording(
        "",
        "{practice}: for help call {phone} or go to {url}. Message and data rates may apply. "
        "Reply STOP to end texts.",
        "{practice}: para ayuda llame al {phone} o visite {url}. Responda STOP para terminar.",
        even_opted_out=True,
    ),
}
"""Every kind of message that the house sends."""


def of(kind: str) -> Wording:
    """Return what is known of a kind; one that nobody described is about care and brings its own text."""
    return KINDS.get(kind, Wording(CARE, "", ""))


def text(kind: str, language: str, values: Mapping[str, Any]) -> str:
    """Return the message of a kind in a language, the practice's own wording before the built-in one.

    `starts_at` among the values, an aware moment, becomes `day` and `time` in that language. Raises
    ValueError when a placeholder has no value.
    """
    known = {**values, **_spoken(values.get("starts_at"), language)}
    own = Template.objects.filter(kind=kind, language=language).values_list("body", flat=True).first()
    if own and placeholders(own) <= known.keys():
        return own.format_map(known)
    built_in = getattr(of(kind), language, "") or of(kind).en
    missing = placeholders(built_in) - known.keys()
    if missing or not built_in:
        raise ValueError(f"A {kind} message needs {', '.join(sorted(missing)) or 'a body'}.")
    return built_in.format_map(known)


def problem(kind: str, body: str) -> str:
    """Return what is wrong with a wording of the practice's own, or ""."""
    try:
        unknown = placeholders(body) - of(kind).placeholders
    except ValueError:
        return "Every brace that opens must close, around one name: {first_name}."
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in sorted(of(kind).placeholders))
        return f"Not known here: {', '.join(sorted(unknown))}. This message knows {known}."
    return ""


def placeholders(body: str) -> frozenset[str]:
    """Return the names in braces; raises ValueError where the braces do not match."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(body) if name is not None)


def _spoken(starts_at: datetime | None, language: str) -> dict[str, str]:
    if starts_at is None:
        return {}
    local = starts_at.astimezone(practice.zone())
    with translation.override(language):
        day = date_format(local, r"l j \d\e F" if language == "es" else "D, M j")
    return {"day": day, "time": date_format(local, "g:i A")}
