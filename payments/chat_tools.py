"""How the assistant lets a patient pay."""

from billing import services as billing
from billing.money import dollars
from chatbot.tools import Card, Effect, Reply, ToolContext, tool
from patients.models import Patient
from payments import services


@tool(
    private=True,
    label="Pay what I owe",
    examples=("I want to pay my bill", "pay my balance", "can I pay by card"),
)
def pay_balance(patient: Patient, *, context: ToolContext) -> Reply:
    """Open a page where the patient pays all they owe by card."""
    payer = billing.payer_for(patient, context.actor)
    checkout = services.open_checkout(payer=payer, opened_by=context.actor)
    amount = dollars(checkout.amount_cents)
    effect = Effect("checkout.opened", "checkout", str(checkout.pk))
    if context.channel == "sms":
        return Reply.done(f"Pay {amount} on this secure page: {checkout.url}", effect=effect)
    page = Card(f"Pay {amount}", ("By card, on a secure page.",), url=checkout.url, link=f"Pay {amount} now")
    return Reply.done(f"Here is your secure page to pay {amount}.", effect=effect, cards=[page])
