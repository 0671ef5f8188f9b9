"""Who gets through a door that shows a patient's record."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from eyecare.errors import Refusal

Arguments = ParamSpec("Arguments")
View = Callable[Concatenate[HttpRequest, Arguments], HttpResponseBase]


class NoRecord(Refusal):
    """Somebody signed in whose log-in belongs to no patient: staff, or a patient not linked yet."""

    code = "no_record"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "Your log-in is not linked to a patient's record yet. Please call us and we will put that right."
        )


def patient_required(view: View[Arguments]) -> View[Arguments]:
    """Let a view run only with `request.patient`: others sign in first, or read why they cannot."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.patient:
            raise NoRecord
        return view(request, *args, **kwargs)

    return guarded


class HasPatient(BasePermission):
    """The same guard for the API: `request.patient` is there, or the answer says why not."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user.is_authenticated:
            return False
        if not request.patient:
            raise NoRecord
        return True
