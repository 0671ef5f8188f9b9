"""A time held for the patient until the program says yes: booking or moving to it uses the hold."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from appointments import services
from appointments.api.appointments import ChosenSerializer
from appointments.api.asking import WritesThrottle, by, read, refusals
from appointments.api.slots import MovesSerializer, NamedSerializer
from appointments.models import Appointment
from eyecare.errors import NotFound
from patients.access import HasPatient, patient_of


class HoldSerializer(serializers.ModelSerializer[Appointment]):
    slot = serializers.SerializerMethodField(help_text="The key with which it is booked.")
    visit_type = serializers.CharField(source="visit_type.slug", read_only=True)
    provider = NamedSerializer(read_only=True)
    location = NamedSerializer(read_only=True)
    held_until = serializers.DateTimeField(read_only=True)

    class Meta:
        model = Appointment
        fields = [
            "id",
            "lineage",
            "slot",
            "visit_type",
            "provider",
            "location",
            "starts_at",
            "ends_at",
            "held_until",
        ]
        read_only_fields = fields

    def get_slot(self, held: Appointment) -> str:
        return services.slot_of(held).key


class HoldingSerializer(ChosenSerializer, MovesSerializer):
    """A slot of a kind of visit, new or for a visit that is to move there."""


class HoldViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Appointment]):
    """The time that is held for the patient now: one at most, and another gives it back."""

    serializer_class = HoldSerializer
    permission_classes = [HasPatient]
    throttle_classes = [WritesThrottle]
    queryset = Appointment.objects.none()

    def get_queryset(self) -> QuerySet[Appointment]:
        return Appointment.objects.held().for_patient(patient_of(self.request)).with_details()

    def get_object(self) -> Appointment:
        held = services.hold_of(patient_of(self.request))
        if held is None or str(held.pk) != self.kwargs["pk"]:
            raise NotFound("That time is not held for you.")
        return held

    @extend_schema(request=HoldingSerializer, responses={201: HoldSerializer, **refusals(400, 404, 409)})
    def create(self, request: Request) -> Response:
        """Hold a slot; the same slot again is held anew."""
        patient = patient_of(request)
        asked = read(HoldingSerializer, request.data, patient=patient)
        slot = services.slot_from_key(asked["visit_type"], asked.pop("slot"))
        held = services.hold(patient=patient, slot=slot, **asked, **by(request))
        return Response(self.get_serializer(held).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None, **refusals(404)})
    def destroy(self, request: Request, pk: str) -> Response:
        """Give it back."""
        services.release_hold(hold=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
