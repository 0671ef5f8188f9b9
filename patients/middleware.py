"""Whose record is open: always from the session, never from the request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from patients import services

Handler = Callable[[HttpRequest], HttpResponse]


class CurrentPatient:
    """Puts `request.patient` on every request: the patient whom the account acts for now, or None."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.patient = SimpleLazyObject(lambda: services.current_patient(request))  # type: ignore[attr-defined]
        return self.get_response(request)
