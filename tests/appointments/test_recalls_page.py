"""The link in a recall: it names nothing, asks for the log-in, and ends where the visit is booked."""

from datetime import date

import pytest
from django.urls import reverse

from appointments import recalls
from appointments.models import RecallRule
from patients import services as patients
from tests import factories

pytestmark = pytest.mark.usefixtures("monday")


@pytest.fixture
def rule(exam):
    return RecallRule.objects.create(name="Yearly", slug="yearly", books=exam, months=12)


@pytest.fixture
def link(rule, ana):
    recall = recalls.put_on(patient=ana, rule=rule, last_seen_on=date(2025, 3, 2))
    return reverse("appointments:recall", args=[recall.pk])


def test_the_link_leads_over_the_log_in_to_the_times(client, ana, link):
    assert client.get(link).url == f"/account/login/?next={link}"
    client.force_login(ana.account)
    response = client.get(link)
    assert (response.status_code, response.url) == (302, "/appointments/book/exam/")
    assert client.get(link, follow=True).status_code == 200


def test_anothers_link_looks_like_one_that_never_was(client, ben, link):
    client.force_login(ben.account)
    assert client.get(link).status_code == client.get("/appointments/again/999999/").status_code == 404
    assert client.get("/appointments/again/99999999999999999999/").status_code == 404


def test_a_parents_link_for_the_child_opens_the_childs_record(client, ana, rule):
    mia = factories.PatientFactory(first_name="Mia", account=None)
    patients.grant_proxy(patient=mia, proxy=ana, relation="parent")
    recall = recalls.put_on(patient=mia, rule=rule)
    client.force_login(ana.account)
    page = client.get(reverse("appointments:recall", args=[recall.pk]), follow=True)
    assert "You are looking at the record of Mia now." in page.content.decode()
    assert client.session["patient"] == str(mia.pk)


def test_a_parent_whose_right_has_ended_finds_nothing(client, ana, rule):
    mia = factories.PatientFactory(first_name="Mia", account=None)
    patients.grant_proxy(patient=mia, proxy=ana, relation="parent", ends_on=date(2026, 3, 2))
    recall = recalls.put_on(patient=mia, rule=rule)
    client.force_login(ana.account)
    assert client.get(reverse("appointments:recall", args=[recall.pk])).status_code == 404
