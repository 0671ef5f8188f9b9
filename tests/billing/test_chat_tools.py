"""Asking by chat what is owed."""

from datetime import timedelta

import pytest

from billing import services as billing
from billing.chat_tools import balance
from chatbot.arguments import ToolContext
from chatbot.tools import registry
from eyecare import clock
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]


def _context(actor=None, channel="web") -> ToolContext:
    return ToolContext(channel, actor, "key", "", clock.now(), "patient")


def _charge(patient, cents, days=0, what="Eye exam"):
    day = clock.today() - timedelta(days=days)
    billing.charge(
        patient=patient, amount_cents=cents, description=what, source=f"{what}:{days}", service_on=day
    )


def test_what_is_owed_is_told_with_its_age_and_an_offer_to_pay(ana):
    _charge(ana, 10_000, days=40)
    _charge(ana, 2_500, what="Drops")
    reply = balance(ana, context=_context(ana.account))
    assert reply.text == (
        "You owe $125.00, $100.00 of it for more than 30 days. Would you like to pay it now?"
    )
    assert reply.start == "pay_balance"
    assert reply.cards[0].lines == (
        "Jan 21, 2026: Eye exam, $100.00",
        "Mar 2, 2026: Drops, $25.00",
    )
    assert not reply.effects


def test_a_text_message_says_how_much_and_never_what_for(ana):
    _charge(ana, 2_500, what="Dilation")
    reply = balance(ana, context=_context(channel="sms"))
    assert reply.text == "You owe $25.00. Would you like to pay it now?"
    assert not reply.cards


@pytest.mark.parametrize(
    ("paid", "text"),
    [
        (2_500, "You owe nothing. Everything is paid."),
        (3_000, "You owe nothing. You have a credit of $5.00."),
    ],
)
def test_who_owes_nothing_is_offered_no_payment(ana, paid, text):
    _charge(ana, 2_500)
    billing.post_payment(payer=ana, amount_cents=paid, source="desk:1")
    reply = balance(ana, context=_context(ana.account))
    assert (reply.text, reply.start) == (text, None)


def test_a_parent_with_a_childs_record_open_hears_the_familys_balance(ana):
    mia = factories.PatientFactory(first_name="Mia", guarantor=ana)
    _charge(mia, 9_000, what="Glasses")
    assert balance(mia, context=_context(ana.account)).text.startswith("You owe $90.00.")


def test_a_dependant_hears_who_to_ask_and_no_amount(ana):
    _charge(ana, 9_000)
    mia = factories.PatientFactory(first_name="Mia", guarantor=ana)
    with pytest.raises(billing.SomeoneElsePays, match="another person in the household") as refusal:
        balance(mia, context=_context(mia.account))
    assert "90" not in refusal.value.sentence


def test_by_text_the_date_of_birth_is_asked_before_money_is_spoken_of():
    assert registry.tools()["balance"].is_private
    assert registry.tools()["pay_balance"].is_private


def test_what_a_parent_owes_for_a_child_names_the_child(ana, django_assert_max_num_queries):
    child = factories.PatientFactory(first_name="Leo", guarantor=ana)
    _charge(child, 12_000, what="Children's eye exam")
    with django_assert_max_num_queries(8):
        reply = balance(ana, context=_context(ana.account))
    assert reply.cards[0].lines == ("Mar 2, 2026: Leo, Children's eye exam, $120.00",)
