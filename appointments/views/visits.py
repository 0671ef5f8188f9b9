"""The patient's visits: what is coming, what has been, and every visit by itself."""

import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from appointments import rules, services
from appointments.forms import CancelForm
from appointments.models import Appointment
from appointments.views import waiting
from appointments.views.pages import WEB, page, where_held
from eyecare.errors import Refusal
from patients.access import PatientRequest, patient_required

State = Appointment.State

PAGE = 10
UPCOMING = 20


@require_safe
@patient_required
def visits(request: PatientRequest) -> HttpResponse:
    mine = Appointment.objects.for_patient(request.patient).with_details()
    past = Paginator(mine.past().exclude(state=State.MOVED), PAGE).get_page(request.GET.get("page"))
    if past.number > 1:
        return page(request, "list", past=past)
    held = services.hold_of(request.patient)
    shown: dict[str, Any] = {"held": held, "held_at": held and where_held(held), **waiting.standing(request)}
    return page(request, "list", upcoming=mine.upcoming()[:UPCOMING], past=past, **shown)


@require_safe
@patient_required
def detail(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    story = _story(visit)
    shown: dict[str, Any] = {
        "moves": list(pairwise(story)),
        "carries_on": story[-1] if visit.state == State.MOVED else None,
        "cannot_move": _objection(rules.check_movable, visit),
        "cannot_cancel": _objection(rules.check_cancellable, visit),
    }
    return page(request, "detail", visit=visit, **shown)


@require_POST
@patient_required
def confirm(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    services.confirm(appointment=visit, channel=WEB)
    messages.success(request, "Thank you. We look forward to seeing you.")
    return redirect("appointments:detail", visit.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def cancel(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    form = CancelForm(request.POST if request.method == "POST" else None)
    if not form.is_bound and _objection(rules.check_cancellable, visit):
        return redirect("appointments:detail", visit.pk)
    if not form.is_valid():
        return page(request, "cancel", visit=visit, form=form)
    try:
        services.cancel(
            appointment=visit, channel=WEB, actor=request.user, reason=form.cleaned_data["reason"]
        )
    except Refusal as refusal:
        return page(request, "cancel", status=refusal.status, visit=visit, form=form, refusal=refusal)
    messages.success(request, "Your visit is cancelled. Nothing more is needed.")
    return redirect("appointments:list")


def _story(visit: Appointment) -> list[Appointment]:
    """Return every time that this visit has stood at, the first one first."""
    rows = Appointment.objects.visits().filter(lineage=visit.lineage)
    by_former = {row.moved_from_id: row for row in rows}
    told: list[Appointment] = []
    while (former := told[-1].pk if told else None) in by_former:
        told.append(by_former[former])
    return told


def _objection(check: Callable[[Appointment], None], visit: Appointment) -> str:
    """Return why this visit may not be moved or cancelled here, in a sentence; empty when it may."""
    try:
        check(visit)
    except Refusal as refusal:
        return refusal.sentence
    return ""
