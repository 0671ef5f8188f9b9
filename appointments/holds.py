"""Times held for a patient who has not said yes yet, or for several who were asked at once."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from appointments import entries, rules
from appointments.availability import Slot
from appointments.models import Appointment, VisitType
from eyecare import clock
from patients.models import Account, Patient

State, Channel = Appointment.State, Appointment.Channel


def hold(
    *,
    patient: Patient,
    visit_type: VisitType,
    slot: Slot,
    channel: str,
    actor: Account | None = None,
    moving: Appointment | None = None,
    minutes: int | None = None,
) -> Appointment:
    """Hold a slot until the patient says yes, and return the hold; the same slot again is held anew.

    A patient is held one time: another slot gives the former back. `moving` is the visit that would
    move there. Raises what booking or moving raises; what was held is then still held.
    """
    by_staff = channel == Channel.STAFF
    with entries.offering_others(visit_type, slot, patient, moving), transaction.atomic():
        turn = entries.take_turn(patient=patient, visit_type=visit_type, slot=slot, others=[moving])
        if moving is not None:
            moving.refresh_from_db(fields=["state"])
            rules.check_movable(moving, by_staff=by_staff)
            rules.check_it_moves(moving, slot)
        standing = turn.hold_for(moving.lineage if moving else None)
        turn.clear(standing, channel=channel, actor=actor)
        is_held = standing is not None and standing.is_held
        rules.check_bookable(
            visit_type, slot, patient=patient, moving=moving, by_staff=by_staff, is_held=is_held
        )
        until = clock.now() + timedelta(minutes=minutes or _minutes(channel))
        if standing is not None:
            return turn.write(standing, state=State.HELD, held_until=until)
        return _write(turn, until, channel, actor, moving=moving)


def hold_for_several(*, visit_type: VisitType, slot: Slot, until: datetime) -> Appointment:
    """Hold a slot in nobody's name, for people on the waitlist who are asked at once.

    Raises SlotTaken, ResourceTaken and OutsideHours; patients' own rules are asked at `take_over`.
    """
    with entries.offering_others(visit_type, slot, None), transaction.atomic():
        turn = entries.take_turn(visit_type=visit_type, slot=slot)
        turn.clear(channel=Channel.STAFF, actor=None)
        rules.check_bookable(visit_type, slot, patient=None, by_staff=True)
        return _write(turn, until, Channel.STAFF, None, reason="offered to the waitlist")


def release(*, patient: Patient, channel: str = "", actor: Account | None = None) -> None:
    """Give back what is held for this patient, if anything is."""
    with transaction.atomic():
        held = entries.lock_patient(patient)
        if held is not None:
            entries.lock_providers(held.provider_id)
            entries.give_back([held], channel=channel or held.channel, actor=actor)


def release_hold(
    *, hold: Appointment, channel: str = "", actor: Account | None = None, reason: str = ""
) -> bool:
    """Give one hold back, whoever it is for; False when it was no longer held."""
    with transaction.atomic():
        entries.lock_providers(hold.provider_id)
        channel = channel or hold.channel
        return bool(entries.give_back([hold], channel=channel, actor=actor, reason=reason))


def hold_of(patient: Patient) -> Appointment | None:
    """Return what is held for this patient now."""
    return Appointment.objects.for_patient(patient).held().with_details().first()


def sweep_holds() -> int:
    """Give back the holds that have run out and return how many; each diary in a transaction of its own."""
    diaries = Appointment.objects.run_out().order_by("provider").values_list("provider", flat=True)
    return sum(_sweep(provider_id) for provider_id in list(diaries.distinct()))


@transaction.atomic
def _sweep(provider_id: int) -> int:
    entries.lock_providers(provider_id)
    return entries.give_back(Appointment.objects.run_out().filter(provider=provider_id))


def _write(
    turn: entries.Turn,
    until: datetime,
    channel: str,
    actor: Account | None,
    *,
    moving: Appointment | None = None,
    reason: str = "",
) -> Appointment:
    lineage: dict[str, Any] = {"lineage": moving.lineage} if moving else {}
    held = turn.write(state=State.HELD, held_until=until, channel=channel, **lineage)
    entries.record(held, "", channel=channel, actor=actor, reason=reason)
    return held


def _minutes(channel: str) -> int:
    practice = rules.settings()
    return practice.sms_hold_minutes if channel == Channel.SMS else practice.web_hold_minutes
