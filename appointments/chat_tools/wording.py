"""How visits and their times are said."""

from datetime import datetime

from django.urls import reverse

from appointments import services
from appointments.availability import Slot
from appointments.models import Appointment
from chatbot.tools import Card, Link
from practice import services as practice

CHANNELS = {"web": Appointment.Channel.CHAT, "sms": Appointment.Channel.SMS}


def at(slot: Slot, preposition: str = "on ") -> str:
    return f"{preposition}{slot:%A, %B %-d at %-I:%M %p} with {slot.provider}, {slot.location}"


def choice(slot: Slot) -> str:
    return f"{slot:%a, %b %-d at %-I:%M %p} with {slot.provider}"


def time_of_day(moment: datetime) -> str:
    return f"{moment.astimezone(practice.zone()):%-I:%M %p}"


def line(appointment: Appointment, channel: str) -> str:
    # a text message may be read by others: it says when, never what for
    what = f"{appointment.visit_type} on " if channel == "web" else ""
    return at(services.slot_of(appointment), what)


def card(appointment: Appointment) -> Card:
    slot = services.slot_of(appointment)
    lines = (f"{slot:%A, %B %-d}", f"{slot:%-I:%M %p}", str(slot.provider), str(slot.location))
    preparation = (appointment.visit_type.preparation,) if appointment.visit_type.preparation else ()
    url = reverse("appointments:detail", args=[appointment.pk])
    calendar = Link(reverse("appointments:calendar_file", args=[appointment.pk]), "Add to calendar")
    return Card(appointment.visit_type.name, lines + preparation, url, "See the appointment", (calendar,))
