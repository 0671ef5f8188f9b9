"""Errors of the API as problem details (RFC 9457): a type, a title, a sentence, alternatives."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from eyecare.errors import Refusal


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return a problem document for a refusal or for an error of the framework; None lets it raise."""
    if isinstance(error, Refusal):
        return _problem(error.status, error.code, error.sentence, alternatives=_listed(error))
    if isinstance(error, Http404):
        return _problem(404, "not_found", "There is nothing here.")
    if isinstance(error, exceptions.ValidationError):
        return _problem(400, "invalid", "Some fields cannot be used.", errors=error.detail)
    response = exception_handler(error, context)
    if response is None:
        return None
    code = "forbidden" if isinstance(error, PermissionDenied) else getattr(error, "default_code", "error")
    problem = _problem(response.status_code, code, str(getattr(error, "detail", "This is not allowed.")))
    for name, value in response.items():
        if name != "Content-Type":
            problem[name] = value
    return problem


def _problem(status: int, code: str, sentence: str, **more: Any) -> Response:
    body = {"type": f"urn:eyecare:{code}", "status": status, "code": code, "detail": sentence} | more
    return Response(body, status=status, content_type="application/problem+json")


def _listed(error: Refusal) -> list[Any]:
    return [choice.as_json() if hasattr(choice, "as_json") else str(choice) for choice in error.alternatives]
