"""Everything that is written about people, and who may act for whom."""

from django.http import HttpRequest

from eyecare.errors import NotFound
from patients.models import Account, Patient

SESSION_KEY = "patient"


def patients_of(account: Account) -> list[Patient]:
    """Return whom this account may act for, the account's own patient first."""
    found = list(Patient.objects.open_to(account).select_related("guarantor"))
    return sorted(found, key=lambda patient: (patient.account_id != account.pk, patient.first_name))


def current_patient(request: HttpRequest) -> Patient | None:
    """Return the patient whose record this session has open; rights are checked every time."""
    if not request.user.is_authenticated:
        return None
    allowed = patients_of(request.user)
    chosen = request.session.get(SESSION_KEY)
    return next((patient for patient in allowed if str(patient.pk) == chosen), allowed[0] if allowed else None)


def get_for(account: Account, patient_id: object) -> Patient:
    """Return a patient whom this account may act for; NotFound for anybody else."""
    for patient in patients_of(account):
        if str(patient.pk) == str(patient_id):
            return patient
    raise NotFound("We could not find that person.")
