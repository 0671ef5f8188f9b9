"""Every step of a lens order goes through here."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction

from eyecare import clock
from eyecare.errors import NotFound, Refusal
from messaging import services as messaging
from messaging.models import Message
from orders import stages
from orders.models import Order, Prescription, StageChange
from patients.models import Account, Patient
from practice import services as practice_services
from practice.models import Location

READY = "order_ready"


class StepNotAllowed(Refusal):
    """The transition table has no such step."""

    code = "step_not_allowed"


class AlreadyMoved(Refusal):
    """Somebody else moved the order in the meantime."""

    code = "already_moved"


class PrescriptionExpired(Refusal):
    """Lenses are not ordered from a prescription that has run out."""

    code = "prescription_expired"


def get_for(patient: Patient, order_id: object) -> Order:
    """Return one of the patient's orders; NotFound for anybody else's."""
    try:
        return Order.objects.for_patient(patient).with_details().get(pk=str(order_id))
    except (Order.DoesNotExist, ValidationError, ValueError):
        raise NotFound("We could not find that order.") from None


@transaction.atomic
def place(
    *,
    patient: Patient,
    kind: str,
    description: str,
    location: Location,
    prescription: Prescription | None = None,
    lab: str = "",
    promised_on: date | None = None,
    actor: Account | None = None,
) -> Order:
    """Write a new order under the next number; it is on hold until it is priced."""
    order = Order.objects.create(
        number=practice_services.draw_number("L"),
        patient=patient,
        kind=kind,
        description=description,
        location=location,
        prescription=prescription,
        lab=lab,
        promised_on=promised_on,
    )
    _note(order, "", actor, "")
    return order


@transaction.atomic
def advance(*, order: Order, to: str, actor: Account | None = None, note: str = "") -> Order:
    """Move an order to another stage and keep who did it; `notified` tells the patient by text.

    Raises StepNotAllowed for a step that is not in the table, PrescriptionExpired on the way to the
    lab, AlreadyMoved when the order is not where the caller saw it.
    """
    if to == Order.Stage.REMADE:
        raise StepNotAllowed("A remake is a new order: use remake.")
    _move(order, to, actor, note)
    if to == Order.Stage.NOTIFIED:
        _tell(order)
    return order


@transaction.atomic
def remake(*, order: Order, actor: Account | None = None, note: str = "") -> Order:
    """Close an order as remade and return the new one, linked to it, that carries on."""
    _move(order, Order.Stage.REMADE, actor, note)
    successor = Order.objects.create(
        number=practice_services.draw_number("L"),
        patient=order.patient,
        prescription=order.prescription,
        location=order.location,
        kind=order.kind,
        description=order.description,
        lab=order.lab,
        stage=Order.Stage.PRICED,
        remake_of=order,
    )
    _note(successor, "", actor, f"remake of {order.number}")
    return successor


def no_longer_ready(message: Message) -> str:
    """Look again just before "your order is ready" is sent."""
    waiting = Order.objects.filter(pk=message.subject_id, stage=Order.Stage.NOTIFIED).exists()
    return "" if waiting else "the order is no longer waiting to be collected"


def _move(order: Order, to: str, actor: Account | None, note: str) -> None:
    before = order.stage
    if not stages.is_allowed(before, to):
        labels = dict(Order.Stage.choices)
        raise StepNotAllowed(f"An order that is {labels[before]} cannot become {labels.get(to, to)}.")
    if to == Order.Stage.AT_LAB and order.prescription and not order.prescription.is_valid:
        raise PrescriptionExpired(f"The prescription ran out on {order.prescription.expires_on:%B %-d, %Y}.")
    if not Order.objects.filter(pk=order.pk, stage=before).update(stage=to):
        raise AlreadyMoved("Somebody else has just moved this order. Please look at it again.")
    order.stage = to
    _note(order, before, actor, note)


def _note(order: Order, before: str, actor: Account | None, note: str) -> None:
    StageChange.objects.create(
        order=order, from_stage=before, to_stage=order.stage, actor=actor, note=note, at=clock.now()
    )


def _tell(order: Order) -> None:
    messaging.queue(
        kind=READY,
        reason=f"order-ready:{order.pk}",
        patient=order.patient,
        context={"location": order.location.name},
        subject_id=str(order.pk),
    )
