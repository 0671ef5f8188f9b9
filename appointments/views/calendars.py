"""Visits in the patient's own calendar: one as a file, all of them under a link."""

import re
import uuid

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import conditional_page, require_POST, require_safe

from appointments import calendars, services
from appointments.models import CalendarLink
from appointments.views.pages import page
from patients.access import PatientRequest, patient_required

MADE = "Your link is ready."
RENEWED = "The link from before no longer works. This is the new one."


@require_safe
@patient_required
def calendar_file(request: PatientRequest, appointment_id: uuid.UUID) -> HttpResponse:
    visit = services.get_for(request.patient, appointment_id)
    answer = HttpResponse(calendars.file_of(visit), content_type=calendars.MEDIA_TYPE)
    answer["Content-Disposition"] = 'attachment; filename="visit.ics"'
    return answer


@require_safe
@conditional_page
def calendar_feed(request: HttpRequest, token: str) -> HttpResponse:
    """Answer calendar programs, which cannot sign in: who knows the link reads when the visits are."""
    feed = calendars.feed(token)
    answer = HttpResponse(feed.body, content_type=calendars.MEDIA_TYPE)
    answer["ETag"], answer["Cache-Control"] = feed.etag, "private, no-cache"
    return answer


@require_safe
@patient_required
def subscription(request: PatientRequest) -> HttpResponse:
    link = CalendarLink.objects.filter(patient=request.patient).first()
    if link is None:
        return page(request, "subscribe")
    address = settings.SITE_URL + reverse("appointments:calendar_feed", args=[link.token])
    return page(request, "subscribe", address=address, opens=re.sub("^https?:", "webcal:", address))


@require_POST
@patient_required
def renew(request: PatientRequest) -> HttpResponse:
    """Make the first link, or a new one in the place of one that should no longer work."""
    had_one = CalendarLink.objects.filter(patient=request.patient).exists()
    calendars.renew(request.patient)
    messages.success(
        request, "The old link no longer works. Here is the new one." if had_one else "Here it is."
    )
    return redirect("appointments:calendar")
