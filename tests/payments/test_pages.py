"""Paying in a browser, on the demo's checkout page."""

import pytest

from billing import services as billing
from payments.models import Checkout
from tests import factories


@pytest.fixture
def signed_in(client, ana):
    factories.LedgerEntryFactory(payer=ana, amount_cents=21_800)
    client.force_login(ana.account)
    return client


def test_a_payment_on_the_demo_checkout_lowers_the_balance(signed_in, ana):
    checkout_page = signed_in.post("/dues/pay/", {"amount": "218.00"}).url
    assert "No card is asked for" in signed_in.get(checkout_page).content.decode()
    response = signed_in.post(checkout_page, {"answer": "pay"}, follow=True)
    assert "$218.00 has arrived." in response.content.decode()
    assert billing.balance_cents(ana) == 0


def test_pressing_pay_twice_pays_once(signed_in, ana):
    checkout_page = signed_in.post("/dues/pay/", {"amount": "100"}).url
    for _ in range(2):
        signed_in.post(checkout_page, {"answer": "pay"})
    assert billing.balance_cents(ana) == 11_800


def test_leaving_the_checkout_pays_nothing(signed_in, ana):
    checkout_page = signed_in.post("/dues/pay/", {"amount": "218"}).url
    response = signed_in.post(checkout_page, {"answer": "leave"}, follow=True)
    assert "Nothing was paid" in response.content.decode()
    assert billing.balance_cents(ana) == 21_800


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("", "This field is required."),
        ("lots", "Please write an amount in dollars"),
        ("-5", "Please write an amount in dollars"),
        ("0.10", "The smallest card payment is $0.50."),
        ("9999", "That is more than you owe. Your balance is $218.00."),
    ],
)
def test_an_amount_that_cannot_be_paid_is_explained_beside_its_field(signed_in, amount, sentence):
    response = signed_in.post("/dues/pay/", {"amount": amount})
    assert response.status_code >= 400
    assert response.content.decode().count(sentence) == 2
    assert not Checkout.objects.exists()


def test_there_is_no_demo_checkout_beside_a_real_card_service(signed_in, ana, settings):
    checkout_page = signed_in.post("/dues/pay/", {"amount": "218"}).url
    settings.PAYMENTS_BACKEND = "payments.backends.stripe.StripeBackend"
    assert signed_in.post(checkout_page, {"answer": "pay"}).status_code == 404
    assert billing.balance_cents(ana) == 21_800
