"""The patient's visits: seen, booked, moved, cancelled; every write once for each key."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments import services
from appointments.api.asking import IDEMPOTENCY_KEY, WritesThrottle, by, key_of, read, refusals
from appointments.api.slots import NamedSerializer
from appointments.models import Appointment, VisitType
from patients.access import HasPatient, patient_of


class AppointmentSerializer(serializers.ModelSerializer[Appointment]):
    visit_type = serializers.CharField(source="visit_type.slug", read_only=True)
    provider = NamedSerializer(read_only=True)
    location = NamedSerializer(read_only=True)
    moved_from = serializers.UUIDField(source="moved_from_id", read_only=True, allow_null=True)

    class Meta:
        model = Appointment
        fields = [
            "id",
            "lineage",
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


class ChosenSerializer(serializers.Serializer[Any]):
    visit_type = serializers.SlugRelatedField(slug_field="slug", queryset=VisitType.objects.all())
    slot = serializers.CharField(max_length=60)


class BookingSerializer(ChosenSerializer):
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class CancellingSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class MovingSerializer(CancellingSerializer):
    slot = serializers.CharField(max_length=60)


class AppointmentViewSet(viewsets.ReadOnlyModelViewSet[Appointment]):
    """The appointments of the patient whose record is open, newest first."""

    serializer_class = AppointmentSerializer
    permission_classes = [HasPatient]
    throttle_classes = [WritesThrottle]
    queryset = Appointment.objects.none()

    def get_queryset(self) -> QuerySet[Appointment]:
        return Appointment.objects.visits().for_patient(patient_of(self.request)).with_details()

    def get_object(self) -> Appointment:
        return services.get_for(patient_of(self.request), self.kwargs["pk"])

    @extend_schema(
        request=BookingSerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses={201: AppointmentSerializer, **refusals(400, 409)},
    )
    def create(self, request: Request) -> Response:
        """Book a slot: what is held for the patient becomes the visit."""
        asked = read(BookingSerializer, request.data)
        booked = services.book(
            patient=patient_of(request),
            visit_type=asked["visit_type"],
            slot=services.slot_from_key(asked["visit_type"], asked["slot"]),
            note=asked["note"],
            **by(request),
            idempotency_key=key_of(request),
        )
        return self._written(booked)

    @extend_schema(
        request=MovingSerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses={201: AppointmentSerializer, **refusals(400, 404, 409)},
    )
    @action(detail=True, methods=["post"])
    def reschedule(self, request: Request, pk: str) -> Response:
        """Move an appointment; the answer is the new one, which carries on."""
        appointment = self.get_object()
        asked = read(MovingSerializer, request.data)
        moved = services.reschedule(
            appointment=appointment,
            slot=services.slot_from_key(appointment.visit_type, asked["slot"]),
            reason=asked["reason"],
            **by(request),
            idempotency_key=key_of(request),
        )
        return self._written(moved)

    @extend_schema(
        request=CancellingSerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses={200: AppointmentSerializer, **refusals(400, 404, 409)},
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel an appointment; twice is once."""
        appointment = self.get_object()
        asked = read(CancellingSerializer, request.data)
        cancelled = services.cancel(
            appointment=appointment,
            reason=asked["reason"],
            **by(request),
            idempotency_key=key_of(request),
        )
        return Response(self.get_serializer(cancelled).data)

    def _written(self, appointment: Appointment) -> Response:
        return Response(self.get_serializer(appointment).data, status=status.HTTP_201_CREATED)
