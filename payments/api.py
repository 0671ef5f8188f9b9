"""Opening a page to pay on, for other programs."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import account_of, payer_of
from patients.access import HasPatient
from payments import services
from payments.models import Checkout


class AmountSerializer(serializers.Serializer[Any]):
    amount_cents = serializers.IntegerField(
        required=False, allow_null=True, help_text="All that is owed, when left out."
    )


class CheckoutSerializer(serializers.ModelSerializer[Checkout]):
    class Meta:
        model = Checkout
        fields = ["id", "amount_cents", "state", "url", "created_at"]


class CheckoutView(APIView):
    """Opens a page where the payer pays; the page of the same amount again within half an hour."""

    permission_classes = [HasPatient]

    @extend_schema(request=AmountSerializer, responses={201: CheckoutSerializer})
    def post(self, request: Request) -> Response:
        asked = AmountSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        amount = asked.validated_data.get("amount_cents")
        checkout = services.open_checkout(
            payer=payer_of(request), amount_cents=amount, opened_by=account_of(request)
        )
        return Response(CheckoutSerializer(checkout).data, status=status.HTTP_201_CREATED)


api_urlpatterns = [path("payments/checkout/", CheckoutView.as_view(), name="checkout")]
