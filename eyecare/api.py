"""The API of the house: every app's entries under one roof."""

from importlib import import_module
from importlib.util import find_spec

from django.urls import URLPattern, URLResolver
from rest_framework.routers import SimpleRouter

APPS = ("practice", "appointments", "orders", "billing", "payments", "chatbot", "workshop")


def _urls() -> list[URLPattern | URLResolver]:
    """Return the routes of every app: `router_entries` are viewsets, `api_urlpatterns` are views."""
    router = SimpleRouter()
    urls: list[URLPattern | URLResolver] = []
    for app in APPS:
        if find_spec(f"{app}.api") is None:
            continue
        module = import_module(f"{app}.api")
        urls += getattr(module, "api_urlpatterns", [])
        for prefix, viewset, basename in getattr(module, "router_entries", []):
            router.register(prefix, viewset, basename)
    return urls + router.urls


urlpatterns = _urls()
