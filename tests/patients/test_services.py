from datetime import date, timedelta

import pytest
from django.test import RequestFactory

from eyecare.errors import Invalid, NotFound
from patients import services
from patients.models import Consent, Patient
from practice import services as practice_services
from tests.factories import PatientFactory


@pytest.fixture
def mia(ana: Patient) -> Patient:
    """Ana's daughter, on Ana's phone through a proxy row, without a log-in of her own."""
    child = PatientFactory(first_name="Mia", account=None, phone="", guarantor=ana)
    services.grant_proxy(patient=child, proxy=ana, relation="parent")
    return child


def signed_in(account: object) -> object:
    request = RequestFactory().get("/")
    request.user, request.session = account, {}
    return request


def test_new_patients_get_consecutive_numbers_of_the_practice(practice):
    numbers = [
        services.register(first_name="Joe", last_name="Doe", date_of_birth=date(1990, 1, 1)).number
        for _ in range(2)
    ]
    assert numbers == ["P100001", "P100002"]


def test_nobody_is_registered_with_a_birth_in_the_future(practice, monday):
    with pytest.raises(Invalid):
        services.register(first_name="Joe", last_name="Doe", date_of_birth=monday.date() + timedelta(days=1))
    assert not Patient.objects.exists()


def test_the_own_record_comes_first_and_those_cared_for_follow(ana, mia, ben):
    assert services.patients_of(ana.account) == [ana, mia]
    assert services.patients_of(ben.account) == [ben]


def test_finding_whom_an_account_may_act_for_takes_one_query(ana, mia, django_assert_num_queries):
    practice_services.time_zone()  # from the cache from here on
    with django_assert_num_queries(1):
        assert [person.payer for person in services.patients_of(ana.account)] == [ana, ana]


def test_a_right_that_has_ended_opens_nothing(ana, mia, monday):
    services.end_proxy(proxy=mia.proxies.get())
    assert services.patients_of(ana.account) == [ana]
    assert services.with_phone(ana.phone) == [ana]


def test_an_inactive_record_opens_for_nobody(ana, mia):
    Patient.objects.filter(pk=ana.pk).update(is_active=False)
    assert services.patients_of(ana.account) == []


def test_a_session_opens_the_record_of_somebody_cared_for(ana, mia):
    request = signed_in(ana.account)
    services.open_record(request, mia.pk)
    assert services.current_patient(request) == mia


def test_another_patients_record_looks_missing_and_the_session_keeps_its_own(ana, ben):
    request = signed_in(ana.account)
    with pytest.raises(NotFound):
        services.open_record(request, ben.pk)
    assert services.current_patient(request) == ana


def test_a_record_that_is_open_closes_as_soon_as_the_right_ends(ana, mia):
    request = signed_in(ana.account)
    services.open_record(request, mia.pk)
    mia.proxies.all().delete()
    assert services.current_patient(request) == ana


def test_a_household_phone_speaks_for_its_owner_and_for_the_wards(ana, mia, ben):
    assert services.with_phone(str(ana.phone)) == [ana, mia]


def test_a_child_with_the_parents_number_is_listed_once(ana, mia):
    Patient.objects.filter(pk=mia.pk).update(phone=ana.phone)
    assert sorted(person.first_name for person in services.with_phone(str(ana.phone))) == ["Ana", "Mia"]


def test_the_newest_answer_counts_and_none_means_no(ana):
    kind = Consent.Kind.CARE_TEXTS
    assert not services.consents(ana, kind)
    services.record_consent(patient=ana, kind=kind, granted=True, source="intake form")
    assert services.consents(ana, kind)
    services.record_consent(patient=ana, kind=kind, granted=False, source="portal")
    assert not services.consents(ana, kind)
    assert not services.consents(ana, Consent.Kind.BILLING_TEXTS)
    assert ana.consents.count() == 2


def test_contact_changes_touch_nothing_else(ana):
    services.change_contact(patient=ana, phone="+12125550777", email="new@example.com")
    ana.refresh_from_db()
    assert (str(ana.phone), ana.email) == ("+12125550777", "new@example.com")
    with pytest.raises(TypeError):
        services.change_contact(patient=ana, number="P1")
