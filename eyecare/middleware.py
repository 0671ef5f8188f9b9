"""Turns refusals that nobody handled into a page with the sentence, instead of a 500."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from eyecare.errors import Refusal

Handler = Callable[[HttpRequest], HttpResponse]


class Refusals:
    """Shows a Refusal that leaves a view as a page of its own, with its status."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Refusal):
            return None
        template = "404.html" if exception.status == 404 else "eyecare/refusal.html"
        return render(request, template, {"refusal": exception}, status=exception.status)
