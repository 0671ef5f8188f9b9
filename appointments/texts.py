"""The texts that follow a change of the diary, and what texts about a visit may say."""

from typing import Any

from appointments.models import Appointment
from messaging import checks
from messaging import services as messaging
from messaging.models import Message
from practice import services as practice

BOOKED, MOVED, CANCELLED = "appointment_booked", "appointment_moved", "appointment_cancelled"


def tell(kind: str, appointment: Appointment, channel: str) -> None:
    """Text the patient about a change, unless it came by text: then the answer says it already.

    Who cannot be texted gets an e-mail; who can be reached by neither, a text that is dropped when it
    is looked at before it leaves, so that the front desk sees why.
    """
    if channel == Appointment.Channel.SMS:
        return
    patient = appointment.patient
    ways = messaging.reachable(patient=patient, kind=kind)
    messaging.queue(
        kind=kind,
        reason=f"{kind}:{appointment.pk}",
        patient=patient,
        channel=ways[0] if ways else Message.Channel.SMS,
        context=details(appointment),
        subject_id=str(appointment.pk),
    )


def details(appointment: Appointment) -> dict[str, Any]:
    """Return what a text may say of a visit: when, where and with whom; never what for."""
    local = appointment.starts_at.astimezone(practice.zone())
    return {
        "provider": appointment.provider.name,
        "location": appointment.location.name,
        "day": f"{local:%A, %B %-d}",
        "time": f"{local:%-I:%M %p}",
        "starts_at": local,
    }


def check_to_come(message: Message) -> str:
    """Look again just before a text is sent: the visit that it speaks of is still to come."""
    appointment = Appointment.objects.filter(pk=message.subject_id).first()
    is_to_come = appointment is not None and appointment.is_upcoming
    return "" if is_to_come else "the appointment is no longer to come"


def register_checks() -> None:
    for kind in (BOOKED, MOVED):
        checks.register(kind, check_to_come)
