"""What every change to the diary has in common: whose turn it is, the row with its rooms, the history."""

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Q

from appointments.availability import Slot
from appointments.diary import alternatives
from appointments.models import Appointment, AppointmentEvent, Resource, ResourceBooking, VisitType
from appointments.refusals import PatientBusy, ResourceTaken, SlotTaken, Unavailable
from patients.models import Account, Patient
from practice.models import Provider

State = Appointment.State

LONGEST_REASON = 200
"""Letters of a reason that the history keeps."""


@dataclass(frozen=True)
class Turn:
    """The rows that a change for one slot may touch; they are locked until the transaction ends."""

    visit_type: VisitType
    slot: Slot
    patient: Patient | None
    own_hold: Appointment | None
    """What is held for the patient, run out or not."""
    run_out: tuple[Appointment, ...]
    """Holds that nobody has given back yet and that stand in the way."""
    resources: tuple[Resource, ...]
    """Every room and machine of the kinds that the visit needs, at the slot's location."""
    kinds: tuple[int, ...]

    def hold_for(self, lineage: UUID | None = None) -> Appointment | None:
        """Return the patient's own hold if it is of this very slot, for this move or for a new visit."""
        hold = self.own_hold
        if hold is None or not self._is_held_by(hold):
            return None
        standing = Appointment.objects.active().filter(lineage=hold.lineage)
        return hold if (hold.lineage == lineage if lineage else not standing.exists()) else None

    def _is_held_by(self, hold: Appointment) -> bool:
        held = (hold.visit_type_id, hold.provider_id, hold.location_id, hold.starts_at)
        return held == (
            self.visit_type.pk, self.slot.provider.pk, self.slot.location.pk, self.slot.starts_at
        )  # fmt: skip

    def clear(self, keeping: Appointment | None = None, *, channel: str, actor: Account | None) -> None:
        """Give back the patient's hold, unless it is the one to keep, and the holds that have run out."""
        own = [self.own_hold] if self.own_hold and self.own_hold != keeping else []
        give_back(own, channel=channel, actor=actor)
        give_back(hold for hold in self.run_out if hold != self.own_hold)

    def write(self, held: Appointment | None = None, **columns: Any) -> Appointment:
        """Write the slot into the diary with its rooms and machines, or turn what is held into it."""
        if held is not None:
            return self._turn_into(held, **columns)
        busy = self.slot.busy_for(self.visit_type)
        written = Appointment.objects.create(
            patient=self.patient,
            visit_type=self.visit_type,
            provider=self.slot.provider,
            location=self.slot.location,
            starts_at=self.slot.starts_at,
            ends_at=self.slot.ends_at,
            busy_from=busy.start,
            busy_until=busy.end,
            **columns,
        )
        self._take_resources(written)
        return written

    def _turn_into(self, held: Appointment, **columns: Any) -> Appointment:
        columns = {"held_until": None, **columns}
        if not Appointment.objects.filter(pk=held.pk, state=State.HELD).update(**columns):
            raise SlotTaken(TAKEN[SlotTaken])
        for name, value in columns.items():
            setattr(held, name, value)
        held.visit_type, held.provider, held.location = (
            self.visit_type, self.slot.provider, self.slot.location
        )  # fmt: skip
        return held

    def _take_resources(self, appointment: Appointment) -> None:
        if self.kinds:
            ResourceBooking.objects.bulk_create(
                ResourceBooking(
                    appointment=appointment,
                    resource=resource,
                    lineage=appointment.lineage,
                    busy_from=appointment.busy_from,
                    busy_until=appointment.busy_until,
                )
                for resource in self._free_resources(appointment)
            )

    def _free_resources(self, appointment: Appointment) -> list[Resource]:
        """Return one free room or machine of each kind; those locked cannot be taken meanwhile."""
        overlapping = ResourceBooking.objects.filter(
            resource__in=self.resources,
            is_active=True,
            busy_from__lt=appointment.busy_until,
            busy_until__gt=appointment.busy_from,
        )
        taken = set(overlapping.exclude(lineage=appointment.lineage).values_list("resource_id", flat=True))
        free = {
            resource.kind_id: resource
            for resource in reversed(self.resources)
            if resource.is_active and resource.pk not in taken
        }
        if set(self.kinds) - free.keys():
            raise ResourceTaken(TAKEN[ResourceTaken])
        return [free[kind] for kind in self.kinds]


def take_turn(
    *,
    visit_type: VisitType,
    slot: Slot,
    patient: Patient | None = None,
    others: Iterable[Appointment | None] = (),
) -> Turn:
    """Wait until the diary may be changed at this slot, and return what stands there.

    Everybody locks in one order: the patient, the providers concerned by number, then rooms and
    machines by number. The constraints decide all the same; without the queue PostgreSQL settles two
    changes that wait for each other as a deadlock. `others` are appointments and holds that the change
    touches besides. SQLite has one writer at a time anyway.
    """
    own_hold = lock_patient(patient)
    kinds = tuple(visit_type.needs.order_by("pk").values_list("pk", flat=True))
    run_out = tuple(_run_out(visit_type, slot, kinds))
    touched = [row for row in (*others, *run_out, own_hold) if row is not None]
    lock_providers(slot.provider.pk, *(row.provider_id for row in touched))
    resources = Resource.objects.filter(kind__in=kinds, location=slot.location).order_by("pk")
    locked = tuple(resources.select_for_update(no_key=True)) if kinds else ()
    return Turn(visit_type, slot, patient, still_held(own_hold), run_out, locked, kinds)


def lock_patient(patient: Patient | None) -> Appointment | None:
    """Let changes for one patient follow each other; return what is held for them."""
    if patient is None:
        return None
    Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    return Appointment.objects.for_patient(patient).filter(state=State.HELD).first()


def still_held(hold: Appointment | None) -> Appointment | None:
    """Look at a hold again once its provider is locked: the sweep may have been faster."""
    if hold is None or not Appointment.objects.filter(pk=hold.pk, state=State.HELD).exists():
        return None
    return hold


def lock_providers(*provider_ids: int) -> None:
    """Let changes to these providers' diaries follow each other.

    Whoever writes to an appointment locks its provider first: a trigger then writes the stamp of the
    provider's diary, and two who hold one row each and want the other's stamp would never end.
    """
    wanted = Provider.objects.filter(pk__in=set(provider_ids)).order_by("pk")
    list(wanted.select_for_update(no_key=True).values_list("pk"))


def _run_out(visit_type: VisitType, slot: Slot, kinds: tuple[int, ...]) -> Iterable[Appointment]:
    """Return the run-out holds in the way of a slot.

    Read before the locks, because it says which providers to lock: afterwards there can only be fewer.
    """
    busy = slot.busy_for(visit_type)
    overlapping = {"busy_from__lt": busy.end, "busy_until__gt": busy.start}
    in_the_way = Q(provider=slot.provider, **overlapping)
    if kinds:
        uses = ResourceBooking.objects.filter(
            resource__kind__in=kinds, resource__location=slot.location, is_active=True, **overlapping
        )
        in_the_way |= Q(pk__in=uses.values("appointment_id"))
    return Appointment.objects.run_out().filter(in_the_way).order_by()


def give_back(
    holds: Iterable[Appointment], *, channel: str = "", actor: Account | None = None, reason: str = ""
) -> int:
    """Release those of these holds that are still held, and return how many; their providers are locked."""
    wanted = {hold.pk: hold for hold in holds}
    if not wanted:
        return 0
    held = Appointment.objects.filter(pk__in=wanted, state=State.HELD)
    released = list(held.values_list("pk", flat=True))
    Appointment.objects.filter(pk__in=released, state=State.HELD).update(state=State.RELEASED)
    AppointmentEvent.objects.bulk_create(
        AppointmentEvent(
            appointment_id=pk,
            from_state=State.HELD,
            to_state=State.RELEASED,
            channel=channel or wanted[pk].channel,
            actor=actor,
            reason=reason or ("" if channel else "ran out"),
        )
        for pk in released
    )
    return len(released)


def claim(
    turn: Turn, hold: Appointment, moving: Appointment | None = None, *, channel: str, actor: Account | None
) -> Turn:
    """Put a time that was held for several into the patient's name, and return the turn with it.

    What else was held for the patient is given back. Raises SlotTaken when somebody was first.
    """
    own = [turn.own_hold] if turn.own_hold else []
    give_back(own, channel=channel, actor=actor)
    lineage = (moving or hold).lineage
    held = Appointment.objects.filter(pk=hold.pk, state=State.HELD, patient=None)
    if not held.update(patient=turn.patient, lineage=lineage):
        hold.refresh_from_db(fields=["state"])
        raise SlotTaken(GIVEN_BACK if hold.state == State.RELEASED else SOMEBODY_WAS_FIRST)
    hold.resource_bookings.update(lineage=lineage)
    hold.patient, hold.lineage = turn.patient, lineage
    return replace(turn, own_hold=hold)


def record(
    appointment: Appointment,
    came_from: str,
    *,
    channel: str,
    actor: Account | None,
    reason: str = "",
    is_override: bool = False,
) -> None:
    """Keep one step: who took it, when, why, through which channel."""
    AppointmentEvent.objects.create(
        appointment=appointment,
        from_state=came_from,
        to_state=appointment.state,
        actor=actor,
        channel=channel,
        reason=reason.strip()[:LONGEST_REASON].strip(),
        is_override=is_override,
    )


@contextmanager
def offering_others(
    visit_type: VisitType, slot: Slot, patient: Patient | None, moving: Appointment | None = None
) -> Iterator[None]:
    """Give a refused slot its alternatives, after the transaction is over, and read the database's no."""
    search = functools.partial(alternatives, visit_type, slot, patient=patient, moving=moving)
    try:
        yield
    except IntegrityError as error:
        clash = _clash(error)
        raise clash(TAKEN[clash], alternatives=search()) from error
    except Unavailable as refusal:
        others = search() if refusal.another_time_helps else ()
        raise type(refusal)(refusal.sentence, alternatives=others) from refusal


SOMEBODY_WAS_FIRST = "Sorry, somebody else was a little faster."
GIVEN_BACK = "Sorry, that time is no longer held for you."

TAKEN: dict[type[SlotTaken], str] = {
    SlotTaken: "Sorry, that time has just been taken.",
    PatientBusy: "You already have an appointment at that time.",
    ResourceTaken: "Sorry, the equipment for this visit is in use at that time.",
}

_CONSTRAINTS: dict[str, type[SlotTaken]] = {
    "a_provider_sees_one_patient_at_a_time": SlotTaken,
    "a_patient_is_in_one_place_at_a_time": PatientBusy,
    "a_resource_serves_one_visit_at_a_time": ResourceTaken,
}


def _clash(error: IntegrityError) -> type[SlotTaken]:
    """Return which overlap the database refused; an error of another kind is raised again."""
    for name, refusal in _CONSTRAINTS.items():
        if name in str(error):
            return refusal
    raise error
