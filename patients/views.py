"""Whose record is open, and what that person agreed to."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from patients import services
from patients.access import PatientRequest, patient_required
from patients.forms import QUESTIONS, ConsentForm
from patients.models import Patient


@require_POST
@login_required
def open_record(request: HttpRequest) -> HttpResponse:
    chosen = services.open_record(request, request.POST.get("patient"))
    messages.success(request, f"You now see the record of {chosen.name}.")
    return redirect("eyecare:home")


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def profile(request: PatientRequest) -> HttpResponse:
    agreed = {kind.value: services.consents(request.patient, kind) for kind in QUESTIONS}
    form = ConsentForm(request.POST if request.method == "POST" else None, initial=agreed)
    if not form.is_valid():
        return render(request, "patients/profile.html", {"form": form, "tab": "profile"})
    changed = {kind: answer for kind, answer in form.answers.items() if answer != agreed[kind]}
    _record(request.patient, changed)
    messages.success(request, "Saved." if changed else "Nothing has changed.")
    return redirect("patients:profile")


def _record(patient: Patient, answers: dict[str, bool]) -> None:
    for kind, granted in answers.items():
        services.record_consent(patient=patient, kind=kind, granted=granted, source="portal")
