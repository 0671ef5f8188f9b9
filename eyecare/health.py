"""Whether the house stands: for monitoring, without a word about anybody."""

from collections.abc import Callable

import httpx
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from kombu.exceptions import OperationalError

from eyecare.celery import app

TIMEOUT_SECONDS = 1.0


Handler = Callable[[HttpRequest], HttpResponse]


class Health:
    """Answers `/health/` before any other middleware asks the database for anything."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return report() if request.path == "/health/" else self.get_response(request)


def report() -> JsonResponse:
    """Answer 200 as long as the database answers; what the portal can live without is only named."""
    parts = {
        "database": _database(),
        "queue": _queue(),
        "model": _answers(settings.LLM_BASE_URL.removesuffix("/v1") + "/health"),
        "vectors": _answers(settings.CHROMA_URL + "/api/v2/heartbeat"),
    }
    stands = parts["database"] == "ok"
    whole = all(state == "ok" for state in parts.values())
    status = "ok" if whole else "degraded" if stands else "down"
    answer = JsonResponse({"status": status} | parts, status=200 if stands else 503)
    answer["Cache-Control"] = "no-store"
    return answer


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "down"
    return "ok"


def _queue() -> str:
    try:
        with app.connection_for_write(connect_timeout=TIMEOUT_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, timeout=TIMEOUT_SECONDS)
    except (OSError, OperationalError):
        return "down"
    return "ok"


def _answers(url: str) -> str:
    try:
        return "ok" if httpx.get(url, timeout=TIMEOUT_SECONDS).is_success else "down"
    except httpx.HTTPError:
        return "down"
