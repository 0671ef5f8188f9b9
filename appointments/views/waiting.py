"""Waiting for an earlier time: the wish, and the answer when a time came free."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from appointments import services, waitlist
from appointments.forms import WishForm
from appointments.models import Appointment, VisitType, WaitlistOffer
from appointments.views.pages import WEB, page, times_of, visit_type_of
from appointments.waitlist.rounds import OFFER
from eyecare.errors import Refusal
from messaging import services as messaging
from patients.access import PatientRequest, patient_required


@require_safe
@patient_required
def wishes(request: PatientRequest) -> HttpResponse:
    return page(request, "waitlist", **standing(request), unreachable=_unreachable(request))


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def join(request: PatientRequest, slug: str) -> HttpResponse:
    return _join(request, visit_type_of(slug))


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def earlier(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    return _join(request, visit.visit_type, moving=visit)


@require_POST
@patient_required
def withdraw(request: PatientRequest, entry_id: uuid.UUID) -> HttpResponse:
    entry = waitlist.entry_for(request.patient, entry_id)
    waitlist.withdraw(entry=entry, channel=WEB, actor=request.user)
    messages.success(request, "You are no longer on the waitlist for that visit.")
    return redirect("appointments:waitlist")


@require_POST
@patient_required
def accept(request: PatientRequest, offer_id: uuid.UUID) -> HttpResponse:
    offer = waitlist.offer_for(request.patient, offer_id)
    try:
        visit = waitlist.accept(offer=offer, channel=WEB, actor=request.user)
    except Refusal as refusal:
        return _gone(request, offer, refusal)
    messages.success(request, f"It is yours: {services.slot_of(visit)}.")
    return redirect("appointments:detail", visit.pk)


@require_POST
@patient_required
def decline(request: PatientRequest, offer_id: uuid.UUID) -> HttpResponse:
    waitlist.decline(offer=waitlist.offer_for(request.patient, offer_id), channel=WEB, actor=request.user)
    messages.success(request, "All right. You keep your place on the waitlist.")
    return redirect("appointments:waitlist")


def standing(request: PatientRequest) -> dict[str, Any]:
    """Return what this patient waits for and what is offered to them, with its words for the page."""
    entries = waitlist.entries_for(request.patient)
    offers = waitlist.offers_for(request.patient)
    return {
        "wishes": [(entry, waitlist.words_of(entry)) for entry in entries],
        "offers": [(offer, waitlist.visit_that_moves(offer.entry)) for offer in offers],
    }


def _join(request: PatientRequest, visit_type: VisitType, moving: Appointment | None = None) -> HttpResponse:
    form = WishForm(
        request.POST if request.method == "POST" else None,
        visit_type=visit_type,
        moving=moving,
        initial=WishForm.read_from(request.GET),
    )
    shown: dict[str, Any] = {
        "visit_type": visit_type,
        "moving": moving,
        "form": form,
        "unreachable": _unreachable(request),
    }
    if not form.is_valid():
        return page(request, "join", **shown)
    try:
        waitlist.join(
            patient=request.patient,
            visit_type=visit_type,
            moving=moving,
            channel=WEB,
            actor=request.user,
            **form.wish,
        )
    except Refusal as refusal:
        return page(request, "join", status=refusal.status, refusal=refusal, **shown)
    messages.success(request, "You are on the waitlist. We tell you as soon as a time like that comes free.")
    return redirect("appointments:waitlist")


def _unreachable(request: PatientRequest) -> bool:
    """Say whether an offer could not be told to this patient: then none would be made."""
    return not messaging.reachable(patient=request.patient, kind=OFFER)


def _gone(request: PatientRequest, offer: WaitlistOffer, refusal: Refusal) -> HttpResponse:
    entry = offer.entry
    times = times_of(entry.visit_type, waitlist.visit_that_moves(entry))
    return page(request, "gone", status=refusal.status, refusal=refusal, times=times)
