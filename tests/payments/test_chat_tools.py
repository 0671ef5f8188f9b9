"""Paying by chat: a page is opened, nothing is paid by it."""

import pytest

from billing import services as billing
from chatbot.arguments import ToolContext
from eyecare import clock
from payments import services as payments
from payments.chat_tools import pay_balance
from payments.models import Checkout
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]


def _context(actor=None, channel="web") -> ToolContext:
    return ToolContext(channel, actor, "key", "", clock.now(), "patient")


def test_paying_by_chat_opens_the_page_for_all_that_is_owed(ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    reply = pay_balance(ana, context=_context(ana.account))
    checkout = Checkout.objects.get()
    assert reply.text == "Here is your secure page to pay $125.00."
    assert (reply.cards[0].url, reply.cards[0].link) == (checkout.url, "Pay $125.00 now")
    (effect,) = reply.effects
    assert (effect.action, effect.object, effect.id) == ("checkout.opened", "checkout", str(checkout.pk))
    assert billing.balance_cents(ana) == 12_500


def test_by_text_the_link_stands_in_the_message(ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    reply = pay_balance(ana, context=_context(channel="sms"))
    assert reply.text == f"Pay $125.00 on this secure page: {Checkout.objects.get().url}"
    assert not reply.cards


def test_who_owes_nothing_is_told_so_and_gets_no_page(ana):
    with pytest.raises(payments.NothingOwed, match="You owe nothing"):
        pay_balance(ana, context=_context(ana.account))
    assert not Checkout.objects.exists()


def test_somebody_elses_bills_are_not_paid_by_a_dependant(ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    mia = factories.PatientFactory(first_name="Mia", guarantor=ana)
    with pytest.raises(billing.SomeoneElsePays):
        pay_balance(mia, context=_context(mia.account))
    assert not Checkout.objects.exists()
