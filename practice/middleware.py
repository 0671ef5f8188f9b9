"""What every request needs of the practice: its wall clock, and a name for the record."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from practice import audit, services

Handler = Callable[[HttpRequest], HttpResponse]


class PracticeTime:
    """Shows and reads every time on the practice's wall clock."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(zoneinfo.ZoneInfo(services.time_zone())):
            return self.get_response(request)


class AuditContext:
    """Names the account and the network address behind every write of a request."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        account = str(request.user.pk or "") if hasattr(request, "user") else ""
        channel = "staff" if request.path.startswith("/admin/") else "web"
        with audit.acting(account=account, channel=channel, address=request.META.get("REMOTE_ADDR", "")):
            return self.get_response(request)
