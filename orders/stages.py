"""Which way a lens order may go, and what the patient is told of it."""

from dataclasses import dataclass
from datetime import date
from enum import Enum

from django.utils import timezone

from orders.models import Order

Stage = Order.Stage

ALLOWED: dict[str, frozenset[str]] = {
    Stage.ON_HOLD: frozenset({Stage.PRICED, Stage.VOIDED}),
    Stage.PRICED: frozenset({Stage.AT_LAB, Stage.ON_HOLD, Stage.VOIDED}),
    Stage.AT_LAB: frozenset({Stage.RECEIVED, Stage.REMADE}),
    Stage.RECEIVED: frozenset({Stage.VERIFIED, Stage.REMADE}),
    Stage.VERIFIED: frozenset({Stage.NOTIFIED, Stage.COLLECTED, Stage.REMADE}),
    Stage.NOTIFIED: frozenset({Stage.COLLECTED, Stage.REMADE, Stage.RETURNED}),
    Stage.COLLECTED: frozenset({Stage.REMADE, Stage.RETURNED}),
    Stage.REMADE: frozenset(),
    Stage.RETURNED: frozenset(),
    Stage.VOIDED: frozenset(),
}
"""From each stage to which others. At the lab an order costs money, so it is remade, not voided."""

LABELS: dict[str, str] = {
    Stage.ON_HOLD: "Ordered",
    Stage.PRICED: "Ordered",
    Stage.AT_LAB: "At the lab",
    Stage.RECEIVED: "Being checked",
    Stage.VERIFIED: "Ready to collect",
    Stage.NOTIFIED: "Ready to collect",
    Stage.COLLECTED: "Collected",
    Stage.REMADE: "Being remade",
    Stage.RETURNED: "Returned",
    Stage.VOIDED: "Cancelled",
}
"""The patient's words for each stage."""

PATH = ("Ordered", "At the lab", "Being checked", "Ready to collect", "Collected")
"""The steps that every order takes when all goes well."""


class Place(Enum):
    """Where a step lies, seen from where the order is now."""

    DONE = "done"
    CURRENT = "current"
    AHEAD = "ahead"


@dataclass(frozen=True)
class Step:
    """One step of an order as the portal shows it; `on` is the day on which it was first reached."""

    label: str
    place: Place
    on: date | None


def is_allowed(from_stage: str, to_stage: str) -> bool:
    return to_stage in ALLOWED[from_stage]


def patient_label(order: Order) -> str:
    """Return the stage in the patient's words."""
    return LABELS[order.stage]


def progress(order: Order) -> list[Step]:
    """Return the steps of an order; one that left the usual path ends with what became of it.

    Reads `order.changes`: prefetch it for a list.
    """
    reached = _reached(order)
    label = patient_label(order)
    path = PATH if label in PATH else (*(step for step in PATH if step in reached), label)
    here = path.index(label)
    return [Step(step, _place(number, here), reached.get(step)) for number, step in enumerate(path)]


def _place(number: int, here: int) -> Place:
    if number == here:
        return Place.CURRENT
    return Place.DONE if number < here else Place.AHEAD


def _reached(order: Order) -> dict[str, date]:
    days = {LABELS[Stage.ON_HOLD]: timezone.localdate(order.ordered_at)}
    for change in order.changes.all():
        days.setdefault(LABELS[change.to_stage], timezone.localdate(change.at))
    return days
