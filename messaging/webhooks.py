"""What Twilio tells us: a text came in, or one of ours went a step further. Verified, kept, answered 200."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseForbidden
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from messaging import services
from messaging.backends import twilio
from messaging.models import Message

Webhook = Callable[[HttpRequest], HttpResponse]

NO_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""Answers go through the outbox, so that each is a row and is sent once."""


def from_twilio(webhook: Webhook) -> Webhook:
    """Turn away whatever Twilio has not signed, before anything is read of it."""

    @csrf_exempt
    @require_POST
    @wraps(webhook)
    def verified(request: HttpRequest) -> HttpResponse:
        signature = request.headers.get("X-Twilio-Signature", "")
        if not twilio.is_genuine(request.get_full_path(), request.POST, signature):
            return HttpResponseForbidden("The signature does not match.", content_type="text/plain")
        return webhook(request)

    return verified


@from_twilio
def text(request: HttpRequest) -> HttpResponse:
    """Keep a text that a patient sent."""
    form = request.POST
    provider_id, sender = form.get("MessageSid", ""), form.get("From", "")
    if not (0 < len(provider_id) <= 64 and 0 < len(sender) <= 20):
        return HttpResponseBadRequest("MessageSid and From are needed.", content_type="text/plain")
    services.receive(
        provider_id=provider_id, sender=sender, recipient=form.get("To", "")[:20], body=form.get("Body", "")
    )
    return HttpResponse(NO_ANSWER, content_type="text/xml")


@from_twilio
def status(request: HttpRequest) -> HttpResponse:
    """Take note of what became of a text of ours; a status that we do not know is none of our business."""
    state = twilio.FATES.get(request.POST.get("MessageStatus", ""))
    if state is None:
        return HttpResponse(status=204)
    failed = state == Message.State.FAILED
    services.learn_fate(
        reference=request.GET.get("reference", ""),
        provider_id=request.POST.get("MessageSid", "")[:64],
        state=state,
        failure=twilio.failure(request.POST.get("ErrorCode", "")) if failed else None,
    )
    return HttpResponse(status=204)
