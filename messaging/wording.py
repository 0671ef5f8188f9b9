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

MOMENT = frozenset({"day", "date", "time"})
"""How a message may say when: Mon, Mar 2 / Monday, March 2 / 9:00 AM."""


@dataclass(frozen=True)
class Wording:
    """The built-in text of one kind of message, and the consent that it needs ("" for none)."""

    consent: str
    en: str
    es: str
    subject: str = ""
    subject_es: str = ""
    even_opted_out: bool = False

    @property
    def placeholders(self) -> frozenset[str]:
        """Return what a wording of the practice's own may name; a moment can be said in each way."""
        named = placeholders(self.en)
        return COMMON | named | (MOMENT if named & MOMENT else frozenset())


KINDS: dict[str, Wording] = {
    "appointment_booked": Wording(
        CARE,
        "{practice}: {first_name}, you are booked for {day} at {time} with {provider}, {location}. "
        "To change it, reply here or call {phone}.",
        "{practice}: {first_name}, tiene cita el {day} a las {time} con {provider}, {location}. "
        "Para cambiarla, responda o llame al {phone}.",
        "Your appointment",
        "Su cita",
    ),
    "appointment_booked_email": Wording(
        CARE,
        "Hello {first_name},\n\n"
        "you are booked for {date} at {time} with {provider}, {location}.\n\n"
        "To change it, go to {url}/appointments/ or call {phone}.\n\n"
        "{practice}",
        "Hola {first_name}:\n\n"
        "Tiene cita el {date} a las {time} con {provider}, {location}.\n\n"
        "Para cambiarla, vaya a {url}/appointments/ o llame al {phone}.\n\n"
        "{practice}",
    ),
    "appointment_reminder": Wording(
        CARE,
        "{practice}: {first_name}, see you {day} at {time} with {provider}, {location}. "
        "Reply 1 to confirm, 2 to cancel, 3 to change.",
        "{practice}: {first_name}, lo esperamos el {day} a las {time} con {provider}, {location}. "
        "Responda 1 confirmar, 2 cancelar, 3 cambiar.",
        "Your appointment is coming up",
        "Su próxima cita",
    ),
    "appointment_reminder_email": Wording(
        CARE,
        "Hello {first_name},\n\n"
        "we look forward to seeing you on {date} at {time} with {provider}, {location}.\n\n"
        "If you cannot come, or another time is better, please tell us:\n"
        "on our portal at {url}/appointments/ or by phone at {phone}.\n\n"
        "{practice}",
        "Hola {first_name}:\n\n"
        "Lo esperamos el {date} a las {time} con {provider}, {location}.\n\n"
        "Si no puede venir o prefiere otra hora, avísenos:\n"
        "en nuestro portal, {url}/appointments/, o por teléfono al {phone}.\n\n"
        "{practice}",
    ),
    "appointment_moved": Wording(
        CARE,
        "{practice}: {first_name}, your visit is now {day} at {time} with {provider}, {location}. "
        "Questions? Call {phone}.",
        "{practice}: {first_name}, su cita es ahora el {day} a las {time} con {provider}, {location}. "
        "Llame al {phone}.",
        "Your appointment has moved",
        "Su cita ha cambiado",
    ),
    "appointment_moved_email": Wording(
        CARE,
        "Hello {first_name},\n\n"
        "your visit is now {date} at {time} with {provider}, {location}.\n\n"
        "If that does not suit you, go to {url}/appointments/ or call {phone}.\n\n"
        "{practice}",
        "Hola {first_name}:\n\n"
        "Su cita es ahora el {date} a las {time} con {provider}, {location}.\n\n"
        "Si no le conviene, vaya a {url}/appointments/ o llame al {phone}.\n\n"
        "{practice}",
    ),
    "appointment_cancelled": Wording(
        CARE,
        "{practice}: {first_name}, your visit on {day} at {time} is cancelled. "
        "To book again, reply here or call {phone}.",
        "{practice}: {first_name}, su cita del {day} a las {time} queda cancelada. "
        "Para otra cita, responda o llame al {phone}.",
        "Your appointment is cancelled",
        "Su cita queda cancelada",
    ),
    "appointment_cancelled_email": Wording(
        CARE,
        "Hello {first_name},\n\n"
        "your visit on {date} at {time} is cancelled.\n\n"
        "To book again, go to {url}/appointments/ or call {phone}.\n\n"
        "{practice}",
        "Hola {first_name}:\n\n"
        "Su cita del {date} a las {time} queda cancelada.\n\n"
        "Para pedir otra, vaya a {url}/appointments/ o llame al {phone}.\n\n"
        "{practice}",
    ),
    "waitlist_offer": Wording(
        CARE,
        "{practice}: {first_name}, a time came free: {day} at {time} with {provider}, {location}. "
        "Reply 1 to take it, 2 to keep waiting. Held until {until}.",
        "{practice}: {first_name}, hora libre: {day}, {time}, con {provider}, {location}. "
        "Responda 1 si la quiere, 2 para esperar. Vale hasta {until}.",
        "A time came free",
        "Se liberó una hora",
    ),
    "waitlist_offer_move": Wording(
        CARE,
        "{practice}: {first_name}, a time came free: {day} at {time} with {provider}, {location}. "
        "Reply 1 to move to it, 2 to keep yours. Held until {until}.",
        "{practice}: {first_name}, hora libre: {day}, {time}, con {provider}, {location}. "
        "Responda 1 para cambiar su cita, 2 para no. Vale hasta {until}.",
        "A time came free",
        "Se liberó una hora",
    ),
    "waitlist_offer_move_email": Wording(
        CARE,
        "Hello {first_name},\n\n"
        "a time came free: {date} at {time} with {provider}, {location}. "
        "We hold it until {until}; the first to say yes gets it.\n\n"
        "Move your visit there at {url}/appointments/ or call {phone}. "
        "If it does not suit you, there is nothing to do: your visit stays as it is.\n\n"
        "{practice}",
        "Hola {first_name}:\n\n"
        "Se liberó una hora: {date} a las {time} con {provider}, {location}. "
        "La reservamos hasta las {until}; es para quien primero diga que sí.\n\n"
        "Cambie su cita en {url}/appointments/ o llame al {phone}. "
        "Si no le conviene, no tiene que hacer nada: su cita queda como está.\n\n"
        "{practice}",
    ),
    "waitlist_offer_email": Wording(
        CARE,
        "Hello {first_name},\n\n"
        "a time came free: {date} at {time} with {provider}, {location}. "
        "We hold it until {until}; the first to say yes gets it.\n\n"
        "Take it at {url}/appointments/ or call {phone}. "
        "If it does not suit you, there is nothing to do: you stay on our list.\n\n"
        "{practice}",
        "Hola {first_name}:\n\n"
        "Se liberó una hora: {date} a las {time} con {provider}, {location}. "
        "La reservamos hasta las {until}; es para quien primero diga que sí.\n\n"
        "Tómela en {url}/appointments/ o llame al {phone}. "
        "Si no le conviene, no tiene que hacer nada: sigue en nuestra lista.\n\n"
        "{practice}",
    ),
    "waitlist_gone": Wording(
        CARE,
        "{practice}: {first_name}, sorry, {day} at {time} is no longer free. "
        "You are still on our list; we will write when another time comes free.",
        "{practice}: {first_name}, lo sentimos, la hora del {day} a las {time} ya no esta libre. "
        "Sigue en la lista; le avisaremos de otra.",
        "That time is gone",
        "Esa hora ya no está libre",
    ),
    "waitlist_ended": Wording(
        CARE,
        "{practice}: {first_name}, we are sorry that no time came free in the days you wished for. "
        "For other days call {phone}.",
        "{practice}: {first_name}, lamentamos que no se libero ninguna hora en los dias que pidio. "
        "Para otros dias llame al {phone}.",
        "Your place on our list",
        "Su lugar en la lista",
    ),
    "recall_due": Wording(
        CARE,
        "{practice}: {first_name}, it is time to book your next visit. "
        "Reply 1 to book, 2 for later, 3 for no more of these, or see {link}",
        "{practice}: {first_name}, es hora de pedir su proxima cita. "
        "Responda 1 pedirla, 2 mas tarde, 3 no avisarme mas, o vea {link}",
        "Time to book your next visit",
        "Es hora de pedir su próxima cita",
    ),
    "recall_due_email": Wording(
        CARE,
        "Hello {first_name},\n\n"
        "it is time to book your next visit with us.\n\n"
        "Choose a time at {link} or call {phone}.\n\n"
        "{practice}",
        "Hola {first_name}:\n\n"
        "Es hora de pedir su próxima cita con nosotros.\n\n"
        "Elija una hora en {link} o llame al {phone}.\n\n"
        "{practice}",
    ),
    "recall_again": Wording(
        CARE,
        "{practice}: {first_name}, your next visit is not booked yet. "
        "Reply 1 to book, 2 for later, 3 for no more of these, or see {link}",
        "{practice}: {first_name}, aun no tiene su proxima cita. "
        "Responda 1 pedirla, 2 mas tarde, 3 no avisarme mas, o vea {link}",
        "Your next visit is not booked yet",
        "Aún no tiene su próxima cita",
    ),
    "recall_again_email": Wording(
        CARE,
        "Hello {first_name},\n\n"
        "we wrote to you a while ago: your next visit with us is not booked yet.\n\n"
        "Choose a time at {link} or call {phone}. Have you been seen elsewhere, or would you rather "
        "not hear of this again? Please tell us by phone.\n\n"
        "{practice}",
        "Hola {first_name}:\n\n"
        "Le escribimos hace un tiempo: aún no tiene su próxima cita con nosotros.\n\n"
        "Elija una hora en {link} o llame al {phone}. Si ya lo atendieron en otro lugar o prefiere "
        "no recibir estos avisos, díganoslo por teléfono.\n\n"
        "{practice}",
    ),
    "order_ready": Wording(
        CARE,
        "{practice}: {first_name}, your order is ready to collect at {location}. Questions? Call {phone}.",
        "{practice}: {first_name}, su pedido esta listo para recoger en {location}. Llame al {phone}.",
        "Your order is ready",
        "Su pedido está listo",
    ),
    "statement_ready": Wording(
        BILLING,
        "{practice}: {first_name}, a new statement is ready. See it at {url}/dues/ or call {phone}.",
        "{practice}: {first_name}, tiene un nuevo estado de cuenta. Vea {url}/dues/ o llame al {phone}.",
        "Your statement is ready",
        "Su estado de cuenta está listo",
    ),
    "payment_received": Wording(
        BILLING,
        "{practice}: {first_name}, thank you, we received your payment of {amount}. Questions? Call {phone}.",
        "{practice}: {first_name}, gracias, recibimos su pago de {amount}. Llame al {phone}.",
        "We received your payment",
        "Recibimos su pago",
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
"""Every kind of message that the house sends; `…_email` is how a kind reads where nobody can reply 1."""

BY_EMAIL = "_email"


def of(kind: str) -> Wording:
    """Return what is known of a kind; one that nobody described is about care and brings its own text."""
    return KINDS.get(kind, Wording(CARE, "", ""))


def subject(kind: str, language: str) -> str:
    """Return the subject under which a message of a kind goes by e-mail."""
    wording = of(kind)
    return (wording.subject_es if language == "es" else "") or wording.subject


def as_email(kind: str) -> str:
    """Return the kind whose wording an e-mail takes: its own where there is one, else that of the text."""
    return f"{kind}{BY_EMAIL}" if f"{kind}{BY_EMAIL}" in KINDS else kind


def text(kind: str, language: str, values: Mapping[str, Any]) -> str:
    """Return the message of a kind in a language, the practice's own wording before the built-in one.

    Of the values, aware moments are said in that language on the practice's clock: `starts_at` becomes
    `day` (short in English), `date` and `time`, `held_until` becomes `until`. Raises
    ValueError when a placeholder has no value.
    """
    known = {**values, **_spoken(values, language)}
    own = Template.objects.filter(kind=kind, language=language).values_list("body", flat=True).first()
    if own and not problem(kind, own) and placeholders(own) <= known.keys():
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
        return "Every brace that opens must close, around one name and nothing else: {first_name}."
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in sorted(of(kind).placeholders))
        return f"Not known here: {', '.join(sorted(unknown))}. This message knows {known}."
    return ""


def placeholders(body: str) -> frozenset[str]:
    """Return the names in braces; raises ValueError where the braces hold more, or do not match."""
    pieces = [piece for piece in string.Formatter().parse(body) if piece[1] is not None]
    if any(form or conversion for _, _, form, conversion in pieces):
        raise ValueError("A placeholder is a name and nothing else.")
    return frozenset(name for _, name, _, _ in pieces if name is not None)


def _spoken(values: Mapping[str, Any], language: str) -> dict[str, str]:
    said: dict[str, str] = {}
    if starts_at := values.get("starts_at"):
        short, full = _SPANISH if language == "es" else _ENGLISH
        said |= {form: _say(starts_at, spoken, language) for form, spoken in (("day", short), ("date", full))}
        said["time"] = _say(starts_at, _CLOCK, language)
    if until := values.get("held_until"):
        said["until"] = _say(until, _CLOCK, language)
    return said


_ENGLISH = ("D, M j", "l, F j")
_SPANISH = (r"l j \d\e F", r"l j \d\e F")
_CLOCK = "g:i A"


def _say(moment: datetime, form: str, language: str) -> str:
    with translation.override(language):
        return date_format(moment.astimezone(practice.zone()), form)
