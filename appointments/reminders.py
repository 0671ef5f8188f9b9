"""Reminders of visits: planned when a visit is booked, dropped when it is not to be, queued when due."""

import logging
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from appointments.models import Appointment, Reminder, ReminderRule
from appointments.texts import details
from eyecare import clock
from messaging import checks, quiet
from messaging import services as messaging
from messaging.models import Message
from practice import services as practice

KIND = "appointment_reminder"

EXPECTED = (Appointment.State.BOOKED, Appointment.State.CONFIRMED)
"""States of a visit that its patient is reminded of; a time that is only held is nobody's visit yet."""

LOST = (Message.State.FAILED, Message.State.DROPPED)
"""What became of a message that surely did not arrive; one whose fate is unknown may have."""

State = Reminder.State

logger = logging.getLogger(__name__)


def plan(appointment: Appointment) -> None:
    """Write the reminders that the rules ask for; those whose time has passed are left out."""
    rules = list(ReminderRule.objects.filter(is_active=True))
    Reminder.objects.bulk_create(_wanted(appointment, rules, practice.zone()))


@transaction.atomic
def plan_again() -> None:
    """Let what still waits follow rules that were changed; what is in the outbox or dropped stays."""
    rules, zone = list(ReminderRule.objects.filter(is_active=True)), practice.zone()
    visits = Appointment.objects.filter(state__in=EXPECTED, starts_at__gt=clock.now())
    waiting = Reminder.objects.filter(state=State.WAITING, due_at__gt=clock.now())
    waiting.filter(appointment__in=visits).delete()
    wanted = [row for visit in visits for row in _wanted(visit, rules, zone)]
    Reminder.objects.bulk_create(wanted, batch_size=1000, ignore_conflicts=True)


def due_at(rule: ReminderRule, starts_at: datetime, zone: ZoneInfo) -> datetime:
    """Return when a rule reminds of a visit, on the wall clock of the practice's zone.

    A day before nine o'clock is nine o'clock, also on the day on which the clocks change. In UTC, where
    a moment has one name.
    """
    local = starts_at.astimezone(zone)
    if rule.unit == ReminderRule.Unit.HOURS:
        return (local - timedelta(hours=rule.lead)).astimezone(UTC)
    day = local.date() - timedelta(days=rule.lead)
    return datetime.combine(day, rule.at_time or local.time(), zone).astimezone(UTC)


def quiet_until(at_time: time) -> time | None:
    """Return until when a text that is due at this time of day waits; None where it need not."""
    house, zone = practice.current(), practice.zone()
    due = datetime.combine(clock.today(), at_time, zone)
    leaves = quiet.allowed_at(due, quiet_from=house.quiet_from, quiet_until=house.quiet_until, zone=zone)
    return leaves.time() if leaves != due else None


def follow(appointment: Appointment) -> None:
    """Drop the reminders that wait for a visit that is no longer coming, and say why."""
    if obstacle := _not_expected(appointment):
        waiting = appointment.reminders.filter(state=State.WAITING)
        waiting.update(state=State.DROPPED, explanation=obstacle)


def queue_due() -> int:
    """Put every reminder that is due into the outbox and return how many; safe to run twice at once.

    One whose message surely did not arrive goes by the rule's next channel, at most once by each.
    """
    due = Reminder.objects.filter(state=State.WAITING, due_at__lte=clock.now())
    lost = Reminder.objects.filter(state=State.QUEUED, starts_at__gt=clock.now(), message__state__in=LOST)
    to_do = [*due.values_list("pk", "message"), *lost.values_list("pk", "message")]
    return sum(_attempt(reminder_id, message_id) for reminder_id, message_id in to_do)


def objection(reminder: Reminder) -> str:
    """Return why this reminder must not go out, or nothing."""
    if obstacle := _not_expected(reminder.appointment):
        return obstacle
    if reminder.appointment.starts_at != reminder.starts_at:
        return "the appointment has another time now"
    if reminder.starts_at <= clock.now():
        return "the visit has begun"
    return ""


def check(message: Message) -> str:
    """Look again just before a reminder is sent: still booked, still at that time, still to come."""
    reminder = Reminder.objects.select_related("appointment").filter(message=message).first()
    return objection(reminder) if reminder else "another message took its place"


def register_check() -> None:
    checks.register(KIND, check)


def _wanted(appointment: Appointment, rules: list[ReminderRule], zone: ZoneInfo) -> list[Reminder]:
    """Return one reminder for each moment; a rule of the visit's own type goes before one for all."""
    if _not_expected(appointment):
        return []
    fitting = [rule for rule in rules if rule.visit_type_id in (None, appointment.visit_type_id)]
    deciding = {(rule.lead, rule.unit): rule for rule in sorted(fitting, key=_is_special)}.values()
    moments = {due_at(rule, appointment.starts_at, zone): rule for rule in sorted(deciding, key=_is_special)}
    return [
        Reminder(appointment=appointment, rule=rule, starts_at=appointment.starts_at, due_at=moment)
        for moment, rule in sorted(moments.items())
        if clock.now() < moment < appointment.starts_at
    ]


def _is_special(rule: ReminderRule) -> bool:
    return rule.visit_type_id is not None


def _not_expected(appointment: Appointment) -> str:
    if appointment.state in EXPECTED:
        return ""
    if appointment.state == Appointment.State.NO_SHOW:
        return "the patient did not come"
    return f"the appointment is {Appointment.State(appointment.state).label}"


def _attempt(reminder_id: int, lost: UUID | None) -> bool:
    """Queue one reminder; one that cannot be written must not keep the others back."""
    try:
        return _queue(reminder_id, lost)
    except Exception:
        logger.exception("Reminder %s could not be queued; it stays for the next sweep.", reminder_id)
        return False


@transaction.atomic
def _queue(reminder_id: int, lost: UUID | None) -> bool:
    """Claim a reminder that waits, or whose message was lost, and write its next message."""
    came_from, claimed, otherwise = _AGAIN if lost else _FIRST
    standing = Reminder.objects.filter(pk=reminder_id, state=came_from, message=lost)
    if not standing.update(state=claimed):
        return False  # another worker got there first
    reminder = Reminder.objects.select_related(
        "rule", "message", "appointment__patient__guarantor", "appointment__provider", "appointment__location"
    ).get(pk=reminder_id)
    if obstacle := objection(reminder):
        return _settle(reminder, State.DROPPED, obstacle)
    return _write(reminder, otherwise)


_FIRST = (State.WAITING, State.QUEUED, State.DROPPED)
_AGAIN = (State.QUEUED, State.WAITING, State.FAILED)
"""The state to come from, the state that claims it until the end of the transaction, and where it ends
when no channel is open: a reminder that was tried and did not arrive has failed."""


def _write(reminder: Reminder, otherwise: str) -> bool:
    """Write the message for the rule's first channel that is open; where none is, say why of each."""
    obstacles: list[str] = []
    for channel in reminder.rule.channels.split(","):
        if not (obstacle := _obstacle(reminder, channel)):
            reminder.message = _message(reminder, channel)
            return _settle(reminder, State.QUEUED, *obstacles)
        obstacles.append(f"{Message.Channel(channel).label}: {obstacle}")
    return _settle(reminder, otherwise, *obstacles)


def _settle(reminder: Reminder, state: str, *explanation: str) -> bool:
    reminder.state, reminder.explanation = state, "; ".join(explanation)[:LONGEST]
    reminder.save(update_fields=["state", "explanation", "message"])
    return state == State.QUEUED


LONGEST = 240
"""Characters of an explanation; a column is that wide."""


def _obstacle(reminder: Reminder, channel: str) -> str:
    """Return why a reminder cannot go by a channel, or nothing; by each it goes once at most."""
    if tried := Message.objects.filter(reason=_reason(reminder, channel)).first():
        return tried.explanation or "it did not arrive"
    if messaging.leaves_at(channel) >= reminder.starts_at:
        return "the visit begins before the quiet hours end"
    return messaging.obstacle(patient=reminder.appointment.patient, kind=KIND, channel=channel)


def _message(reminder: Reminder, channel: str) -> Message | None:
    appointment = reminder.appointment
    return messaging.queue(
        kind=KIND,
        reason=_reason(reminder, channel),
        patient=appointment.patient,
        channel=channel,
        context=details(appointment),
        subject_id=str(appointment.pk),
    )


def _reason(reminder: Reminder, channel: str) -> str:
    return f"reminder:{reminder.pk}:{channel}"
