"""The first page: for strangers, for patients, for staff."""

import pytest
from django.template.loader import render_to_string

from orders.models import Order
from practice.models import Notice
from tests import factories


def test_strangers_read_what_the_portal_does_and_how_to_call(client, main_street):
    page = client.get("/").content.decode()
    assert "Your eyes, looked" in page
    assert "(212) 555-0100" in page
    assert "Monday–Sunday closed" in page


def test_the_portal_opens_before_the_practice_is_set_up(client, db):
    assert client.get("/").status_code == 200


def test_a_patient_sees_what_is_next(client, monday, ana, exam, okafor, main_street):
    factories.AppointmentFactory(patient=ana, visit_type=exam, provider=okafor, location=main_street)
    factories.OrderFactory(patient=ana, location=main_street, stage=Order.Stage.AT_LAB)
    factories.LedgerEntryFactory(payer=ana, amount_cents=21_800)
    Notice.objects.create(title="Closed on Friday", body="The lab moves.", starts_at=monday)
    client.force_login(ana.account)
    page = client.get("/").content.decode()
    for words in (
        "Good morning, Ana",
        "Tue, Mar 3",
        "9:00 AM",
        "At the lab",
        "$218.00",
        "Closed on Friday",
    ):
        assert words in page


def test_the_first_page_asks_few_questions(client, monday, ana, exam, django_assert_max_num_queries):
    factories.OrderFactory.create_batch(3, patient=ana)
    client.force_login(ana.account)
    with django_assert_max_num_queries(14):
        client.get("/")


@pytest.mark.parametrize("path", ["/nowhere/", "/orders/00000000-0000-4000-8000-000000000000/"])
def test_what_is_not_there_is_a_kind_page(client, ana, path):
    client.force_login(ana.account)
    response = client.get(path)
    assert response.status_code == 404
    assert "We cannot see that page" in response.content.decode()


def test_no_page_carries_inline_style_or_script(client, ana, main_street):
    client.force_login(ana.account)
    for path in (
        "/",
        "/appointments/",
        "/orders/",
        "/dues/",
        "/people/profile/",
        "/account/password/change/",
    ):
        page = client.get(path).content.decode()
        assert " style=" not in page
        assert "<script>" not in page


@pytest.mark.parametrize("template", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"])
def test_the_page_about_an_error_needs_no_request_and_no_database(template):
    page = render_to_string(template)
    assert "<h1>" in page
    assert "/static/eyecare/portal.css" in page
