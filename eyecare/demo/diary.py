"""The demo's diary: four weeks behind, four weeks ahead, fuller near today."""

import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from appointments import reminders
from appointments.models import (
    Appointment,
    AppointmentEvent,
    Reminder,
    ReminderRule,
    Resource,
    ResourceBooking,
    ScheduleException,
    UrgentBlock,
    VisitType,
    WeeklyHours,
)
from eyecare import cast, clock
from messaging.models import Message
from patients.models import Patient
from practice import services as practice_services
from practice.models import Weekday

WEEKS_BACK, WEEKS_AHEAD = 4, 4
MACHINE = "visual-field-test"
"""The visit for which there is one machine."""
LAST_SEEN = [
    ("booked", "exam", 372),
    ("order_ready", "exam", 12),
    ("contact_lens", "contact-lens-fitting", 345),
    ("parent", "exam", 420),
    ("overdue", "exam", 101),
]
"""Who of the cast was here for what, and how many days ago."""

State = Appointment.State


def build(dice: random.Random, townsfolk: list[Patient]) -> None:
    """Write the cast's appointments, then fill what is left with townsfolk."""
    exam = _for_booked()
    _reminder_sent(exam)
    taken = _Taken()
    taken.add(exam)
    rows = list(_seen_before())
    for row in rows:
        taken.add(row)
    rows += [row for day in _days() for row in _fill(day, dice, townsfolk, taken)]
    Appointment.objects.bulk_create(rows)
    AppointmentEvent.objects.bulk_create(step for row in rows for step in _life(row))
    ResourceBooking.objects.bulk_create(_machines(rows))
    reminders.plan_again()


def next_working_day(day: date) -> date:
    """Return the day itself, or the first one after it that is no weekend and no holiday."""
    closed = _closed_days()
    while day.weekday() >= Weekday.SATURDAY or day in closed:
        day += timedelta(days=1)
    return day


def _for_booked() -> Appointment:
    day = next_working_day(clock.today() + timedelta(days=2))
    exam = VisitType.objects.get(slug="exam")
    row = _row(
        _at(day, time(10)),
        exam,
        WeeklyHours.objects.filter(provider__last_name="Okafor")[0],
        cast.patient("booked"),
    )
    row.channel = Appointment.Channel.WEB
    row.created_at = clock.now() - timedelta(days=12)
    row.save()
    AppointmentEvent.objects.create(
        appointment=row, to_state=State.BOOKED, channel=row.channel, at=row.created_at
    )
    return row


def _seen_before() -> Iterator[Appointment]:
    """Yield the visits for which the cast has been here: what makes them known patients."""
    for role, slug, days_ago in LAST_SEEN:
        day = next_working_day(clock.today() - timedelta(days=days_ago))
        hours = WeeklyHours.objects.filter(provider__last_name="Okafor", weekday=day.weekday())
        row = _row(
            _at(day, time(14)),
            VisitType.objects.get(slug=slug),
            hours.select_related("provider", "location")[0],
            cast.patient(role),
        )
        row.state = State.DONE
        yield row


def _reminder_sent(appointment: Appointment) -> None:
    """Leave a delivered reminder in the phone, so that a newcomer can answer it at any hour."""
    rule = ReminderRule.objects.get(lead=48, unit="hours")
    sent_at = clock.now() - timedelta(minutes=20)
    reminder = Reminder.objects.create(
        appointment=appointment,
        rule=rule,
        starts_at=appointment.starts_at,
        due_at=sent_at,
        state=Reminder.State.QUEUED,
    )
    when = appointment.starts_at.astimezone(practice_services.zone())
    reminder.message = Message.objects.create(
        reason=f"reminder:{reminder.pk}:sms",
        kind="appointment_reminder",
        patient=appointment.patient,
        to=appointment.patient.phone.as_e164,
        body=(
            f"Harbor Eye Care: {appointment.patient.first_name}, your visit is {when:%a %b} {when.day} at "
            f"{when:%-I:%M %p}, {appointment.location}. Reply 1 to confirm, 2 to cancel, 3 to change."
        ),
        subject_id=str(appointment.pk),
        state=Message.State.DELIVERED,
        due_at=sent_at,
        claimed_at=sent_at,
        sent_at=sent_at,
        created_at=sent_at,
    )
    reminder.save(update_fields=["message"])


class _Taken:
    """Who is busy when: a provider, a patient and a machine can be in one place only."""

    def __init__(self) -> None:
        self.busy: dict[object, list[tuple[datetime, datetime]]] = {}

    def add(self, row: Appointment) -> None:
        for whom in _needed(row):
            self.busy.setdefault(whom, []).append((row.busy_from, row.busy_until))

    def free(self, row: Appointment) -> bool:
        return not any(
            start < row.busy_until and row.busy_from < end
            for whom in _needed(row)
            for start, end in self.busy.get(whom, [])
        )


def _needed(row: Appointment) -> tuple[object, ...]:
    machines = [MACHINE] if row.visit_type.slug == MACHINE else []
    return row.provider_id, row.patient_id, *machines


def _days() -> Iterator[date]:
    today, closed = clock.today(), _closed_days()
    for offset in range(-7 * WEEKS_BACK, 7 * WEEKS_AHEAD):
        day = today + timedelta(days=offset)
        if day not in closed:
            yield day


def _closed_days() -> set[date]:
    return set(ScheduleException.objects.filter(provider=None).values_list("date", flat=True))


def _fill(day: date, dice: random.Random, townsfolk: list[Patient], taken: _Taken) -> Iterator[Appointment]:
    """Yield a day's appointments: three quarters full near today, a quarter four weeks out."""
    ahead = (day - clock.today()).days
    usual = 0.8 if ahead <= 2 else max(0.25, 0.75 - ahead * 0.02)
    for hours in WeeklyHours.objects.filter(weekday=day.weekday()).select_related("provider", "location"):
        kinds, urgent, kept = _kinds(hours), VisitType.objects.get(is_urgent=True), _kept(hours)
        start, end = _at(day, hours.starts_at), _at(day, hours.ends_at)
        while start < end:
            is_kept = any(block.starts_at <= start.time() < block.ends_at for block in kept)
            kind = urgent if is_kept else dice.choices(kinds, weights=[4, *[1] * (len(kinds) - 1)])[0]
            fullness = usual if not is_kept else 0.3 if ahead <= 0 else 0
            row = _row(start, kind, hours, dice.choice(townsfolk))
            if row.busy_until <= end and dice.random() < fullness and taken.free(row):
                row.state = _fate(row, dice)
                if row.is_active or row.starts_at < clock.now():
                    taken.add(row)
                yield row
                start = _to_quarter(row.busy_until)
            else:
                start += timedelta(minutes=15)


def _kinds(hours: WeeklyHours) -> list[VisitType]:
    """Return what is booked at these hours, the exam first; the machine stands in one office only."""
    kinds = list(hours.provider.visit_types.filter(is_urgent=False))
    has_machine = Resource.objects.filter(location=hours.location).exists()
    possible = [kind for kind in kinds if kind.slug != MACHINE or has_machine]
    return sorted(possible, key=lambda kind: kind.slug != "exam")


def _kept(hours: WeeklyHours) -> list[UrgentBlock]:
    return list(UrgentBlock.objects.filter(provider=hours.provider, weekday=hours.weekday))


def _life(row: Appointment) -> Iterator[AppointmentEvent]:
    """Yield the steps that led to where an appointment stands."""
    came, began, ended = row.starts_at - timedelta(minutes=8), row.starts_at, row.ends_at
    steps: dict[str, list[tuple[str, datetime]]] = {
        State.CONFIRMED: [(State.CONFIRMED, began - timedelta(days=2))],
        State.ARRIVED: [(State.ARRIVED, min(came, clock.now() - timedelta(minutes=4)))],
        State.IN_EXAM: [(State.ARRIVED, came), (State.IN_EXAM, began)],
        State.DONE: [(State.ARRIVED, came), (State.IN_EXAM, began), (State.DONE, ended)],
        State.NO_SHOW: [(State.NO_SHOW, began + timedelta(minutes=20))],
        State.CANCELLED: [(State.CANCELLED, began - timedelta(days=1))],
    }
    stood = ""
    for state, at in [(State.BOOKED, row.created_at), *steps.get(row.state, [])]:
        yield AppointmentEvent(
            appointment=row,
            from_state=stood,
            to_state=state,
            channel=row.channel,
            at=max(row.created_at, min(at, clock.now())),
        )
        stood = state


def _machines(rows: list[Appointment]) -> Iterator[ResourceBooking]:
    machine = Resource.objects.get()
    for row in rows:
        if row.visit_type.slug == MACHINE:
            yield ResourceBooking(
                appointment=row,
                resource=machine,
                lineage=row.lineage,
                busy_from=row.busy_from,
                busy_until=row.busy_until,
                is_active=row.is_active,
            )


def _fate(row: Appointment, dice: random.Random) -> str:
    if row.ends_at > clock.now() > row.starts_at:
        return State.IN_EXAM
    if row.starts_at > clock.now() > row.starts_at - timedelta(minutes=20):
        return dice.choices([State.ARRIVED, State.CONFIRMED], weights=[2, 1])[0]
    if row.starts_at > clock.now():
        return dice.choices([State.BOOKED, State.CONFIRMED, State.CANCELLED], weights=[6, 3, 1])[0]
    return dice.choices([State.DONE, State.NO_SHOW, State.CANCELLED], weights=[88, 7, 5])[0]


def _row(start: datetime, visit_type: VisitType, hours: WeeklyHours, patient: Patient) -> Appointment:
    end = start + timedelta(minutes=visit_type.minutes)
    return Appointment(
        patient=patient,
        visit_type=visit_type,
        provider=hours.provider,
        location=hours.location,
        starts_at=start,
        ends_at=end,
        busy_from=start - timedelta(minutes=visit_type.buffer_before_minutes),
        busy_until=end + timedelta(minutes=visit_type.buffer_after_minutes),
        created_at=min(clock.now(), start) - timedelta(days=7),
    )


def _at(day: date, moment: time) -> datetime:
    return datetime.combine(day, moment, practice_services.zone())


def _to_quarter(moment: datetime) -> datetime:
    return moment + timedelta(minutes=-moment.minute % 15)
