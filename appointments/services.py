"""Every change to the diary goes through here."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import IntegrityError, transaction

from appointments import reminders, rules, texts
from appointments.availability import Slot
from appointments.diary import alternatives, bookable_range, find_slots, nearest, slot_from_key, slot_of
from appointments.models import Appointment, AppointmentEvent, VisitType
from appointments.refusals import (
    Ended,
    NotBookable,
    OutsideHours,
    PatientBusy,
    SlotTaken,
    TooFarAhead,
    TooLate,
    TooSoon,
    Unavailable,
)
from eyecare.errors import Invalid, NotFound
from patients.models import Account, Patient
from practice.models import Provider

__all__ = [
    "Ended",
    "NotBookable",
    "OutsideHours",
    "PatientBusy",
    "Slot",
    "SlotTaken",
    "TooFarAhead",
    "TooLate",
    "TooSoon",
    "Unavailable",
    "alternatives",
    "book",
    "bookable_range",
    "cancel",
    "check_in",
    "complete",
    "confirm",
    "find_slots",
    "get_for",
    "mark_no_show",
    "nearest",
    "reschedule",
    "slot_from_key",
    "slot_of",
]

State, Channel = Appointment.State, Appointment.Channel

COMES_FROM: dict[str, tuple[str, ...]] = {
    State.CONFIRMED: (State.BOOKED,),
    State.ARRIVED: (State.BOOKED, State.CONFIRMED),
    State.DONE: Appointment.ACTIVE,
    State.NO_SHOW: (State.BOOKED, State.CONFIRMED),
    State.CANCELLED: (State.BOOKED, State.CONFIRMED),
    State.MOVED: (State.BOOKED, State.CONFIRMED),
}
"""Every step in an appointment's life: from which states a state is reached."""


def get_for(patient: Patient, appointment_id: object) -> Appointment:
    """Return this patient's appointment with its visit type, provider and location.

    Raises NotFound, the same for one that does not exist and for somebody else's.
    """
    try:
        wanted = UUID(str(appointment_id))
    except ValueError as error:
        raise NotFound("We could not find that appointment.") from error
    appointment = Appointment.objects.for_patient(patient).with_details().filter(pk=wanted).first()
    if appointment is None:
        raise NotFound("We could not find that appointment.")
    return appointment


def book(
    *,
    patient: Patient,
    visit_type: VisitType,
    slot: Slot,
    channel: str,
    actor: Account | None = None,
    note: str = "",
    idempotency_key: str | None = None,
    override_reason: str = "",
) -> Appointment:
    """Book a slot and return the appointment; the same key returns the same appointment.

    Raises SlotTaken, PatientBusy or NotBookable (TooSoon, TooFarAhead, OutsideHours), each with the
    nearest free slots. `override_reason` lets the front desk leave the hours, never take time twice.
    """
    by_staff = channel == Channel.STAFF
    with _offering_others(visit_type, slot, patient), transaction.atomic():
        _wait_for_turn(patient, slot.provider)
        if earlier := _answered_before(patient, visit_type, slot, idempotency_key):
            return earlier
        rules.check_bookable(
            visit_type, slot, patient=patient, by_staff=by_staff, override=by_staff and bool(override_reason)
        )
        appointment = _write(patient, visit_type, slot, channel, note, idempotency_key)
        _record(appointment, "", channel, actor, override_reason)
        reminders.plan(appointment)
        texts.tell(texts.BOOKED, appointment, channel)
    return appointment


def reschedule(
    *,
    appointment: Appointment,
    slot: Slot,
    channel: str,
    actor: Account | None = None,
    reason: str = "",
    idempotency_key: str | None = None,
    override_reason: str = "",
) -> Appointment:
    """Move an appointment and return the new one, which carries on; nothing has changed on a refusal.

    Raises what `book` raises, TooLate for a patient who moves it too short before, and Ended.
    """
    by_staff = channel == Channel.STAFF
    patient, visit_type = appointment.patient, appointment.visit_type
    with _offering_others(visit_type, slot, patient, moving=appointment), transaction.atomic():
        _wait_for_turn(patient, slot.provider)
        if earlier := _answered_before(patient, visit_type, slot, idempotency_key):
            return earlier
        leaving = Appointment.objects.with_details().get(pk=appointment.pk)
        rules.check_changeable(leaving, by_staff=by_staff)
        _check_it_moves(leaving, slot)
        rules.check_bookable(
            visit_type,
            slot,
            patient=patient,
            moving=leaving,
            by_staff=by_staff,
            override=by_staff and bool(override_reason),
        )
        _step(leaving, State.MOVED, channel, actor, reason or override_reason)
        successor = _write(patient, visit_type, slot, channel, leaving.note, idempotency_key, leaving)
        _record(successor, "", channel, actor, reason or override_reason)
        reminders.plan(successor)
        texts.tell(texts.MOVED, successor, channel)
    appointment.state = leaving.state
    return successor


def cancel(
    *, appointment: Appointment, channel: str, actor: Account | None = None, reason: str = ""
) -> Appointment:
    """Cancel an appointment: its time is free again and its reminders are dropped. Twice is once.

    Raises TooLate for a patient who cancels too short before, and Ended.
    """
    with transaction.atomic():
        appointment.refresh_from_db(fields=["state"])
        if appointment.state == State.CANCELLED:
            return appointment
        rules.check_changeable(appointment, by_staff=channel == Channel.STAFF)
        _step(appointment, State.CANCELLED, channel, actor, reason)
        texts.tell(texts.CANCELLED, appointment, channel)
    return appointment


def confirm(*, appointment: Appointment, channel: str, actor: Account | None = None) -> Appointment:
    """Note that the patient says they will come."""
    return _step(appointment, State.CONFIRMED, channel, actor)


def check_in(*, appointment: Appointment, actor: Account | None = None) -> Appointment:
    """Note that the patient is here."""
    return _step(appointment, State.ARRIVED, Channel.STAFF, actor)


def mark_no_show(*, appointment: Appointment, actor: Account | None = None, reason: str = "") -> Appointment:
    """Note that the patient did not come."""
    return _step(appointment, State.NO_SHOW, Channel.STAFF, actor, reason)


def complete(*, appointment: Appointment, actor: Account | None = None) -> Appointment:
    """Note that the visit has taken place."""
    return _step(appointment, State.DONE, Channel.STAFF, actor)


@contextmanager
def _offering_others(
    visit_type: VisitType, slot: Slot, patient: Patient, moving: Appointment | None = None
) -> Iterator[None]:
    """Give a refused slot its alternatives, after the transaction is over, and read the database's no."""
    search = functools.partial(alternatives, visit_type, slot, patient=patient, moving=moving)
    try:
        yield
    except IntegrityError as error:
        raise _clash(error)(_CLASHES[_clash(error)], alternatives=search()) from error
    except Unavailable as refusal:
        raise type(refusal)(refusal.sentence, alternatives=search()) from refusal


_CLASHES: dict[type[SlotTaken], str] = {
    SlotTaken: "Sorry, that time has just been taken.",
    PatientBusy: "You already have an appointment at that time.",
}


def _clash(error: IntegrityError) -> type[SlotTaken]:
    """Return which overlap the database refused; an error of another kind is raised again."""
    if "a_provider_sees_one_patient_at_a_time" in str(error):
        return SlotTaken
    if "a_patient_is_in_one_place_at_a_time" in str(error):
        return PatientBusy
    raise error


def _wait_for_turn(patient: Patient, provider: Provider) -> None:
    """Let bookings of one patient and of one provider follow each other.

    The overlap constraints decide all the same; without the queue, PostgreSQL settles two inserts
    that wait for each other as a deadlock. SQLite has one writer at a time anyway.
    """
    Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    Provider.objects.select_for_update(no_key=True).get(pk=provider.pk)


def _answered_before(
    patient: Patient, visit_type: VisitType, slot: Slot, idempotency_key: str | None
) -> Appointment | None:
    """Return what this request led to when it came before; a key used for something else is refused."""
    if not idempotency_key:
        return None
    earlier = Appointment.objects.for_patient(patient).filter(idempotency_key=idempotency_key).first()
    wanted = (visit_type.pk, slot.provider.pk, slot.interval.start)
    if earlier and (earlier.visit_type_id, earlier.provider_id, earlier.starts_at) != wanted:
        raise Invalid("This request was already used for another appointment.")
    return earlier


def _check_it_moves(appointment: Appointment, slot: Slot) -> None:
    if (appointment.starts_at, appointment.provider_id) == (slot.starts_at, slot.provider.pk):
        raise Invalid("Your appointment is already at that time.")


def _write(
    patient: Patient,
    visit_type: VisitType,
    slot: Slot,
    channel: str,
    note: str,
    idempotency_key: str | None,
    moved_from: Appointment | None = None,
) -> Appointment:
    busy = slot.busy_for(visit_type)
    return Appointment.objects.create(
        patient=patient,
        visit_type=visit_type,
        provider=slot.provider,
        location=slot.location,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        busy_from=busy.start,
        busy_until=busy.end,
        channel=channel,
        note=note,
        idempotency_key=idempotency_key or None,
        moved_from=moved_from,
    )


def _step(
    appointment: Appointment, to: str, channel: str, actor: Account | None, reason: str = ""
) -> Appointment:
    """Take one step in the appointment's life; a step that was taken before is not taken again."""
    with transaction.atomic():
        came_from = Appointment.objects.values_list("state", flat=True).get(pk=appointment.pk)
        if came_from != to:
            _claim_step(appointment, came_from, to)
            appointment.state = to
            _record(appointment, came_from, channel, actor, reason)
            reminders.follow(appointment)
    appointment.state = to
    return appointment


def _claim_step(appointment: Appointment, came_from: str, to: str) -> None:
    standing = Appointment.objects.filter(pk=appointment.pk, state=came_from)
    if came_from not in COMES_FROM[to] or not standing.update(state=to):
        label = State(came_from).label
        raise Ended(f"That appointment is {label}; it cannot become {State(to).label}.")


def _record(
    appointment: Appointment, came_from: str, channel: str, actor: Account | None, reason: str = ""
) -> None:
    AppointmentEvent.objects.create(
        appointment=appointment,
        from_state=came_from,
        to_state=appointment.state,
        actor=actor,
        channel=channel,
        reason=reason,
    )
