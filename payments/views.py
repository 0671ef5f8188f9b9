"""Paying: the amount, the demo's checkout page, and the page one comes back to."""

import uuid

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from billing import services as billing
from billing.money import dollars
from eyecare.errors import Refusal
from patients.access import PatientRequest, patient_required
from patients.models import Patient
from payments import services
from payments.backends import demo as demo_backend
from payments.forms import PayForm
from payments.models import Checkout


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def pay(request: PatientRequest) -> HttpResponse:
    payer = _payer(request)
    owed = dollars(max(0, billing.balance_cents(payer))).removeprefix("$")
    form = PayForm(request.POST if request.method == "POST" else None, initial={"amount": owed})
    if not form.is_valid():
        return _ask(request, form, 400 if form.is_bound else 200)
    try:
        checkout = services.open_checkout(
            payer=payer, amount_cents=form.cleaned_data["amount"], opened_by=request.user
        )
    except Refusal as refusal:
        form.add_error("amount", refusal.sentence)
        return _ask(request, form, refusal.status)
    # the demo's page is ours: a path keeps the session, under whatever name the portal was opened
    return redirect(checkout.url.removeprefix(settings.SITE_URL))


@require_http_methods(["GET", "HEAD", "POST"])
@patient_required
def demo(request: PatientRequest, checkout_id: uuid.UUID) -> HttpResponse:
    """Play the card service's part; there is no such page outside the demo."""
    if settings.PAYMENTS_BACKEND != "payments.backends.demo.DemoBackend":
        raise Http404
    checkout = services.get_for(_payer(request), checkout_id)
    if request.method != "POST":
        return render(request, "payments/demo.html", {"checkout": checkout, "tab": "dues"})
    if checkout.state == Checkout.State.OPEN:
        answer = demo_backend.complete if request.POST.get("answer") == "pay" else demo_backend.expire
        answer(checkout)
    return redirect("payments:back", checkout.pk)


@require_safe
@patient_required
def back(request: PatientRequest, checkout_id: uuid.UUID) -> HttpResponse:
    """Say what became of the payment; the page asks again until the card service has spoken."""
    payer = _payer(request)
    checkout = services.get_for(payer, checkout_id)
    template = "payments/_outcome.html" if request.htmx else "payments/back.html"
    shown = {"checkout": checkout, "balance_cents": billing.balance_cents(payer), "tab": "dues"}
    return render(request, template, shown)


def _ask(request: PatientRequest, form: PayForm, status: int) -> HttpResponse:
    return render(request, "payments/pay.html", {"form": form, "tab": "dues"}, status=status)


def _payer(request: PatientRequest) -> Patient:
    return billing.payer_for(request.patient, request.user)
