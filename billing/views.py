"""What a patient sees of the money: what is owed, why, and the statements to keep."""

import uuid

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing import aging, services
from patients.access import PatientRequest, patient_required
from patients.models import Patient

LINES = 15
STATEMENTS = 12
LATEST = 3


@require_safe
@patient_required
def dues(request: PatientRequest) -> HttpResponse:
    payer = _payer(request)
    owed = services.aging_of(payer)
    lines = Paginator(services.entries_of(payer), LINES).get_page(request.GET.get("page"))
    return render(
        request,
        "billing/dues.html",
        {
            "tab": "dues",
            "payer": payer,
            "balance_cents": owed.balance_cents,
            "overdue_cents": owed.overdue_cents,
            "ages": [age for age in zip(aging.LABELS, owed.buckets, strict=True) if age[1]],
            "lines": lines,
            "statements": services.statements_of(payer)[:LATEST],
        },
    )


@require_safe
@patient_required
def statements(request: PatientRequest) -> HttpResponse:
    found = Paginator(services.statements_of(_payer(request)), STATEMENTS).get_page(request.GET.get("page"))
    return render(request, "billing/statements.html", {"tab": "dues", "statements": found})


@require_safe
@patient_required
def statement(request: PatientRequest, statement_id: uuid.UUID) -> HttpResponse:
    found = services.get_statement_for(_payer(request), statement_id)
    return HttpResponse(
        bytes(found.pdf or b""),
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="statement-{found.number}.pdf"',
            "Cache-Control": "private, no-store",
        },
    )


def _payer(request: PatientRequest) -> Patient:
    return services.payer_for(request.patient, request.user)
