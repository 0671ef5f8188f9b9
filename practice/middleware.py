"""What every request needs of the practice: its wall clock, and a name for the record."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from practice import audit, services

Handler = Callable[[HttpRequest], HttpResponse]

CHANNELS = {"/admin/": "staff", "/api/": "api", "/webhooks/": "webhook"}
"""What the record calls a request, by where it goes; all others come from the portal."""


class PracticeTime:
    """Shows and reads every time on the practice's wall clock."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(zoneinfo.ZoneInfo(services.time_zone())):
            return self.get_response(request)


class AuditContext:
    """Names the account and the network address behind every write of a request.

    The account is asked for at the write: a request that writes nothing is spared the query, and one
    that signs in by a token or a form is known by then.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        address = request.META.get("REMOTE_ADDR", "")
        channel = next((name for path, name in CHANNELS.items() if request.path.startswith(path)), "web")

        def who() -> audit.Actor:
            return audit.Actor(str(request.user.pk or ""), channel, address)

        with audit.acting_as(who):
            return self.get_response(request)
