"""What the assistant may do with a patient's own visits: book, move, cancel, list."""

from typing import Annotated, Any

from appointments import rules, services
from appointments.availability import Slot
from appointments.chat_tools.arguments import (
    CancellableArgument,
    LocationArgument,
    MovableArgument,
    ProviderArgument,
    VisitTypeArgument,
)
from appointments.chat_tools.times import SlotArgument
from appointments.chat_tools.told import standing
from appointments.chat_tools.wording import CHANNELS, at, card, line, time_of_day
from appointments.models import Appointment, VisitType
from appointments.openings import OFFERED
from appointments.refusals import ByPhone, NeedsStaff, TooLate, TooManyVisits
from chatbot.tools import Effect, Kept, Reply, ToolContext, tool
from patients.models import Patient
from practice.models import Location, Provider


def _may_book(patient: Patient | None) -> None:
    if patient is not None:
        rules.check_limits(patient)


def _hold(
    patient: Patient | None, *, context: ToolContext, visit_type: VisitType, slot: Slot, **_: Any
) -> Kept:
    """Hold the time that is read back, so that nobody takes it while the patient thinks."""
    return _held(patient, visit_type, slot, context)


def _hold_for_move(
    patient: Patient | None, *, context: ToolContext, appointment: Appointment, slot: Slot, **_: Any
) -> Kept:
    return _held(patient, appointment.visit_type, slot, context, moving=appointment)


def _held(
    patient: Patient | None,
    visit_type: VisitType,
    slot: Slot,
    context: ToolContext,
    moving: Appointment | None = None,
) -> Kept:
    hold = services.hold(
        patient=standing(patient, "Please sign in first."),
        visit_type=visit_type,
        slot=slot,
        channel=CHANNELS[context.channel],
        actor=context.actor,
        moving=moving,
    )
    until = f"I hold this time for you until {time_of_day(hold.held_until)}." if hold.held_until else ""
    return Kept(str(hold.pk), until if context.channel == "sms" else "")


def _give_back(key: str) -> None:
    """Give a held time back; one that became a visit, or has run out, is no hold any more."""
    if hold := Appointment.objects.held().filter(pk=key).first():
        services.release_hold(hold=hold)


def _book_question(*, visit_type: VisitType, slot: Slot, context: ToolContext, **_: Any) -> str:
    """Name the visit, but not in a text message to somebody who has not named it: others may read it."""
    is_named = context.channel == "web" or "visit_type" in context.said
    return f"Book {visit_type if is_named else 'this visit'} {at(slot)}?"


@tool(
    confirm=_book_question,
    label="Book an appointment",
    examples=("I need an eye exam next week", "can I come in for new contacts"),
    only_if=_may_book,
    keep=_hold,
    let_go=_give_back,
    needs_person=(ByPhone, NeedsStaff, TooManyVisits),
)
def book_appointment(
    patient: Patient,
    visit_type: Annotated[VisitType, VisitTypeArgument],
    slot: Annotated[Slot, SlotArgument],
    provider: Annotated[Provider, ProviderArgument] | None = None,
    location: Annotated[Location, LocationArgument] | None = None,
    *,
    context: ToolContext,
) -> Reply:
    """Book a new appointment: an exam, a contact lens fitting, a follow-up."""
    booked = services.book(
        patient=patient,
        visit_type=visit_type,
        slot=slot,
        channel=CHANNELS[context.channel],
        actor=context.actor,
        idempotency_key=context.idempotency_key,
    )
    return _written("appointment.booked", booked, f"You are booked: {line(booked, context.channel)}.")


def _move_question(*, appointment: Appointment, slot: Slot, **_: Any) -> str:
    now = services.slot_of(appointment)
    return f"Move your visit from {now:%A, %B %-d at %-I:%M %p} to {at(slot, '')}?"


@tool(
    confirm=_move_question,
    label="Move an appointment",
    examples=("can we make it later that day", "I have to move my exam to Friday"),
    keep=_hold_for_move,
    let_go=_give_back,
    needs_person=(ByPhone, TooLate),
)
def reschedule_appointment(
    patient: Patient,
    appointment: Annotated[Appointment, MovableArgument],
    slot: Annotated[Slot, SlotArgument],
    provider: Annotated[Provider, ProviderArgument] | None = None,
    *,
    context: ToolContext,
) -> Reply:
    """Move an appointment."""
    moved = services.reschedule(
        appointment=appointment,
        slot=slot,
        channel=CHANNELS[context.channel],
        actor=context.actor,
        idempotency_key=context.idempotency_key,
    )
    return _written("appointment.moved", moved, f"Done. Your visit is now {at(slot)}.")


def _cancel_question(*, appointment: Appointment) -> str:
    return f"Cancel your visit {at(services.slot_of(appointment))}?"


@tool(
    confirm=_cancel_question,
    label="Cancel an appointment",
    examples=("I can't make it on Tuesday", "please cancel my exam"),
    needs_person=(TooLate,),
)
def cancel_appointment(
    patient: Patient, appointment: Annotated[Appointment, CancellableArgument], *, context: ToolContext
) -> Reply:
    """Cancel an appointment."""
    services.cancel(appointment=appointment, channel=CHANNELS[context.channel], actor=context.actor)
    words = f"Your visit {at(services.slot_of(appointment))} is cancelled."
    return Reply.done(words, effect=Effect("appointment.cancelled", "appointment", str(appointment.pk)))


@tool(label="See my appointments", examples=("when is my appointment?", "do I have anything booked"))
def list_appointments(patient: Patient, *, context: ToolContext) -> Reply:
    """Say when the next appointments are."""
    upcoming = list(Appointment.objects.for_patient(patient).upcoming().with_details()[:OFFERED])
    if not upcoming:
        return Reply.say("You have no visit coming up. Shall I book one?", start="book_appointment")
    lines = [line(row, context.channel) for row in upcoming]
    opening = "Your next visit:" if len(lines) == 1 else "Your next visits:"
    return Reply.say("\n".join([opening, *lines]), cards=[card(row) for row in upcoming])


def _written(action: str, appointment: Appointment, words: str) -> Reply:
    effect = Effect(action, "appointment", str(appointment.pk))
    return Reply.done(words, effect=effect, cards=[card(appointment)])
