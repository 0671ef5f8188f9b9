"""Stripe's webhook: verify, keep, queue, answer."""

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments import services
from payments.backends import stripe


@csrf_exempt
@require_POST
def stripe_event(request: HttpRequest) -> HttpResponse:
    try:
        told = stripe.read_event(request.body, request.headers.get("Stripe-Signature", ""))
    except stripe.Forged as forged:
        return HttpResponseBadRequest(str(forged), content_type="text/plain")
    services.nudge(services.keep_event(told.provider_id, told.kind, told.payload))
    return HttpResponse("kept", content_type="text/plain")
