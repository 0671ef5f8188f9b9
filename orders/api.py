"""Lens orders over the API: a patient's own, read-only."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers, viewsets

from orders import services, stages
from orders.models import Order
from patients.access import HasPatient, patient_of


class OrderSerializer(serializers.ModelSerializer[Order]):
    """Where an order is. `status` is the patient's word, `stage` the practice's."""

    status = serializers.SerializerMethodField()
    location = serializers.CharField(source="location.name", read_only=True)
    is_late = serializers.BooleanField(read_only=True)
    steps = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = [
            "id",
            "number",
            "kind",
            "description",
            "stage",
            "status",
            "location",
            "promised_on",
            "is_late",
            "ordered_at",
            "steps",
        ]
        read_only_fields = fields

    def get_status(self, order: Order) -> str:
        return stages.patient_label(order)

    @extend_schema_field(
        inline_serializer(
            "Step",
            {
                "label": serializers.CharField(),
                "place": serializers.ChoiceField([place.value for place in stages.Place]),
                "on": serializers.DateField(allow_null=True),
            },
            many=True,
        )
    )
    def get_steps(self, order: Order) -> list[dict[str, Any]]:
        return [
            {"label": step.label, "place": step.place.value, "on": step.on} for step in stages.progress(order)
        ]


class OrderViewSet(viewsets.ReadOnlyModelViewSet[Order]):
    """The lens orders of the patient whose record is open."""

    serializer_class = OrderSerializer
    permission_classes = [HasPatient]
    queryset = Order.objects.none()

    def get_queryset(self) -> QuerySet[Order]:
        return Order.objects.for_patient(patient_of(self.request)).with_details()

    def get_object(self) -> Order:
        return services.get_for(patient_of(self.request), self.kwargs["pk"])


router_entries = [("orders", OrderViewSet, "order")]
