"""What the assistant can say about glasses and contact lenses on their way."""

import re
from typing import Annotated

from django.urls import reverse

from chatbot.tools import (
    Argument,
    Card,
    Misunderstood,
    Options,
    Question,
    Reply,
    Situation,
    ToolContext,
    tool,
)
from orders import services, stages
from orders.models import Order
from patients.models import Patient

SHOWN = 3

_SAYS_NO_MORE = re.compile(
    r"\W*(?:(?:my|our|the|an?|mi|status|of|on|new|it|they|them)\b ?)*(?:orders?|pedido)?\W*"
)
"""Words that name no order in particular."""

_KINDS = {
    Order.Kind.SUNGLASSES: re.compile(r"\bsun ?glass|\bshades\b|\bgafas de sol"),
    Order.Kind.CONTACTS: re.compile(r"\bcontact|\blentes de contacto|\blentillas"),
    Order.Kind.GLASSES: re.compile(
        r"\b(eye)?glasses|\bspecs|\bspectacles|\bframes?\b|\bgafas|\banteojos|\blentes\b"
    ),
}
"""Patients' words for each kind; the first that fits counts, so that sunglasses are no glasses."""


class OrderArgument(Argument[Order | None]):
    """One of the patient's lens orders, by its number or by what it is; None is all of them."""

    name = "order"
    description = "the words that say which order: glasses, contacts, its number"

    def ask(self, situation: Situation) -> Question:
        return Question(
            "Which order do you mean?", [self.choice(order) for order in _orders(situation.patient)]
        )

    def read(self, text: str, situation: Situation) -> Order | Options | None:
        orders = _orders(situation.patient)
        if not orders or _SAYS_NO_MORE.fullmatch(text.casefold()):
            return None
        meant = _meant(text, orders)
        if len(meant) == 1:
            return meant[0]
        return Options("Which order do you mean?", [self.choice(order) for order in meant or orders])

    def default(self, situation: Situation) -> Order | None:
        orders = _orders(situation.patient)
        return orders[0] if len(orders) == 1 else None

    def dump(self, value: Order | None) -> str:
        return str(value.pk) if value else ""

    def load(self, key: str, situation: Situation) -> Order | None:
        if not key:
            return None
        if situation.patient is None:
            raise Misunderstood("Please sign in to see your orders.")
        return services.get_for(situation.patient, key)

    def label(self, value: Order | None) -> str:
        if value is None:
            return "All orders"
        return f"{value.get_kind_display().capitalize()}, order {value.number}"


@tool(
    private=True,
    label="Where is my order?",
    examples=("are my glasses ready?", "where are my contacts", "status of my order"),
)
def order_status(
    patient: Patient, order: Annotated[Order, OrderArgument] | None = None, *, context: ToolContext
) -> Reply:
    """Tell where the patient's glasses or contact lenses are and when they will be ready."""
    orders = [order] if order else _orders(patient)
    if not orders:
        return Reply.say("You have no order with us at the moment.")
    text = "\n".join(_sentence(each, context.channel) for each in orders)
    return Reply.say(text, cards=[_card(each) for each in orders] if context.channel == "web" else [])


def _orders(patient: Patient | None) -> list[Order]:
    """Return what a patient may mean: the open orders, else the one that was closed last."""
    if patient is None:
        return []
    mine = Order.objects.for_patient(patient).with_details()
    return list(mine.open()[:SHOWN]) or list(mine[:1])


def _meant(text: str, orders: list[Order]) -> list[Order]:
    numbered = [order for order in orders if order.number.casefold() in text.casefold()]
    kind = next((kind for kind, words in _KINDS.items() if words.search(text.casefold())), None)
    return numbered or [order for order in orders if order.kind == kind]


def _sentence(order: Order, channel: str) -> str:
    # a text message may be read by others: it says "order", never what was ordered
    is_plural = channel == "web"
    what = order.get_kind_display() if is_plural else f"order {order.number}"
    standing = _STANDING[stages.patient_label(order)][is_plural]
    return f"Your {what} {standing.format(order=order, due=_due(order))}"


_STANDING = {
    "Ordered": ("is ordered{due}.", "are ordered{due}."),
    "At the lab": ("is at the lab{due}.", "are at the lab{due}."),
    "Being checked": (
        "has arrived and is being checked.",
        "have arrived and are being checked.",
    ),
    "Ready to collect": (
        "is ready to collect at {order.location}.",
        "are ready to collect at {order.location}.",
    ),
    "Collected": ("was collected.", "were collected."),
    "Being remade": ("is being made again.", "are being made again."),
    "Returned": ("was returned.", "were returned."),
    "Cancelled": ("was cancelled.", "were cancelled."),
}
"""What is said of one thing and of a pair, for every label of `orders.stages`."""


def _due(order: Order) -> str:
    if order.promised_on is None:
        return ""
    day = f"{order.promised_on:%A, %B %-d}"
    return f" and late: expected by {day}" if order.is_late else f", expected by {day}"


def _card(order: Order) -> Card:
    lines = (order.description, stages.patient_label(order), f"Pick up at {order.location}")
    return Card(
        f"Order {order.number}",
        lines,
        url=reverse("orders:detail", args=[order.pk]),
        link="Follow this order",
    )
