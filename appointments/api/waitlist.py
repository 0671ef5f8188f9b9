"""Waiting for an earlier time: the patient's wishes, and the times that were offered to them."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments import services, waitlist
from appointments.api.appointments import AppointmentSerializer
from appointments.api.asking import WritesThrottle, by, read, refusals
from appointments.api.slots import NamedSerializer
from appointments.models import Appointment, VisitType, WaitlistEntry, WaitlistOffer
from patients.access import HasPatient, patient_of
from practice.models import Location, Provider, Weekday


class WaitlistSerializer(serializers.ModelSerializer[WaitlistEntry]):
    visit_type = serializers.CharField(source="visit_type.slug", read_only=True)
    provider = NamedSerializer(read_only=True, allow_null=True)
    location = NamedSerializer(read_only=True, allow_null=True)
    moving = serializers.UUIDField(source="moving_id", read_only=True, allow_null=True)
    weekdays = serializers.ListField(child=serializers.IntegerField(), read_only=True)
    words = serializers.SerializerMethodField(help_text="The wish in words.")

    class Meta:
        model = WaitlistEntry
        fields = [
            "id",
            "visit_type",
            "provider",
            "location",
            "moving",
            "first_day",
            "last_day",
            "weekdays",
            "from_time",
            "until_time",
            "state",
            "words",
            "created_at",
        ]
        read_only_fields = fields

    def get_words(self, entry: WaitlistEntry) -> str:
        return waitlist.words_of(entry)


class WishSerializer(serializers.Serializer[Any]):
    """What is waited for; what is left out may be anything."""

    visit_type = serializers.SlugRelatedField(slug_field="slug", queryset=VisitType.objects.all())
    provider = serializers.PrimaryKeyRelatedField(
        queryset=Provider.objects.active(), required=False, allow_null=True
    )
    location = serializers.PrimaryKeyRelatedField(
        queryset=Location.objects.filter(is_active=True), required=False, allow_null=True
    )
    moving = serializers.UUIDField(
        required=False, allow_null=True, help_text="The appointment that would move to an earlier time."
    )
    first_day = serializers.DateField(required=False)
    last_day = serializers.DateField(required=False, allow_null=True)
    weekdays = serializers.ListField(
        child=serializers.ChoiceField(Weekday.choices), required=False, max_length=7, help_text="Monday is 0."
    )
    from_time = serializers.TimeField(required=False, allow_null=True, help_text="Not before.")
    until_time = serializers.TimeField(required=False, allow_null=True, help_text="To begin before this.")

    def validate_moving(self, appointment_id: object) -> Appointment | None:
        return services.get_for(self.context["patient"], appointment_id) if appointment_id else None


class WaitlistOfferSerializer(serializers.ModelSerializer[WaitlistOffer]):
    entry = serializers.UUIDField(source="entry_id", read_only=True)
    visit_type = serializers.CharField(source="entry.visit_type.slug", read_only=True)
    provider = NamedSerializer(source="opening.provider", read_only=True)
    location = NamedSerializer(source="opening.location", read_only=True)

    class Meta:
        model = WaitlistOffer
        fields = ["id", "entry", "visit_type", "provider", "location", "starts_at", "answer_until", "state"]
        read_only_fields = fields


class WaitlistViewSet(viewsets.ReadOnlyModelViewSet[WaitlistEntry]):
    """What the patient waits for."""

    serializer_class = WaitlistSerializer
    permission_classes = [HasPatient]
    throttle_classes = [WritesThrottle]
    queryset = WaitlistEntry.objects.none()

    def get_queryset(self) -> QuerySet[WaitlistEntry]:
        return waitlist.entries_for(patient_of(self.request))

    def get_object(self) -> WaitlistEntry:
        return waitlist.entry_for(patient_of(self.request), self.kwargs["pk"])

    @extend_schema(request=WishSerializer, responses={201: WaitlistSerializer, **refusals(400, 404, 409)})
    def create(self, request: Request) -> Response:
        """Wait for a kind of visit; once more for the same kind changes the wish and keeps the place."""
        patient = patient_of(request)
        wish = read(WishSerializer, request.data, patient=patient)
        entry = waitlist.join(patient=patient, **wish, **by(request))
        return Response(self.get_serializer(entry).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None, **refusals(404)})
    def destroy(self, request: Request, pk: str) -> Response:
        """Wait no longer."""
        waitlist.withdraw(entry=self.get_object(), **by(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class WaitlistOfferViewSet(viewsets.ReadOnlyModelViewSet[WaitlistOffer]):
    """Times that came free and are kept for the patient and others who wait, until one says yes."""

    serializer_class = WaitlistOfferSerializer
    permission_classes = [HasPatient]
    throttle_classes = [WritesThrottle]
    queryset = WaitlistOffer.objects.none()

    def get_queryset(self) -> QuerySet[WaitlistOffer]:
        return waitlist.offers_for(patient_of(self.request))

    def get_object(self) -> WaitlistOffer:
        return waitlist.offer_for(patient_of(self.request), self.kwargs["pk"])

    @extend_schema(request=None, responses={200: AppointmentSerializer, **refusals(404, 409)})
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: str) -> Response:
        """Take the time: the first yes wins. The answer is the visit."""
        visit = waitlist.accept(offer=self.get_object(), **by(request))
        return Response(AppointmentSerializer(visit).data)

    @extend_schema(request=None, responses={200: WaitlistOfferSerializer, **refusals(404, 409)})
    @action(detail=True, methods=["post"])
    def decline(self, request: Request, pk: str) -> Response:
        """Keep waiting."""
        offer = self.get_object()
        waitlist.decline(offer=offer, **by(request))
        offer.refresh_from_db()
        return Response(self.get_serializer(offer).data)
