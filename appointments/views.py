"""The diary's pages for patients: see, book, move, cancel."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from appointments import services
from appointments.forms import BookForm, CancelForm, KeyForm, SearchForm
from appointments.models import Appointment, VisitType
from appointments.offer import offer
from eyecare.errors import NotFound, Refusal
from patients.access import PatientRequest, patient_required

PAGE = 10
UPCOMING = 20
WEB = Appointment.Channel.WEB


@require_safe
@patient_required
def visits(request: PatientRequest) -> HttpResponse:
    mine = Appointment.objects.for_patient(request.patient).with_details()
    past = Paginator(mine.past(), PAGE).get_page(request.GET.get("page"))
    return _page(request, "list", upcoming=mine.upcoming()[:UPCOMING] if past.number == 1 else [], past=past)


@require_safe
@patient_required
def detail(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    successor = (
        Appointment.objects.filter(moved_from=visit).first() if visit.state == visit.State.MOVED else None
    )
    return _page(request, "detail", visit=visit, successor=successor)


@require_POST
@patient_required
def confirm(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    services.confirm(appointment=visit, channel=WEB)
    messages.success(request, "Thank you. We look forward to seeing you.")
    return redirect("appointments:detail", visit.pk)


@require_safe
@patient_required
def choose_visit(request: PatientRequest) -> HttpResponse:
    return _page(request, "choose_visit", visit_types=VisitType.objects.all())


@require_safe
@patient_required
def choose_time(request: PatientRequest, slug: str) -> HttpResponse:
    visit_type = _visit_type(slug)
    form = SearchForm(request.GET, visit_type=visit_type)
    found = offer(visit_type, form.search, patient=request.patient)
    return _page(request, "choose_time", visit_type=visit_type, form=form, offer=found)


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def book(request: PatientRequest, slug: str, key: str) -> HttpResponse:
    visit_type = _visit_type(slug)
    slot = services.slot_from_key(visit_type, key)
    form = BookForm(request.POST or None)
    shown: dict[str, Any] = {"visit_type": visit_type, "slot": slot, "form": form}
    if not form.is_valid():
        return _page(request, "book", **shown)
    try:
        visit = services.book(
            patient=request.patient,
            visit_type=visit_type,
            slot=slot,
            channel=WEB,
            actor=request.user,
            note=form.cleaned_data["note"],
            idempotency_key=_once(request, form),
        )
    except Refusal as refusal:
        return _page(request, "book", status=refusal.status, refusal=refusal, **shown)
    messages.success(request, f"Your visit is booked: {slot}.")
    return redirect("appointments:detail", visit.pk)


@require_safe
@patient_required
def move(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    form = SearchForm(request.GET, visit_type=visit.visit_type)
    found = offer(visit.visit_type, form.search, patient=request.patient, moving=visit)
    return _page(request, "choose_time", visit_type=visit.visit_type, form=form, offer=found, moving=visit)


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def move_to(request: PatientRequest, appointment_id: uuid.UUID, key: str) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    slot = services.slot_from_key(visit.visit_type, key)
    form = KeyForm(request.POST or None)
    shown: dict[str, Any] = {"visit_type": visit.visit_type, "slot": slot, "form": form, "moving": visit}
    if not form.is_valid():
        return _page(request, "book", **shown)
    try:
        moved = services.reschedule(
            appointment=visit,
            slot=slot,
            channel=WEB,
            actor=request.user,
            idempotency_key=_once(request, form),
        )
    except Refusal as refusal:
        return _page(request, "book", status=refusal.status, refusal=refusal, **shown)
    messages.success(request, f"Your visit has moved to {slot}.")
    return redirect("appointments:detail", moved.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def cancel(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    form = CancelForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _page(request, "cancel", visit=visit, form=form)
    try:
        services.cancel(
            appointment=visit, channel=WEB, actor=request.user, reason=form.cleaned_data["reason"]
        )
    except Refusal as refusal:
        return _page(request, "cancel", status=refusal.status, visit=visit, form=form, refusal=refusal)
    messages.success(request, "Your visit is cancelled. Nothing more is needed.")
    return redirect("appointments:list")


def _visit_type(slug: str) -> VisitType:
    found = VisitType.objects.filter(slug=slug).first()
    if found is None:
        raise NotFound("We do not know that kind of visit.")
    return found


def _once(request: PatientRequest, form: KeyForm | BookForm) -> str:
    return f"web:{request.patient.pk.hex}:{form.cleaned_data['key'].hex}"


def _page(request: PatientRequest, name: str, *, status: int = 200, **shown: Any) -> HttpResponse:
    return render(request, f"appointments/{name}.html", {"tab": "visits", **shown}, status=status)
