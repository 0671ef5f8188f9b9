"""How a request of another program is read: who asks, for whom, once or again, and how often."""

from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.throttling import UserRateThrottle

from appointments.models import Appointment
from eyecare.errors import Invalid
from patients.models import Account

API = Appointment.Channel.API
KEY_LENGTH = 80

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description=f"At most {KEY_LENGTH} characters; the same key again gives the same appointment.",
)


class WritesThrottle(UserRateThrottle):
    """Lets nobody write to the diary faster than a person could: a loop gone wild meets it first."""

    scope = "diary-writes"
    rate = "60/min"

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.method in {"GET", "HEAD", "OPTIONS"} or super().allow_request(request, view)


class AlternativeSerializer(serializers.Serializer[Any]):
    """A free slot near the one that was refused."""

    key = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    provider = serializers.DictField()
    location = serializers.DictField()


class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457)."""

    type = serializers.CharField(help_text="`urn:eyecare:` and the code.")
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="For programs: slot_taken, too_soon, closed, too_late …")
    detail = serializers.CharField(help_text="A sentence that may be shown to the patient as it is.")
    alternatives = AlternativeSerializer(many=True, required=False, help_text="Nearest first.")

    def get_fields(self) -> dict[str, serializers.Field]:
        """Add the errors by field, whose name the framework keeps to itself."""
        errors = serializers.DictField(required=False, help_text="By field, where fields cannot be used.")
        return {**super().get_fields(), "errors": errors}


PROBLEM = OpenApiResponse(ProblemSerializer, "Why it is not possible.")


def refusals(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Return how a refusal is described, for each of these statuses."""
    return {(status, "application/problem+json"): PROBLEM for status in statuses}


def read(form: type[serializers.Serializer[Any]], given: Any, **context: Any) -> dict[str, Any]:
    asked = form(data=given, context=context)
    asked.is_valid(raise_exception=True)
    return cast(dict[str, Any], asked.validated_data)


def by(request: Request) -> dict[str, Any]:
    return {"channel": API, "actor": cast(Account, request.user)}


def key_of(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > KEY_LENGTH or "\x00" in key:
        raise Invalid(f"An Idempotency-Key has at most {KEY_LENGTH} characters.")
    return key
