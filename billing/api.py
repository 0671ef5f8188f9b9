"""What a patient owes and was told they owe, for other programs. Always of the payer whose record is open."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import downloads, services
from billing.models import Statement
from patients.access import HasPatient
from patients.models import Account, Patient


def account_of(request: Request) -> Account:
    """Return who is signed in; HasPatient has let nobody else through."""
    assert isinstance(request.user, Account)  # noqa: S101
    return request.user


def payer_of(request: Request) -> Patient:
    """Return who pays for the patient of this session; raises SomeoneElsePays."""
    return services.payer_for(request.patient, account_of(request))  # type: ignore[attr-defined]


class AgingSerializer(serializers.Serializer[Any]):
    days_0_30_cents = serializers.IntegerField()
    days_31_60_cents = serializers.IntegerField()
    days_61_90_cents = serializers.IntegerField()
    over_90_days_cents = serializers.IntegerField()


class UnpaidSerializer(serializers.Serializer[Any]):
    service_on = serializers.DateField(source="entry.service_on")
    patient = serializers.CharField(source="entry.patient.name")
    description = serializers.CharField(source="entry.description")
    owed_cents = serializers.IntegerField(source="cents")


class BalanceSerializer(serializers.Serializer[Any]):
    balance_cents = serializers.IntegerField(help_text="Negative when the payer is in credit.")
    aging = AgingSerializer()
    unpaid = UnpaidSerializer(many=True)


class StatementSerializer(serializers.ModelSerializer[Statement]):
    due_on = serializers.DateField(read_only=True)

    class Meta:
        model = Statement
        fields = [
            "id",
            "number",
            "as_of",
            "due_on",
            "opening_cents",
            "charges_cents",
            "credits_cents",
            "closing_cents",
        ]


class StatementDetailSerializer(StatementSerializer):
    class Meta(StatementSerializer.Meta):
        fields = [*StatementSerializer.Meta.fields, "aging_cents", "lines", "pdf_sha256"]


class BalanceView(APIView):
    """What the payer owes now, by age, and the charges it is made of."""

    permission_classes = [HasPatient]

    @extend_schema(responses=BalanceSerializer)
    def get(self, request: Request) -> Response:
        payer = payer_of(request)
        balance = {
            "balance_cents": services.balance_cents(payer),
            "aging": dict(zip(AgingSerializer().fields, services.aging_of(payer).buckets, strict=True)),
            "unpaid": services.unpaid_charges(payer),
        }
        return Response(BalanceSerializer(balance).data)


class _AnyAccept(BaseContentNegotiation):
    """The PDF is a PDF, whatever the client says it accepts."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class StatementViewSet(viewsets.ReadOnlyModelViewSet[Statement]):
    """Statements that the payer may see, newest first."""

    permission_classes = [HasPatient]
    queryset = Statement.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Statement]:
        return services.statements_of(payer_of(self.request))

    def get_object(self) -> Statement:
        return services.get_statement_for(payer_of(self.request), self.kwargs["pk"])

    def get_serializer_class(self) -> type[StatementSerializer]:
        return StatementSerializer if self.action == "list" else StatementDetailSerializer

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    @action(detail=True, content_negotiation_class=_AnyAccept)
    def pdf(self, request: Request, pk: str) -> HttpResponse:
        """The statement as it was frozen."""
        return downloads.as_response(self.get_object())


router_entries = [("statements", StatementViewSet, "statements")]
api_urlpatterns = [path("balance/", BalanceView.as_view(), name="balance")]
