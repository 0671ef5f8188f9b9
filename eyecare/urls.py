"""Every door of the house."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from eyecare import api, views

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler500 = "eyecare.views.trouble"
urlpatterns = [
    path("", include(([path("", views.home, name="home")], "eyecare"))),
    path("chat/", include("chatbot.urls")),
    path("appointments/", include("appointments.urls")),
    path("orders/", include("orders.urls")),
    path("dues/", include("billing.urls")),
    path("", include("payments.urls")),
    path("", include("messaging.urls")),
    path("people/", include("patients.urls")),
    path("account/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include((api.urlpatterns, "api"))),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
]
