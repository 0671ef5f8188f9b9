"""What the practice allows: which slots may be booked, until when a visit may be moved or cancelled."""

from datetime import timedelta

from appointments import availability, diary
from appointments.availability import Interval, Slot
from appointments.models import Appointment, VisitType
from appointments.refusals import (
    Ended,
    NotBookable,
    OutsideHours,
    PatientBusy,
    SlotTaken,
    TooFarAhead,
    TooLate,
    TooSoon,
)
from eyecare import clock
from patients.models import Patient
from practice import services as practice

CHANGEABLE = (Appointment.State.BOOKED, Appointment.State.CONFIRMED)
"""States in which a visit may still be moved or cancelled."""


def check_bookable(
    visit_type: VisitType,
    slot: Slot,
    *,
    patient: Patient,
    moving: Appointment | None = None,
    by_staff: bool = False,
    override: bool = False,
) -> None:
    """Raise the refusal that says why this slot cannot be had, if there is one.

    Staff may book what is not online and need keep neither notice nor horizon; with `override` they
    may leave the provider's hours and kinds of visit too. Nobody may take time that is taken.
    """
    if not by_staff:
        _check_patients_may(visit_type, slot)
    if not override and not slot.provider.visit_types.filter(pk=visit_type.pk).exists():
        raise NotBookable(f"{slot.provider} does not do this kind of visit.")
    _check_free(visit_type, slot, patient, moving, override=override)


def _check_patients_may(visit_type: VisitType, slot: Slot) -> None:
    earliest, latest = diary.bookable_range(visit_type)
    if not visit_type.is_online:
        raise NotBookable(f"This visit is arranged by phone. Please call us at {phone_words()}.")
    if slot.starts_at < clock.now():
        raise TooSoon("That time has passed.")
    if slot.starts_at < earliest:
        raise TooSoon(f"That is too soon to book online. Please call us at {phone_words()}.")
    if slot.starts_at > latest:
        raise TooFarAhead(f"Our diary is open until {latest.astimezone(practice.zone()):%B %-d}.")


def _check_free(
    visit_type: VisitType, slot: Slot, patient: Patient, moving: Appointment | None, *, override: bool
) -> None:
    days = [slot.starts_at.date()]
    read = diary.read(visit_type, days, slot.provider, slot.location, moving=moving, patient=patient)
    place = availability.Place(slot.provider, slot.location)
    if not override and not _within_hours(read, place, slot, visit_type):
        raise OutsideHours(f"{slot.provider} does not see patients {slot:%A, %B %-d at %-I:%M %p}.")
    if any(_overlap(slot.interval, elsewhere) for elsewhere in read.taken):
        raise PatientBusy("You already have an appointment at that time.")
    needed = slot.busy_for(visit_type)
    if any(_overlap(needed, busy) for busy in read.busy.get(slot.provider.pk, ())):
        raise SlotTaken("Sorry, that time has just been taken.")


def _within_hours(
    read: availability.Diary, place: availability.Place, slot: Slot, visit_type: VisitType
) -> bool:
    days = [slot.starts_at.date()]
    hours = read.hours(days).get(place, [])
    closed = availability.merged(read.closures(place, days))
    return slot.interval.start in availability.starts(hours, closed, visit_type.length)


def _overlap(one: Interval, other: Interval) -> bool:
    return one.start < other.end and other.start < one.end


def check_changeable(appointment: Appointment, *, by_staff: bool = False) -> None:
    """Raise the refusal that says why this appointment may not be moved or cancelled now."""
    if appointment.state not in CHANGEABLE:
        raise Ended(f"That appointment is {appointment.get_state_display()}; it can no longer be changed.")
    if by_staff:
        return
    if appointment.starts_at <= clock.now():
        raise Ended("That appointment has passed; it can no longer be changed.")
    notice = timedelta(hours=appointment.visit_type.cancel_notice_hours)
    if appointment.starts_at - notice < clock.now():
        raise TooLate(f"It is too late to change that appointment online. Please call us at {phone_words()}.")


def phone_words() -> str:
    """Return the practice's phone as patients dial it."""
    return practice.current().phone.as_national
