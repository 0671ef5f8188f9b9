"""The phone simulator: a newcomer plays a patient's phone. It exists in the demo only."""

import uuid
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.middleware import HtmxDetails
from phonenumber_field.phonenumber import PhoneNumber
from phonenumbers import NumberParseException

from messaging import services
from messaging.forms import TextForm
from messaging.thread import thread
from practice import services as practice

View = Callable[..., HttpResponse]


def demo_only(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        if not settings.DEMO:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@demo_only
def phones(request: HttpRequest) -> HttpResponse:
    return render(request, "messaging/phones.html", {"phone": None})


@require_http_methods(["GET", "HEAD", "POST"])
@demo_only
def phone(request: HttpRequest, number: str) -> HttpResponse:
    sender = _number(number)
    form = TextForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        _send(sender, form.cleaned_data["body"])
        if not HtmxDetails(request):
            return redirect("messaging:phone", sender)
    template = "messaging/_thread.html" if HtmxDetails(request) else "messaging/phones.html"
    return render(request, template, {"phone": sender, "lines": thread(sender)})


def _send(sender: str, body: str) -> None:
    services.receive(
        provider_id=f"simulator-{uuid.uuid4()}",
        sender=sender,
        recipient=str(practice.current().phone),
        body=body,
    )


def _number(text: str) -> str:
    try:
        number = PhoneNumber.from_string(text)
    except NumberParseException as error:
        raise Http404 from error
    if not number.is_valid():
        raise Http404
    return number.as_e164
