"""What the practice allows: which slots may be booked, until when a visit may be moved or cancelled."""

from datetime import date, timedelta

from django.db.models import Count, Q

from appointments import availability, diary
from appointments.availability import Slot
from appointments.models import Appointment, DiarySettings, VisitType
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
from eyecare.errors import Invalid
from patients.models import Patient
from practice import services as practice

CHANGEABLE = (Appointment.State.BOOKED, Appointment.State.CONFIRMED)
"""States in which a visit may still be moved or cancelled."""

MONTH = timedelta(days=365) / 12


def settings() -> DiarySettings:
    """Return what the practice allows; the defaults where it has not said."""
    return DiarySettings.objects.first() or DiarySettings()


def check_bookable(
    visit_type: VisitType,
    slot: Slot,
    *,
    patient: Patient | None,
    moving: Appointment | None = None,
    by_staff: bool = False,
    override: bool = False,
    is_held: bool = False,
) -> bool:
    """Raise the refusal that says why this slot cannot be had; return whether a rule is left on purpose.

    Staff may book what is not online, at any minute of the hours, and need keep neither notice nor
    horizon nor a patient's limits; with `override` they may leave hours, blocks and kinds of visit too.
    Nobody may take time that is taken. `is_held`: it was promised in time, so notice is not asked again.
    """
    if not by_staff and patient is not None:
        _check_patients_may(visit_type, slot, is_held=is_held)
        check_suits(visit_type, patient)
        if moving is None:
            check_limits(patient)
    read = diary.read(visit_type, slot, patient=patient, moving=moving)
    broken = availability.rule_against(read, visit_type, slot, any_minute=by_staff)
    if broken and not override:
        raise _refusal(broken)
    if taken := availability.in_the_way(read, visit_type, slot):
        raise _refusal(taken)
    return broken is not None


_REFUSALS: dict[str, type[Unavailable]] = {
    availability.NOT_BOOKABLE: NotBookable,
    availability.CLOSED: Closed,
    availability.OUTSIDE_HOURS: OutsideHours,
    availability.OFF_THE_GRID: OutsideHours,
    availability.KEPT_FOR_URGENT: KeptForUrgent,
    availability.SLOT_TAKEN: SlotTaken,
    availability.RESOURCE_TAKEN: ResourceTaken,
    availability.PATIENT_BUSY: PatientBusy,
}


def _refusal(objection: availability.Objection) -> Unavailable:
    return _REFUSALS[objection.code](objection.sentence)


def _check_patients_may(visit_type: VisitType, slot: Slot, *, is_held: bool) -> None:
    earliest, latest = diary.bookable_range(visit_type)
    if slot.starts_at < clock.now():
        raise TooSoon("That time has passed.")
    if slot.starts_at < earliest and not is_held:
        raise TooSoon(f"That is too soon to book online. Please call us at {phone_words()}.")
    if slot.starts_at > latest:
        raise TooFarAhead(f"Our diary is open until {latest.astimezone(practice.zone()):%B %-d}.")


def check_suits(visit_type: VisitType, patient: Patient) -> None:
    """Raise ByPhone or NotForYou where this patient may not book this kind of visit themselves."""
    asks = visit_type.intended_for != VisitType.For.ANYONE
    if refusal := why_not_for(visit_type, known=asks and is_known(patient)):
        raise refusal


def why_not_for(visit_type: VisitType, *, known: bool) -> NotBookable | None:
    """Return why somebody known or new may not book this kind of visit themselves; asks no database."""
    if not visit_type.is_online:
        return ByPhone(f"This visit is arranged by phone. Please call us at {phone_words()}.")
    if visit_type.intended_for == VisitType.For.NEW and known:
        return NotForYou("This visit is for patients who are new here. Please choose another kind of visit.")
    if visit_type.intended_for == VisitType.For.KNOWN and not known:
        return NotForYou("This visit is for patients who have been here before. Please choose another one.")
    return None


def is_known(patient: Patient) -> bool:
    """Say whether the patient has been here: has a visit that is done."""
    return Appointment.objects.for_patient(patient).filter(state=Appointment.State.DONE).exists()


def check_limits(patient: Patient) -> None:
    """Raise TooManyVisits or NeedsStaff where the patient's next visit is booked by the front desk."""
    allowed = settings()
    now = clock.now()
    counts = Appointment.objects.for_patient(patient).aggregate(
        to_come=Count("pk", Q(state__in=Appointment.ACTIVE, starts_at__gte=now)),
        missed=Count(
            "pk",
            Q(state=Appointment.State.NO_SHOW, starts_at__gte=now - allowed.no_show_months * MONTH),
        ),
    )
    if counts["to_come"] >= allowed.most_open_visits:
        why = f"You have {counts['to_come']} visits to come already. " if counts["to_come"] else ""
        raise TooManyVisits(f"{why}To book another one, please call us at {phone_words()}.")
    if counts["missed"] >= allowed.most_no_shows:
        raise NeedsStaff(f"We would like to book your next visit with you by phone: {phone_words()}.")


def check_movable(appointment: Appointment, *, by_staff: bool = False) -> None:
    """Raise the refusal that says why this appointment may not be moved now: Ended or TooLate."""
    _check_notice(appointment, appointment.visit_type.move_notice_hours, by_staff=by_staff)


def check_cancellable(appointment: Appointment, *, by_staff: bool = False) -> None:
    """Raise the refusal that says why this appointment may not be cancelled now: Ended or TooLate."""
    _check_notice(appointment, appointment.visit_type.cancel_notice_hours, by_staff=by_staff)


def check_changeable(appointment: Appointment, *, by_staff: bool = False) -> None:
    """Raise the refusal that says why this appointment can be neither moved nor cancelled now."""
    kind = appointment.visit_type
    _check_notice(appointment, min(kind.move_notice_hours, kind.cancel_notice_hours), by_staff=by_staff)


def _check_notice(appointment: Appointment, hours: int, *, by_staff: bool) -> None:
    if appointment.state not in CHANGEABLE:
        raise Ended(f"That appointment is {appointment.get_state_display()}; it can no longer be changed.")
    if by_staff:
        return
    if appointment.starts_at <= clock.now():
        raise Ended("That appointment has passed; it can no longer be changed.")
    if appointment.starts_at - timedelta(hours=hours) < clock.now():
        raise TooLate(f"It is too late to change that appointment online. Please call us at {phone_words()}.")


def check_it_moves(appointment: Appointment, slot: Slot) -> None:
    """Raise Invalid where the appointment stands at that time with that provider already."""
    there = (slot.starts_at, slot.provider.pk, slot.location.pk)
    if (appointment.starts_at, appointment.provider_id, appointment.location_id) == there:
        raise Invalid("Your appointment is already at that time.")


def check_it_is_today(appointment: Appointment, *, override: bool = False) -> bool:
    """Raise NotNow on any other day than the visit's; return False where `override` lets that pass."""
    is_today = _day_of(appointment) == clock.today()
    if not is_today and not override:
        raise NotNow(f"That visit is on {_day_of(appointment):%A, %B %-d}, not today.")
    return is_today


def check_its_day_has_come(appointment: Appointment) -> None:
    """Raise NotNow before the day of the visit."""
    if _day_of(appointment) > clock.today():
        raise NotNow(f"That visit is on {_day_of(appointment):%A, %B %-d}; it has not taken place yet.")


def check_it_has_begun(appointment: Appointment) -> None:
    """Raise NotNow before the visit was to begin: until then it can be cancelled, not missed."""
    if appointment.starts_at > clock.now():
        raise NotNow("That visit was not missed: its time has not come yet.")


def _day_of(appointment: Appointment) -> date:
    return appointment.starts_at.astimezone(practice.zone()).date()


def phone_words() -> str:
    """Return the practice's phone as patients dial it."""
    return practice.current().phone.as_national
