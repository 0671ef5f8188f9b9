"""The link under which the patient's own calendar fetches the visits."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from appointments import calendars
from appointments.api.asking import WritesThrottle
from appointments.models import CalendarLink
from patients.access import HasPatient, patient_of


class CalendarLinkSerializer(serializers.Serializer[Any]):
    url = serializers.URLField(allow_null=True, help_text="Who knows it reads when the visits are.")


class CalendarLinkView(APIView):
    permission_classes = [HasPatient]
    throttle_classes = [WritesThrottle]

    @extend_schema(responses=CalendarLinkSerializer)
    def get(self, request: Request) -> Response:
        """Return the link, or null while there is none."""
        link = CalendarLink.objects.filter(patient=patient_of(request)).first()
        return Response({"url": link and _address(link)})

    @extend_schema(request=None, responses={201: CalendarLinkSerializer})
    def post(self, request: Request) -> Response:
        """Make a new link; the one before no longer works."""
        link = calendars.renew(patient_of(request))
        return Response({"url": _address(link)}, status=status.HTTP_201_CREATED)


def _address(link: CalendarLink) -> str:
    return str(settings.SITE_URL) + reverse("appointments:calendar_feed", args=[link.token])
