"""Who gets through a door that shows a patient's record."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_cache_control
from django_htmx.middleware import HtmxDetails
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from eyecare.errors import Refusal
from patients import services
from patients.models import Account, Patient

Arguments = ParamSpec("Arguments")


class PatientRequest(HttpRequest):
    """A request that got through the door: somebody is signed in and a patient's record is open."""

    user: Account
    patient: Patient
    htmx: HtmxDetails


View = Callable[Concatenate[HttpRequest, Arguments], HttpResponseBase]
PatientView = Callable[Concatenate[PatientRequest, Arguments], HttpResponseBase]


class NoRecord(Refusal):
    """Somebody signed in whose log-in belongs to no patient: staff, or a patient not linked yet."""

    code = "no_record"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "Your log-in is not linked to a patient's record yet. Please call us and we will put that right."
        )


def patient_required(view: PatientView[Arguments]) -> View[Arguments]:
    """Let a view run only with `request.patient`: others sign in first, or read why they cannot."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        response = view(_with_record(request), *args, **kwargs)
        # "back" shows the next user of this browser nothing
        patch_cache_control(response, no_store=True, private=True)
        return response

    return cast(View[Arguments], guarded)


def _with_record(request: HttpRequest) -> PatientRequest:
    """Return the request with a Patient on it, no lazy stand-in: services ask for its type."""
    patient = services.current_patient(request)
    if patient is None:
        raise NoRecord
    opened = cast(PatientRequest, request)
    opened.patient = patient
    return opened


def patient_of(request: Request) -> Patient:
    """Return whose record an API request has open, behind HasPatient."""
    return cast(PatientRequest, request).patient


class HasPatient(BasePermission):
    """The same guard for the API: `request.patient` is there, or the answer says why not."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user.is_authenticated:
            return False
        _with_record(request._request)
        return True
