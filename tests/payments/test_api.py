"""Opening a checkout from another program."""

import pytest

from billing import services as billing
from payments.models import Checkout

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "monday")]
ADDRESS = "/api/v1/payments/checkout/"


@pytest.fixture
def owing(client, ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    client.force_login(ana.account)
    return ana


def _post(client, body):
    return client.post(ADDRESS, body, content_type="application/json")


def test_a_checkout_is_opened_for_the_signed_in_payer(client, owing, ben):
    answer = _post(client, {"amount_cents": 2_000, "payer": str(ben.pk), "state": "paid"})
    assert answer.status_code == 201
    checkout = Checkout.objects.get()
    assert (checkout.payer, checkout.amount_cents, checkout.state) == (owing, 2_000, Checkout.State.OPEN)
    assert answer.json()["url"] == checkout.url


def test_without_an_amount_it_is_for_all_that_is_owed(client, owing):
    assert _post(client, {}).json()["amount_cents"] == 12_500


@pytest.mark.parametrize("amount", [-500, 0, 49, 12_501, "12.50", "x", 10**30, [1], True])
def test_an_amount_that_cannot_be_paid_is_a_problem_and_no_checkout(client, owing, amount):
    answer = _post(client, {"amount_cents": amount})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert not Checkout.objects.exists()


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "2000"])
def test_a_body_that_is_none_is_a_problem_and_no_error(client, owing, body):
    assert client.post(ADDRESS, body, content_type="application/json").status_code in {201, 400}


def test_who_is_not_signed_in_opens_nothing(client, practice):
    assert _post(client, {}).status_code in {401, 403}
    assert not Checkout.objects.exists()
