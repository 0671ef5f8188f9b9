"""Every door of the house."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from eyecare import api


def _if_there(prefix, module):
    return [path(prefix, include(module))] if find_spec(module) else []


urlpatterns = [
    *_if_there("chat/", "chatbot.urls"),
    *_if_there("appointments/", "appointments.urls"),
    *_if_there("orders/", "orders.urls"),
    *_if_there("dues/", "billing.urls"),
    *_if_there("", "payments.urls"),
    *_if_there("", "messaging.urls"),
    *_if_there("people/", "patients.urls"),
    path("account/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include((api.urlpatterns, "api"))),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
]
if find_spec("eyecare.views"):
    from eyecare import views

    urlpatterns += [path("", include(([path("", views.home, name="home")], "eyecare")))]
    if hasattr(views, "health"):
        urlpatterns += [path("health/", views.health, name="health")]
