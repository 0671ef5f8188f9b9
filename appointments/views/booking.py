"""Choosing a time, holding it, and booking it or moving a visit to it.

A time is held by the press that chooses it, never by opening a page: a link to a time may be shared,
opened twice and gone back to.
"""

import uuid
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from appointments import rules, services
from appointments.availability import Slot
from appointments.forms import BookForm, KeyForm, SearchForm
from appointments.missed import missed_day
from appointments.models import Appointment, VisitType
from appointments.offer import Offer, offer
from appointments.views.pages import WEB, confirming, once, page, times_of, visit_type_of
from eyecare import clock
from eyecare.errors import Refusal
from patients.access import PatientRequest, patient_required
from patients.models import Patient

FAR_OFF = timedelta(days=7)
"""From here on the page offers the waitlist before the times."""


@require_safe
@patient_required
def choose_visit(request: PatientRequest) -> HttpResponse:
    known = rules.is_known(request.patient)
    kinds = [(kind, rules.why_not_for(kind, known=known)) for kind in VisitType.objects.all()]
    return page(request, "choose_visit", kinds=kinds)


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def choose_time(request: PatientRequest, slug: str) -> HttpResponse:
    visit_type = visit_type_of(slug)
    if request.method == "POST":
        return _hold(request, visit_type)
    return _times(request, visit_type)


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def book(request: PatientRequest, slug: str, key: str) -> HttpResponse:
    visit_type = visit_type_of(slug)
    slot = services.slot_from_key(visit_type, key)
    form = BookForm(request.POST or None)
    if not form.is_valid():
        return _check(request, visit_type, slot, form=form)
    try:
        visit = services.book(
            patient=request.patient,
            visit_type=visit_type,
            slot=slot,
            channel=WEB,
            actor=request.user,
            note=form.cleaned_data["note"],
            idempotency_key=once(request, form),
        )
    except Refusal as refusal:
        return _refused(request, refusal, visit_type)
    messages.success(request, f"Your visit is booked: {slot}.")
    return redirect("appointments:detail", visit.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def move(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    if request.method == "POST":
        return _hold(request, visit.visit_type, moving=visit)
    if not visit.is_active:
        return redirect("appointments:detail", visit.pk)
    return _times(request, visit.visit_type, moving=visit)


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def move_to(request: PatientRequest, appointment_id: uuid.UUID, key: str) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    slot = services.slot_from_key(visit.visit_type, key)
    form = KeyForm(request.POST or None)
    if not form.is_valid():
        return _check(request, visit.visit_type, slot, form=form, moving=visit)
    try:
        moved = services.reschedule(
            appointment=visit,
            slot=slot,
            channel=WEB,
            actor=request.user,
            idempotency_key=once(request, form),
        )
    except Refusal as refusal:
        return _refused(request, refusal, visit.visit_type, moving=visit)
    messages.success(request, f"Your visit has moved to {slot}.")
    return redirect("appointments:detail", moved.pk)


@require_POST
@patient_required
def give_back(request: PatientRequest, slug: str) -> HttpResponse:
    """Let the held time go and choose again."""
    services.release(patient=request.patient, channel=WEB, actor=request.user)
    return redirect("appointments:times", visit_type_of(slug).slug)


@require_POST
@patient_required
def give_back_move(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    services.release(patient=request.patient, channel=WEB, actor=request.user)
    return redirect("appointments:move", visit.pk)


def _times(request: PatientRequest, visit_type: VisitType, moving: Appointment | None = None) -> HttpResponse:
    form = SearchForm(request.GET, visit_type=visit_type)
    shown: dict[str, Any] = {
        "visit_type": visit_type,
        "form": form,
        "moving": moving,
        "asked": request.GET.urlencode(),
    }
    if objection := _closed_to(request.patient, visit_type, moving):
        return page(request, "choose_time", **shown, objection=objection)
    search = form.search
    found = offer(visit_type, search, patient=request.patient, moving=moving)
    shown["missed"] = missed_day(visit_type, search, found, patient=request.patient, moving=moving)
    return page(request, "choose_time", **shown, offer=found, waits_long=_waits_long(found))


def _closed_to(patient: Patient, visit_type: VisitType, moving: Appointment | None) -> Refusal | None:
    """Return why this patient need not look at times at all: they would read it after choosing one."""
    try:
        if moving:
            rules.check_movable(moving)
        else:
            rules.check_suits(visit_type, patient)
            rules.check_limits(patient)
    except Refusal as refusal:
        return refusal
    return None


def _waits_long(found: Offer) -> bool:
    """Say whether the first free time lies so far off that an earlier one is worth waiting for."""
    return bool(found.days) and found.days[0][0] - found.start >= FAR_OFF


def _hold(request: PatientRequest, visit_type: VisitType, moving: Appointment | None = None) -> HttpResponse:
    slot = services.slot_from_key(visit_type, request.POST.get("slot", ""))
    try:
        services.hold(
            patient=request.patient,
            visit_type=visit_type,
            slot=slot,
            channel=WEB,
            actor=request.user,
            moving=moving,
        )
    except Refusal as refusal:
        return _refused(request, refusal, visit_type, moving=moving)
    return redirect(confirming(visit_type, slot.key, moving))


def _check(
    request: PatientRequest,
    visit_type: VisitType,
    slot: Slot,
    form: KeyForm,
    moving: Appointment | None = None,
) -> HttpResponse:
    """Show the time once more before the yes: held, or only free as far as we can see.

    Who goes back to it after the yes is led to what was booked, and not told that nothing was.
    """
    booked = _booked(request.patient, visit_type, slot)
    if booked:
        return redirect("appointments:detail", booked.pk)
    held = _held(request.patient, visit_type, slot, moving)
    if held is None and not form.is_bound:
        objection = _closed_to(request.patient, visit_type, moving) or services.why_not(
            patient=request.patient, visit_type=visit_type, slot=slot, moving=moving
        )
        if objection:
            return _refused(request, objection, visit_type, moving=moving)
    shown: dict[str, Any] = {
        "visit_type": visit_type,
        "slot": slot,
        "form": form,
        "moving": moving,
        "held": held,
    }
    return page(request, "book", **shown, seconds_left=held and _seconds_left(held))


def _booked(patient: Patient, visit_type: VisitType, slot: Slot) -> Appointment | None:
    mine = Appointment.objects.active().for_patient(patient)
    return mine.filter(visit_type=visit_type, provider=slot.provider, starts_at=slot.starts_at).first()


def _held(
    patient: Patient, visit_type: VisitType, slot: Slot, moving: Appointment | None
) -> Appointment | None:
    """Return the patient's hold when it is of this very time, for this very visit."""
    held = services.hold_of(patient)
    if held is None or services.slot_of(held).key != slot.key or held.visit_type_id != visit_type.pk:
        return None
    return None if moving and held.lineage != moving.lineage else held


def _refused(
    request: PatientRequest, refusal: Refusal, visit_type: VisitType, moving: Appointment | None = None
) -> HttpResponse:
    shown: dict[str, Any] = {"refusal": refusal, "visit_type": visit_type, "moving": moving}
    return page(request, "refused", status=refusal.status, times=times_of(visit_type, moving), **shown)


def _seconds_left(held: Appointment) -> int:
    until = held.held_until or clock.now()
    return max(0, int((until - clock.now()).total_seconds()))
