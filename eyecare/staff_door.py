"""The door to the admin: one log-in page for everybody, a second factor for staff."""

from collections.abc import Callable

from allauth.mfa.utils import is_mfa_enabled
from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

Handler = Callable[[HttpRequest], HttpResponse]

ADMIN_POLICY = {
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}
"""Unfold's widgets are written with Alpine, which evaluates expressions in the page."""


class StaffDoor:
    """Sends staff without a second factor to set one up before any page of the admin.

    Everybody signs in on allauth's page, which asks for the factor once there is one, so no other
    log-in can be used to get around it.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/admin/"):
            return self.get_response(request)
        user = request.user
        if settings.STAFF_MFA and user.is_authenticated and user.is_staff and not is_mfa_enabled(user):
            messages.warning(request, "Staff need a second factor. Set one up to go on.")
            return redirect("mfa_activate_totp")
        response = self.get_response(request)
        response._csp_replace = ADMIN_POLICY  # type: ignore[attr-defined]
        return response
