"""The diary for other programs: free slots, and the appointments of the patient whose record is open."""

from datetime import timedelta
from typing import Any, cast

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from appointments import services
from appointments.availability import Slot
from appointments.models import Appointment, VisitType
from eyecare.errors import Invalid
from patients.access import HasPatient
from patients.models import Account, Patient
from practice.models import Location, Provider

MOST_DAYS = 92
"""The longest range of one search."""

KEY_LENGTH = 80

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description=f"At most {KEY_LENGTH} characters; the same key again gives the same appointment.",
)

_PAGE = [OpenApiParameter("limit", int), OpenApiParameter("offset", int)]


class NamedSerializer(serializers.Serializer[Any]):
    """A provider or a location: enough to show it and to search by it."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class SlotSerializer(serializers.Serializer[Slot]):
    key = serializers.CharField(help_text="Give it back to book or move to this slot.")
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
        fields = ["slug", "name", "description", "minutes", "may_dilate", "preparation"]


class AppointmentSerializer(serializers.ModelSerializer[Appointment]):
    visit_type = serializers.CharField(source="visit_type.slug", read_only=True)
    provider = NamedSerializer(read_only=True)
    location = NamedSerializer(read_only=True)
    moved_from = serializers.UUIDField(source="moved_from_id", read_only=True, allow_null=True)

    class Meta:
        model = Appointment
        fields = [
            "id",
            "state",
            "visit_type",
            "provider",
            "location",
            "starts_at",
            "ends_at",
            "moved_from",
            "note",
        ]
        read_only_fields = fields


class SearchSerializer(serializers.Serializer[Any]):
    """What to search for; both days are included."""

    visit_type = serializers.SlugRelatedField(
        slug_field="slug", queryset=VisitType.objects.filter(is_online=True)
    )
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
        return {**asked, "first_day": first_day, "last_day": last_day}


class BookingSerializer(serializers.Serializer[Any]):
    visit_type = serializers.SlugRelatedField(slug_field="slug", queryset=VisitType.objects.all())
    slot = serializers.CharField(max_length=60)
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class CancellingSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class MovingSerializer(CancellingSerializer):
    slot = serializers.CharField(max_length=60)


class SlotsView(APIView):
    """Every free slot of a visit type on some days, earliest first."""

    permission_classes = [HasPatient]

    @extend_schema(parameters=[SearchSerializer, *_PAGE], responses=SlotPageSerializer)
    def get(self, request: Request) -> Response:
        search = _read(SearchSerializer, request.query_params)
        found = services.find_slots(**search, patient=_patient(request))
        pages = LimitOffsetPagination()
        page = pages.paginate_queryset(found, request, self)
        return pages.get_paginated_response([slot.as_json() for slot in page or ()])


class VisitTypeViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[VisitType]):
    """What patients may book."""

    serializer_class = VisitTypeSerializer
    permission_classes = [HasPatient]
    queryset = VisitType.objects.filter(is_online=True)


class AppointmentViewSet(viewsets.ReadOnlyModelViewSet[Appointment]):
    """The appointments of the patient whose record is open, newest first."""

    serializer_class = AppointmentSerializer
    permission_classes = [HasPatient]
    queryset = Appointment.objects.none()

    def get_queryset(self) -> QuerySet[Appointment]:
        return Appointment.objects.for_patient(_patient(self.request)).with_details()

    def get_object(self) -> Appointment:
        return services.get_for(_patient(self.request), self.kwargs["pk"])

    @extend_schema(
        request=BookingSerializer, parameters=[IDEMPOTENCY_KEY], responses={201: AppointmentSerializer}
    )
    def create(self, request: Request) -> Response:
        """Book a slot."""
        asked = _read(BookingSerializer, request.data)
        booked = services.book(
            patient=_patient(request),
            visit_type=asked["visit_type"],
            slot=services.slot_from_key(asked["visit_type"], asked["slot"]),
            note=asked["note"],
            **_by(request),
            idempotency_key=_key(request),
        )
        return self._written(booked)

    @extend_schema(
        request=MovingSerializer, parameters=[IDEMPOTENCY_KEY], responses={201: AppointmentSerializer}
    )
    @action(detail=True, methods=["post"])
    def reschedule(self, request: Request, pk: str) -> Response:
        """Move an appointment; the answer is the new one, which carries on."""
        appointment = self.get_object()
        asked = _read(MovingSerializer, request.data)
        moved = services.reschedule(
            appointment=appointment,
            slot=services.slot_from_key(appointment.visit_type, asked["slot"]),
            reason=asked["reason"],
            **_by(request),
            idempotency_key=_key(request),
        )
        return self._written(moved)

    @extend_schema(request=CancellingSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel an appointment; twice is once."""
        asked = _read(CancellingSerializer, request.data)
        cancelled = services.cancel(appointment=self.get_object(), reason=asked["reason"], **_by(request))
        return Response(self.get_serializer(cancelled).data)

    def _written(self, appointment: Appointment) -> Response:
        return Response(self.get_serializer(appointment).data, status=status.HTTP_201_CREATED)


def _read(form: type[serializers.Serializer[Any]], given: Any) -> dict[str, Any]:
    asked = form(data=given)
    asked.is_valid(raise_exception=True)
    return asked.validated_data


def _patient(request: Request) -> Patient:
    """Return whose record is open; HasPatient has let nobody else through."""
    return cast(Patient, request.patient)  # type: ignore[attr-defined]


def _by(request: Request) -> dict[str, Any]:
    return {"channel": Appointment.Channel.API, "actor": cast(Account, request.user)}


def _key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > KEY_LENGTH:
        raise Invalid(f"An Idempotency-Key has at most {KEY_LENGTH} characters.")
    return key


router_entries = [
    ("appointments", AppointmentViewSet, "appointment"),
    ("visit-types", VisitTypeViewSet, "visit-type"),
]
api_urlpatterns = [path("slots/", SlotsView.as_view(), name="slots")]
