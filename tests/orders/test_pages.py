"""A patient's lens orders in a browser."""

import pytest

from orders import services
from tests import factories


@pytest.fixture
def signed_in(client, ana):
    client.force_login(ana.account)
    return client


def test_an_order_shows_where_it_is_in_words_and_with_days(signed_in, ana, main_street, monday):
    order = factories.OrderFactory(patient=ana, location=main_street, stage="priced", ordered_at=monday)
    services.advance(order=order, to="at_lab")
    page = signed_in.get(f"/orders/{order.pk}/").content.decode()
    assert "At the lab</b> " in page
    assert page.count("still to come") == 3
    assert "Monday, March 2" in page


@pytest.mark.parametrize("rows", [1, 10])
def test_the_list_asks_the_same_few_questions_however_many_orders(
    signed_in, ana, main_street, rows, django_assert_max_num_queries
):
    factories.OrderFactory.create_batch(rows, patient=ana, location=main_street)
    with django_assert_max_num_queries(10):
        page = signed_in.get("/orders/").content.decode()
    assert page.count('class="row"') == rows


def test_a_remade_order_leads_to_the_one_that_carries_on(signed_in, ana, main_street):
    order = factories.OrderFactory(patient=ana, location=main_street, stage="received")
    successor = services.remake(order=order)
    assert f"/orders/{successor.pk}/" in signed_in.get(f"/orders/{order.pk}/").content.decode()
