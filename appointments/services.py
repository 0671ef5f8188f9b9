"""Every change to the diary goes through here."""

from uuid import UUID

from django.db import transaction

from appointments import entries, recalls, reminders, rules, texts, waitlist
from appointments.availability import Slot
from appointments.diary import alternatives, bookable_range, find_slots, nearest, slot_from_key, slot_of
from appointments.holds import hold, hold_for_several, hold_of, release, release_hold, sweep_holds
from appointments.models import Appointment, VisitType
from appointments.refusals import (
    ByPhone,
    Closed,
    Ended,
    KeptForUrgent,
    NeedsStaff,
    NotBookable,
    NotForYou,
    NotNow,
    OutsideHours,
    PatientBusy,
    ResourceTaken,
    SlotTaken,
    TooFarAhead,
    TooLate,
    TooManyVisits,
    TooSoon,
    Unavailable,
)
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from patients.models import Account, Patient

__all__ = [
    "ByPhone",
    "Closed",
    "Ended",
    "KeptForUrgent",
    "NeedsStaff",
    "NotBookable",
    "NotForYou",
    "NotNow",
    "OutsideHours",
    "PatientBusy",
    "ResourceTaken",
    "Slot",
    "SlotTaken",
    "TooFarAhead",
    "TooLate",
    "TooManyVisits",
    "TooSoon",
    "Unavailable",
    "alternatives",
    "book",
    "bookable_range",
    "bring_forward",
    "cancel",
    "check_in",
    "complete",
    "confirm",
    "find_slots",
    "get_for",
    "hold",
    "hold_for_several",
    "hold_of",
    "mark_no_show",
    "nearest",
    "release",
    "release_hold",
    "reschedule",
    "slot_from_key",
    "slot_of",
    "start_exam",
    "sweep_holds",
    "take_over",
    "why_not",
]

State, Channel = Appointment.State, Appointment.Channel

COMES_FROM: dict[str, tuple[str, ...]] = {
    State.CONFIRMED: (State.BOOKED,),
    # who was given up and comes after all is seen, if the time is still free
    State.ARRIVED: (State.BOOKED, State.CONFIRMED, State.NO_SHOW),
    State.IN_EXAM: (State.BOOKED, State.CONFIRMED, State.ARRIVED),
    State.DONE: Appointment.ACTIVE,
    State.NO_SHOW: (State.BOOKED, State.CONFIRMED),
    State.CANCELLED: (State.BOOKED, State.CONFIRMED),
    State.MOVED: (State.BOOKED, State.CONFIRMED),
}
"""Every step in a visit's life: from which states a state is reached. Holds become visits by `book`."""


def get_for(patient: Patient, appointment_id: object) -> Appointment:
    """Return this patient's appointment with its visit type, provider and location.

    Raises NotFound, the same for one that does not exist, for somebody else's and for a mere hold.
    """
    try:
        wanted = UUID(str(appointment_id))
    except ValueError as error:
        raise NotFound("We could not find that appointment.") from error
    mine = Appointment.objects.visits().for_patient(patient).with_details()
    appointment = mine.filter(pk=wanted).first()
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

    What is held for the patient becomes the visit if it is this slot, also after it ran out as long as
    nobody else took it; otherwise it is given back. Raises SlotTaken (PatientBusy, ResourceTaken) or
    NotBookable in its kinds, with the nearest free slots where another time would help. With
    `override_reason` the front desk may leave hours, blocks and kinds of visit, never take time twice.
    """
    with entries.offering_others(visit_type, slot, patient), transaction.atomic():
        turn = entries.take_turn(patient=patient, visit_type=visit_type, slot=slot)
        if earlier := _answered_before(patient, visit_type, slot, idempotency_key):
            return earlier
        return _book(turn, patient, channel, actor, note, idempotency_key, override_reason)


def reschedule(
    *,
    appointment: Appointment,
    slot: Slot,
    channel: str,
    actor: Account | None = None,
    reason: str = "",
    idempotency_key: str | None = None,
    override_reason: str = "",
    quiet: bool = False,
) -> Appointment:
    """Move an appointment and return the new one, which carries on; nothing has changed on a refusal.

    Raises what `book` raises, TooLate for a patient who moves it too short before, and Ended. `quiet`
    sends no text about it: the patient stands at the front desk.
    """
    patient, visit_type = appointment.patient, appointment.visit_type
    with entries.offering_others(visit_type, slot, patient, appointment), transaction.atomic():
        turn = entries.take_turn(patient=patient, visit_type=visit_type, slot=slot, others=[appointment])
        if earlier := _answered_before(patient, visit_type, slot, idempotency_key):
            return earlier
        leaving = Appointment.objects.with_details().get(pk=appointment.pk)
        successor = _move(turn, leaving, channel, actor, reason, idempotency_key, override_reason, quiet)
    appointment.state = leaving.state
    return successor


def take_over(
    *,
    hold: Appointment,
    patient: Patient,
    visit_type: VisitType,
    channel: str,
    actor: Account | None = None,
    moving: Appointment | None = None,
) -> Appointment:
    """Turn a time that was held for several into this patient's visit: the first yes wins.

    `moving` is the visit that moves there, if it is not a new one. A second yes of the same patient is
    answered with the visit; raises SlotTaken for the others, and when the time was given back, and else
    what `book` and `reschedule` raise: the time is then still held for the others.
    """
    slot = slot_from_key(visit_type, slot_of(hold).key)
    with entries.offering_others(visit_type, slot, patient, moving), transaction.atomic():
        turn = entries.take_turn(patient=patient, visit_type=visit_type, slot=slot, others=[hold, moving])
        if mine := Appointment.objects.active().for_patient(patient).filter(pk=hold.pk).first():
            return mine
        turn = entries.claim(turn, hold, moving, channel=channel, actor=actor)
        if moving is None:
            return _book(turn, patient, channel, actor)
        return _move(turn, Appointment.objects.with_details().get(pk=moving.pk), channel, actor)


def why_not(
    *,
    patient: Patient,
    visit_type: VisitType,
    slot: Slot,
    moving: Appointment | None = None,
    channel: str = Channel.WEB,
) -> Unavailable | None:
    """Return what holding this slot would raise, alternatives included; nothing is written."""
    try:
        with entries.offering_others(visit_type, slot, patient, moving):
            rules.check_bookable(
                visit_type, slot, patient=patient, moving=moving, by_staff=channel == Channel.STAFF
            )
    except Unavailable as refusal:
        return refusal
    return None


def cancel(
    *,
    appointment: Appointment,
    channel: str,
    actor: Account | None = None,
    reason: str = "",
    idempotency_key: str | None = None,
) -> Appointment:
    """Cancel an appointment: its time is free again and its reminders are dropped. Twice is once.

    A time that was held for its move is given back. An appointment is cancelled once, with any key or
    none, so the key is not kept; one under which another appointment was booked is refused as Invalid.
    Raises TooLate for a patient who cancels too short before, and Ended.
    """
    with transaction.atomic():
        held = entries.lock_patient(appointment.patient)
        new_time = [held] if held and held.lineage == appointment.lineage else []
        entries.lock_providers(appointment.provider_id, *(row.provider_id for row in new_time))
        _check_key_is_free(appointment, idempotency_key)
        appointment.refresh_from_db(fields=["state"])
        if appointment.state == State.CANCELLED:
            return appointment
        rules.check_cancellable(appointment, by_staff=channel == Channel.STAFF)
        _step(appointment, State.CANCELLED, channel, actor, reason)
        entries.give_back(new_time, channel=channel, actor=actor)
        texts.tell(texts.CANCELLED, appointment, channel)
        _note_freed(appointment)
    return appointment


def confirm(*, appointment: Appointment, channel: str, actor: Account | None = None) -> Appointment:
    """Note that the patient says they will come."""
    with transaction.atomic():
        entries.lock_providers(appointment.provider_id)
        return _step(appointment, State.CONFIRMED, channel, actor)


def check_in(
    *, appointment: Appointment, actor: Account | None = None, override_reason: str = ""
) -> Appointment:
    """Note that the patient is here, also one who was given up, as long as the time is still free.

    Raises NotNow on any other day than the visit's, unless `override_reason` says why; SlotTaken where
    somebody else was given the time meanwhile; Ended.
    """
    visit_type, slot = appointment.visit_type, slot_of(appointment)
    with entries.offering_others(visit_type, slot, appointment.patient), transaction.atomic():
        turn = entries.take_turn(visit_type=visit_type, slot=slot, others=[appointment])
        turn.clear(channel=Channel.STAFF, actor=actor)
        return _step_today(appointment, State.ARRIVED, actor, override_reason)


def start_exam(
    *, appointment: Appointment, actor: Account | None = None, override_reason: str = ""
) -> Appointment:
    """Note that the patient is with the provider. Raises NotNow on another day, and Ended."""
    with transaction.atomic():
        entries.lock_providers(appointment.provider_id)
        return _step_today(appointment, State.IN_EXAM, actor, override_reason)


def complete(*, appointment: Appointment, actor: Account | None = None) -> Appointment:
    """Note that the visit has taken place. Raises NotNow before the day of the visit, and Ended."""
    with transaction.atomic():
        entries.lock_providers(appointment.provider_id)
        is_new = _check_step(appointment, State.DONE) != State.DONE
        rules.check_its_day_has_come(appointment)
        _step(appointment, State.DONE, Channel.STAFF, actor)
        if is_new:
            recalls.visit_completed(appointment)
    return appointment


def mark_no_show(*, appointment: Appointment, actor: Account | None = None, reason: str = "") -> Appointment:
    """Note that the patient did not come. Raises NotNow before the visit was to begin, and Ended."""
    with transaction.atomic():
        entries.lock_providers(appointment.provider_id)
        _check_step(appointment, State.NO_SHOW)
        rules.check_it_has_begun(appointment)
        return _step(appointment, State.NO_SHOW, Channel.STAFF, actor, reason)


def bring_forward(
    *, appointment: Appointment, slot: Slot, actor: Account | None = None, reason: str
) -> Appointment:
    """See a patient who came early at another time of today, and return that visit, checked in.

    The later time is free again and nobody is sent a text. `reason` also lets the front desk leave the
    provider's hours. Raises what `reschedule` raises.
    """
    with transaction.atomic():
        moved = reschedule(
            appointment=appointment,
            slot=slot,
            channel=Channel.STAFF,
            actor=actor,
            reason=reason,
            override_reason=reason,
            quiet=True,
        )
        return _step_today(moved, State.ARRIVED, actor, "")


def _book(
    turn: entries.Turn,
    patient: Patient,
    channel: str,
    actor: Account | None,
    note: str = "",
    idempotency_key: str | None = None,
    override_reason: str = "",
) -> Appointment:
    held = turn.hold_for()
    came_from = State.HELD if held else ""
    turn.clear(held, channel=channel, actor=actor)
    is_override = _check(turn, patient, channel, override_reason, held)
    visit = turn.write(
        held, state=State.BOOKED, channel=channel, note=note, idempotency_key=idempotency_key or None
    )
    entries.record(
        visit, came_from, channel=channel, actor=actor, reason=override_reason, is_override=is_override
    )
    reminders.plan(visit)
    texts.tell(texts.BOOKED, visit, channel)
    return visit


def _move(
    turn: entries.Turn,
    leaving: Appointment,
    channel: str,
    actor: Account | None,
    reason: str = "",
    idempotency_key: str | None = None,
    override_reason: str = "",
    quiet: bool = False,
) -> Appointment:
    rules.check_movable(leaving, by_staff=channel == Channel.STAFF)
    rules.check_it_moves(leaving, turn.slot)
    held = turn.hold_for(leaving.lineage)
    came_from = State.HELD if held else ""
    turn.clear(held, channel=channel, actor=actor)
    is_override = _check(turn, leaving.patient, channel, override_reason, held, leaving)
    reason = override_reason if is_override else reason or override_reason
    _step(leaving, State.MOVED, channel, actor, reason)
    successor = turn.write(
        held,
        state=State.BOOKED,
        channel=channel,
        note=leaving.note,
        idempotency_key=idempotency_key or None,
        moved_from=leaving,
        lineage=leaving.lineage,
    )
    entries.record(successor, came_from, channel=channel, actor=actor, reason=reason, is_override=is_override)
    reminders.plan(successor)
    if not quiet:
        texts.tell(texts.MOVED, successor, channel)
    _note_freed(leaving)
    return successor


def _check(
    turn: entries.Turn,
    patient: Patient,
    channel: str,
    override_reason: str,
    held: Appointment | None,
    moving: Appointment | None = None,
) -> bool:
    """Raise what speaks against the slot; return whether a rule is left for the reason given."""
    by_staff = channel == Channel.STAFF
    return rules.check_bookable(
        turn.visit_type,
        turn.slot,
        patient=patient,
        moving=moving,
        by_staff=by_staff,
        override=by_staff and bool(override_reason.strip()),
        is_held=held is not None and held.is_held,
    )


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


def _check_key_is_free(appointment: Appointment, idempotency_key: str | None) -> None:
    others = Appointment.objects.for_patient(appointment.patient).exclude(pk=appointment.pk)
    if idempotency_key and others.filter(idempotency_key=idempotency_key).exists():
        raise Invalid("This request was already used for another appointment.")


def _note_freed(appointment: Appointment) -> None:
    if appointment.starts_at > clock.now():
        waitlist.note_freed(appointment)


def _step_today(
    appointment: Appointment, to: str, actor: Account | None, override_reason: str
) -> Appointment:
    _check_step(appointment, to)
    is_override = not rules.check_it_is_today(appointment, override=bool(override_reason.strip()))
    return _step(appointment, to, Channel.STAFF, actor, override_reason, is_override=is_override)


def _step(
    appointment: Appointment,
    to: str,
    channel: str,
    actor: Account | None,
    reason: str = "",
    *,
    is_override: bool = False,
) -> Appointment:
    """Take one step in a visit's life, its provider locked; one that was taken before is not taken again."""
    came_from = _check_step(appointment, to)
    appointment.state = to
    if came_from != to:
        Appointment.objects.filter(pk=appointment.pk, state=came_from).update(state=to)
        entries.record(
            appointment, came_from, channel=channel, actor=actor, reason=reason, is_override=is_override
        )
        reminders.follow(appointment)
    return appointment


def _check_step(appointment: Appointment, to: str) -> str:
    """Return the state that the step starts from; raises Ended where none leads there."""
    came_from = Appointment.objects.values_list("state", flat=True).get(pk=appointment.pk)
    if came_from != to and came_from not in COMES_FROM[to]:
        raise Ended(f"That appointment is {State(came_from).label}; it cannot become {State(to).label}.")
    return came_from
