"""Everything that is written about people, and who may act for whom."""

from datetime import date
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from eyecare import clock
from eyecare.errors import Invalid, NotFound
from patients.models import Account, Consent, Patient, Proxy
from practice import services as practice_services

SESSION_KEY = "patient"


def patients_of(account: Account) -> list[Patient]:
    """Return whom this account may act for, the account's own patient first."""
    found = list(Patient.objects.open_to(account).select_related("guarantor"))
    return sorted(found, key=lambda patient: (patient.account_id != account.pk, patient.first_name))


def current_patient(request: HttpRequest) -> Patient | None:
    """Return the patient whose record this session has open; rights are checked every time."""
    if not isinstance(request.user, Account):
        return None
    allowed = patients_of(request.user)
    chosen = request.session.get(SESSION_KEY)
    return next(
        (patient for patient in allowed if str(patient.pk) == chosen), allowed[0] if allowed else None
    )


def get_for(account: Account, patient_id: object) -> Patient:
    """Return a patient whom this account may act for; NotFound for anybody else."""
    for patient in patients_of(account):
        if str(patient.pk) == str(patient_id):
            return patient
    raise NotFound("We could not find that person.")


def open_record(request: HttpRequest, patient_id: object) -> Patient:
    """Let this session act for another of the account's people from now on; NotFound for anybody else."""
    if not isinstance(request.user, Account):
        raise NotFound("We could not find that person.")
    patient = get_for(request.user, patient_id)
    request.session[SESSION_KEY] = str(patient.pk)
    return patient


@transaction.atomic
def register(*, first_name: str, last_name: str, date_of_birth: date, **fields: Any) -> Patient:
    """Take a new patient in under the practice's next number; `fields` are further columns of Patient."""
    if date_of_birth > clock.today():
        raise Invalid("A date of birth cannot lie in the future.")
    return Patient.objects.create(
        number=practice_services.draw_number("P"),
        first_name=first_name,
        last_name=last_name,
        date_of_birth=date_of_birth,
        **fields,
    )


def change_contact(*, patient: Patient, **contact: str) -> Patient:
    """Change how the practice reaches a patient: any of phone, email, address, language."""
    unknown = contact.keys() - {"phone", "email", "address", "language"}
    if unknown:
        raise TypeError(f"Not a way to reach a patient: {', '.join(sorted(unknown))}")
    for field, value in contact.items():
        setattr(patient, field, value)
    patient.save(update_fields=list(contact))
    return patient


def with_phone(phone: str) -> list[Patient]:
    """Return whom the holder of this phone may speak for: those whose phone it is, then their wards."""
    own = list(Patient.objects.with_phone(phone).select_related("guarantor"))
    known = [patient.pk for patient in own]
    wards = Patient.objects.active().wards_of(own).exclude(pk__in=known).select_related("guarantor")
    return [*own, *wards]


def birth_matches(patient: Patient, birth: date) -> bool:
    """Say whether this is the patient's date of birth."""
    return patient.date_of_birth == birth


def consents(patient: Patient, kind: str) -> bool:
    """Say whether the patient agreed: the newest answer counts, and none means no."""
    newest = Consent.objects.filter(patient=patient, kind=kind).first()
    return newest is not None and newest.granted


def record_consent(*, patient: Patient, kind: str, granted: bool, source: str) -> Consent:
    """Keep an answer that the patient gave; earlier answers stay on record."""
    return Consent.objects.create(patient=patient, kind=kind, granted=granted, source=source)


def grant_proxy(*, patient: Patient, proxy: Patient, relation: str, ends_on: date | None = None) -> Proxy:
    """Let `proxy` act for `patient`, until a day if one is given; granting again changes the terms."""
    if patient == proxy:
        raise Invalid("Nobody needs a right to act for themselves.")
    terms = {"relation": relation, "ends_on": ends_on}
    return Proxy.objects.update_or_create(patient=patient, proxy=proxy, defaults=terms)[0]


def end_proxy(*, proxy: Proxy) -> Proxy:
    """End a right to act for somebody, from today on."""
    proxy.ends_on = clock.today()
    proxy.save(update_fields=["ends_on"])
    return proxy
