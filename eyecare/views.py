"""The first page: a welcome to strangers, and to patients what is next."""

import sys
from typing import cast

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from appointments import waitlist
from appointments.models import Appointment
from billing import services as billing
from eyecare import clock
from orders import stages
from orders.models import Order
from patients.access import PatientRequest
from patients.models import Patient
from practice import opening
from practice.models import Location, Notice

SUGGESTIONS = (
    "I need my eyes checked",
    "Where are my glasses?",
    "What do I owe?",
    "Do you take my insurance?",
)
"""What a newcomer may ask the assistant; each is sent as it stands."""

TROUBLE = "Something went wrong on our side. Nothing was changed; please try again in a moment."


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if getattr(request, "patient", None):
        return _at_home(cast(PatientRequest, request))
    return render(request, "eyecare/welcome.html", {"tab": "home", "places": _places()})


def trouble(request: HttpRequest) -> HttpResponse:
    """Answer what nobody foresaw: 503 while the database is away, so that programs try again, else 500."""
    is_away = isinstance(sys.exc_info()[1], (OperationalError, InterfaceError))
    status = 503 if is_away else 500
    answer: HttpResponse
    if request.path.startswith("/api/"):
        problem = {"type": "urn:eyecare:trouble", "status": status, "code": "trouble", "detail": TROUBLE}
        answer = JsonResponse(problem, status=status, content_type="application/problem+json")
    else:
        answer = HttpResponse(loader.get_template("500.html").render(), status=status)
    if is_away:
        answer["Retry-After"] = "5"
    return answer


def _at_home(request: PatientRequest) -> HttpResponse:
    shown = _what_is_next(request.patient) | {"balance_cents": _balance_cents(request)}
    return render(request, "eyecare/home.html", shown)


def _what_is_next(patient: Patient) -> dict[str, object]:
    upcoming = list(Appointment.objects.for_patient(patient).upcoming().with_details()[:3])
    orders = Order.objects.for_patient(patient).open().select_related("location").prefetch_related("changes")
    offers = waitlist.offers_for(patient)
    return {
        "tab": "home",
        "offers": [(offer, waitlist.visit_that_moves(offer.entry)) for offer in offers],
        "greeting": _greeting(),
        "visit": upcoming[0] if upcoming else None,
        "later_visits": upcoming[1:],
        "orders": [(order, stages.progress(order)) for order in orders[:2]],
        "notices": Notice.objects.current()[:3],
        "suggestions": SUGGESTIONS,
    }


def _balance_cents(request: PatientRequest) -> int | None:
    """Return what is owed, or None when somebody else pays whose ledger is not for these eyes."""
    try:
        return billing.balance_cents(billing.payer_for(request.patient, request.user))
    except billing.SomeoneElsePays:
        return None


def _greeting() -> str:
    hour = timezone.localtime(clock.now()).hour
    if hour < 12:
        return "Good morning"
    return "Good afternoon" if hour < 18 else "Good evening"


def _places() -> list[tuple[Location, list[str]]]:
    locations = Location.objects.filter(is_active=True).prefetch_related("opening_hours")
    return [(location, opening.hours_lines(location)) for location in locations]
