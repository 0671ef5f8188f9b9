"""Whose record is open, and what that person agreed to, in a browser."""

import pytest

from patients import services
from patients.models import Consent
from tests import factories


@pytest.fixture
def leo(ana):
    child = factories.PatientFactory(first_name="Leo", account=None)
    services.grant_proxy(patient=child, proxy=ana, relation="parent")
    return child


@pytest.fixture
def signed_in(client, ana):
    client.force_login(ana.account)
    return client


def test_a_parent_opens_a_childs_record(signed_in, leo):
    page = signed_in.post("/people/open/", {"patient": str(leo.pk)}, follow=True).content.decode()
    assert "You now see the record of Leo Silva." in page
    assert "Leo’s eyes</h1>" in page


def test_somebody_elses_record_does_not_open(signed_in, ben):
    assert signed_in.post("/people/open/", {"patient": str(ben.pk)}).status_code == 404
    assert ", Ana</h1>" in signed_in.get("/").content.decode()


@pytest.mark.parametrize("named", ["", "nonsense"])
def test_a_person_who_cannot_be_read_is_not_found(signed_in, named):
    assert signed_in.post("/people/open/", {"patient": named}).status_code == 404


def test_an_answer_about_texts_is_kept_once(signed_in, ana):
    for _ in range(2):
        signed_in.post("/people/profile/", {"care_texts": "on"})
    assert [(row.kind, row.granted, row.source) for row in Consent.objects.all()] == [
        ("care_texts", True, "portal")
    ]


def test_an_empty_box_takes_the_consent_back(signed_in, ana):
    services.record_consent(patient=ana, kind="care_texts", granted=True, source="intake form")
    signed_in.post("/people/profile/", {})
    assert not services.consents(ana, "care_texts")


def test_staff_without_a_record_read_why(client, dana):
    client.force_login(dana)
    response = client.get("/appointments/")
    assert response.status_code == 403
    assert "not linked to a patient’s record" in response.content.decode().replace("&#x27;", "’")
