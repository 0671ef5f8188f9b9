"""What can be booked: kinds of visit, free slots, and why a wished one cannot be had."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from appointments import rules, services
from appointments.api.asking import read, refusals
from appointments.availability import Slot
from appointments.models import Appointment, VisitType
from patients.access import HasPatient, patient_of
from patients.models import Patient
from practice.models import Location, Provider

MOST_DAYS = 92
"""The longest range of one search."""

_PAGE = [OpenApiParameter("limit", int), OpenApiParameter("offset", int)]


class NamedSerializer(serializers.Serializer[Any]):
    """A provider or a location: enough to show it and to search by it."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class SlotSerializer(serializers.Serializer[Slot]):
    key = serializers.CharField(help_text="Give it back to hold, book or move to this slot.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    provider = NamedSerializer()
    location = NamedSerializer()


class SlotPageSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = SlotSerializer(many=True)


class VisitTypeSerializer(serializers.ModelSerializer[VisitType]):
    class Meta:
        model = VisitType
        fields = [
            "slug",
            "name",
            "description",
            "minutes",
            "may_dilate",
            "preparation",
            "intended_for",
            "minimum_notice_hours",
            "move_notice_hours",
            "cancel_notice_hours",
            "horizon_days",
        ]


class MovesSerializer(serializers.Serializer[Any]):
    """Which of the patient's visits moves, if one does; the heirs name the kind of visit."""

    moving = serializers.UUIDField(
        required=False, help_text="The appointment that would move; its own time counts as free."
    )

    def validate_moving(self, appointment_id: object) -> Appointment:
        return services.get_for(self.context["patient"], appointment_id)

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        moving = asked.get("moving")
        if moving and moving.visit_type != asked["visit_type"]:
            raise serializers.ValidationError({"moving": ["That appointment is another kind of visit."]})
        return asked


class WhatSerializer(MovesSerializer):
    visit_type = serializers.SlugRelatedField(
        slug_field="slug", queryset=VisitType.objects.filter(is_online=True)
    )


class SearchSerializer(WhatSerializer):
    """What to search for; both days are included."""

    provider = serializers.PrimaryKeyRelatedField(queryset=Provider.objects.active(), required=False)
    location = serializers.PrimaryKeyRelatedField(
        queryset=Location.objects.filter(is_active=True), required=False
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        """Add the two days, whose names Python keeps to itself."""
        return {**super().get_fields(), "from": serializers.DateField(), "to": serializers.DateField()}

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        first_day, last_day = asked.pop("from"), asked.pop("to")
        if not timedelta() <= last_day - first_day < timedelta(days=MOST_DAYS):
            raise serializers.ValidationError(f"Ask for at least one and at most {MOST_DAYS} days.")
        return {**super().validate(asked), "first_day": first_day, "last_day": last_day}


class SlotsView(APIView):
    """Every free slot of a visit type on some days, earliest first."""

    permission_classes = [HasPatient]

    @extend_schema(
        operation_id="slots_list",
        parameters=[SearchSerializer, *_PAGE],
        responses={200: SlotPageSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        patient = patient_of(request)
        search = read(SearchSerializer, request.query_params, patient=patient)
        found = services.find_slots(**search, patient=patient)
        pages = LimitOffsetPagination()
        page = pages.paginate_queryset(found, request, self)
        return pages.get_paginated_response([slot.as_json() for slot in page or ()])


class SlotView(APIView):
    """One slot, when this patient can have it; the reason and the nearest others when not."""

    permission_classes = [HasPatient]

    @extend_schema(
        operation_id="slots_retrieve",
        parameters=[WhatSerializer, OpenApiParameter("key", str, OpenApiParameter.PATH)],
        responses={200: SlotSerializer, **refusals(400, 404, 409)},
    )
    def get(self, request: Request, key: str) -> Response:
        patient = patient_of(request)
        asked = read(WhatSerializer, request.query_params, patient=patient)
        return Response(_wanted(patient, asked, key).as_json())


def _wanted(patient: Patient, asked: dict[str, Any], key: str) -> Slot:
    slot = services.slot_from_key(asked["visit_type"], key)
    if moving := asked.get("moving"):
        rules.check_movable(moving)
    if refusal := services.why_not(patient=patient, slot=slot, **asked):
        raise refusal
    return slot


class VisitTypeViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[VisitType]):
    """What patients may book."""

    serializer_class = VisitTypeSerializer
    permission_classes = [HasPatient]
    queryset = VisitType.objects.filter(is_online=True)
