"""What every page knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from practice.models import Practice


def portal(request: HttpRequest) -> dict[str, Any]:
    return {
        "practice": SimpleLazyObject(lambda: Practice.objects.first()),
        "patient": getattr(request, "patient", None),
        "demo": settings.DEMO,
    }
