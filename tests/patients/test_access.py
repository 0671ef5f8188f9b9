"""The door to a patient's record, at one of the pages behind it."""

from patients import services
from patients.models import Account, Patient
from tests.factories import AccountFactory, PatientFactory

PAGE = "/orders/"


def test_a_stranger_is_asked_to_sign_in_and_comes_back_to_the_page(client, practice):
    response = client.get(PAGE)
    assert (response.status_code, response.url) == (302, f"/account/login/?next={PAGE}")


def test_a_log_in_without_a_record_is_told_why(client, practice):
    client.force_login(AccountFactory())
    response = client.get(PAGE)
    assert response.status_code == 403
    assert "not linked to a patient" in response.content.decode()


def test_an_account_that_is_switched_off_is_out_at_once(client, ana):
    client.force_login(ana.account)
    assert client.get(PAGE).status_code == 200
    Account.objects.filter(pk=ana.account.pk).update(is_active=False)
    assert client.get(PAGE).status_code == 302


def test_a_record_that_is_closed_is_shut_at_once(client, ana):
    client.force_login(ana.account)
    Patient.objects.filter(pk=ana.pk).update(is_active=False)
    assert client.get(PAGE).status_code == 403


def test_a_parent_opens_the_childs_record_and_nobody_else_does(client, ana, ben):
    child = PatientFactory(first_name="Mia", account=None)
    services.grant_proxy(patient=child, proxy=ana, relation="parent")
    for account, status in [(ana.account, 302), (ben.account, 404)]:
        client.force_login(account)
        assert client.post("/people/open/", {"patient": str(child.pk)}).status_code == status
