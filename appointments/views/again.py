"""Where the link in a recall leads: on to the booking, on the record of whom it is about."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from appointments import recalls
from patients import services as patients
from patients.access import PatientRequest, patient_required


@require_safe
@patient_required
def again(request: PatientRequest, recall_id: int) -> HttpResponse:
    """Open the times of what a patient is recalled for; the link itself names nothing of it.

    A parent's link may be about a child: the child's record is opened, or the visit would be booked
    for the wrong one of them.
    """
    recall = recalls.get_among(patients.patients_of(request.user), recall_id)
    if recall.patient != request.patient:
        patients.open_record(request, recall.patient_id)
        messages.info(request, f"You are looking at the record of {recall.patient.first_name} now.")
    return redirect("appointments:times", recall.rule.books.slug)
