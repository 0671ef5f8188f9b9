"""What the assistant can say about money."""

from typing import cast

from billing import services
from billing.aging import Unpaid
from billing.models import LedgerEntry
from billing.money import dollars
from chatbot.tools import Card, Reply, ToolContext, tool
from patients.models import Patient

SHOWN = 6


@tool(
    private=True,
    label="See what I owe",
    examples=("what do I owe?", "how much is my bill", "do I still have a balance"),
)
def balance(patient: Patient, *, context: ToolContext) -> Reply:
    """Tell how much the patient owes, since when and what for."""
    payer = services.payer_for(patient, context.actor)
    owed = services.balance_cents(payer)
    if owed <= 0:
        return Reply.say(_nothing_owed(owed))
    # a text message may be read by others: it says how much, never what for
    cards = [_card(services.unpaid_charges(payer))] if context.channel == "web" else []
    overdue = services.aging_of(payer).overdue_cents
    since = f", {dollars(overdue)} of it for more than 30 days" if overdue else ""
    return Reply.say(
        f"You owe {dollars(owed)}{since}. Would you like to pay it now?", cards=cards, start="pay_balance"
    )


def _nothing_owed(cents: int) -> str:
    if cents < 0:
        return f"You owe nothing. You have a credit of {dollars(-cents)}."
    return "You owe nothing. Everything is paid."


def _line(charge: Unpaid) -> str:
    entry = cast(LedgerEntry, charge.entry)
    whose = f"{entry.patient.first_name}, " if entry.patient and entry.patient != entry.payer else ""
    return f"{entry.service_on:%b %-d, %Y}: {whose}{entry.description}, {dollars(charge.cents)}"


def _card(charges: list[Unpaid]) -> Card:
    lines = [_line(charge) for charge in charges[-SHOWN:]]
    if earlier := len(charges) - len(lines):
        lines.insert(0, f"and {earlier} earlier")
    return Card("What it is for", tuple(lines), url="/dues/", link="See all dues")
