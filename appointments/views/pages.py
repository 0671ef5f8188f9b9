"""What every page of the diary starts and ends with."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from appointments import services
from appointments.forms import KeyForm
from appointments.models import Appointment, VisitType
from eyecare.errors import NotFound
from patients.access import PatientRequest

WEB = Appointment.Channel.WEB


def page(request: PatientRequest, name: str, *, status: int = 200, **shown: Any) -> HttpResponse:
    return render(request, f"appointments/{name}.html", {"tab": "visits", **shown}, status=status)


def visit_type_of(slug: str) -> VisitType:
    found = VisitType.objects.filter(slug=slug).first()
    if found is None:
        raise NotFound("We do not know that kind of visit.")
    return found


def once(request: PatientRequest, form: KeyForm) -> str:
    """Return the key under which a second press of the same button is the same request."""
    return f"web:{request.patient.pk.hex}:{form.cleaned_data['key'].hex}"


def times_of(visit_type: VisitType, moving: Appointment | None = None) -> str:
    """Return where the times are listed, and where a chosen one is held."""
    if moving:
        return reverse("appointments:move", args=[moving.pk])
    return reverse("appointments:times", args=[visit_type.slug])


def confirming(visit_type: VisitType, key: str, moving: Appointment | None = None) -> str:
    """Return where a chosen time waits for the patient's yes."""
    if moving:
        return reverse("appointments:move_to", args=[moving.pk, key])
    return reverse("appointments:book_time", args=[visit_type.slug, key])


def where_held(held: Appointment) -> str:
    moving = Appointment.objects.active().filter(lineage=held.lineage).first()
    return confirming(held.visit_type, services.slot_of(held).key, moving)
