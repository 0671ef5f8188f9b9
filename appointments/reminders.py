"""Reminders of visits: planned when a visit is booked, dropped when it is not to be, queued when due."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from appointments.models import Appointment, Reminder, ReminderRule
from appointments.texts import details
from eyecare import clock
from messaging import checks
from messaging import services as messaging
from messaging.models import Message
from practice import services as practice

KIND = "appointment_reminder"


def plan(appointment: Appointment) -> None:
    """Write the reminders that the rules ask for; those whose time has passed are left out."""
    rules = ReminderRule.objects.filter(
        Q(visit_type=None) | Q(visit_type=appointment.visit_type_id), is_active=True
    )
    moments = {rule.lead: rule for rule in rules}
    planned = [
        Reminder(appointment=appointment, rule=rule, starts_at=appointment.starts_at, due_at=due_at)
        for rule in moments.values()
        if (due_at := hours_before(appointment.starts_at, rule.lead)) > clock.now()
    ]
    Reminder.objects.bulk_create(planned)


def hours_before(starts_at: datetime, hours: int) -> datetime:
    """Return the moment so many hours before on the practice's wall clock.

    A day before nine o'clock is nine o'clock, also on the day on which the clocks change.
    """
    return starts_at.astimezone(practice.zone()) - timedelta(hours=hours)


def follow(appointment: Appointment) -> None:
    """Drop the reminders that wait for a visit that is no longer coming."""
    if appointment.state not in (Appointment.State.BOOKED, Appointment.State.CONFIRMED):
        waiting = appointment.reminders.filter(state=Reminder.State.WAITING)
        waiting.update(state=Reminder.State.DROPPED)


def queue_due() -> int:
    """Put every reminder that is due into the outbox and return how many; safe to run twice at once."""
    due = Reminder.objects.filter(state=Reminder.State.WAITING, due_at__lte=clock.now())
    return sum(_queue(reminder_id) for reminder_id in list(due.values_list("pk", flat=True)))


@transaction.atomic
def _queue(reminder_id: int) -> bool:
    waiting = Reminder.objects.filter(pk=reminder_id, state=Reminder.State.WAITING)
    if not waiting.update(state=Reminder.State.QUEUED):
        return False  # another worker got there first
    reminder = Reminder.objects.select_related(
        "appointment__patient", "appointment__provider", "appointment__location", "appointment__visit_type"
    ).get(pk=reminder_id)
    reminder.message = None if objection(reminder) else _write(reminder)
    reminder.state = Reminder.State.QUEUED if reminder.message else Reminder.State.DROPPED
    reminder.save(update_fields=["state", "message"])
    return reminder.message is not None


def _write(reminder: Reminder) -> Message | None:
    appointment = reminder.appointment
    return messaging.queue(
        kind=KIND,
        reason=f"reminder:{reminder.pk}",
        patient=appointment.patient,
        context=details(appointment),
        subject_id=str(appointment.pk),
    )


def objection(reminder: Reminder) -> str:
    """Return why this reminder must not go out, or nothing."""
    if reminder.appointment.state not in (Appointment.State.BOOKED, Appointment.State.CONFIRMED):
        return f"the appointment is {reminder.appointment.get_state_display()}"
    if reminder.appointment.starts_at != reminder.starts_at:
        return "the appointment has another time now"
    if reminder.starts_at <= clock.now():
        return "the visit has begun"
    return ""


def check(message: Message) -> str:
    """Look again just before a reminder is sent: still booked, still at that time, still to come."""
    reminder = Reminder.objects.select_related("appointment").filter(message=message).first()
    return objection(reminder) if reminder else "the reminder is gone"


def register_check() -> None:
    checks.register(KIND, check)
