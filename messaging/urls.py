"""The phone simulator, and what the text message provider tells us."""

from django.urls import path

from messaging import views, webhooks

app_name = "messaging"
urlpatterns = [
    path("phones/", views.phones, name="phones"),
    path("phones/<str:number>/", views.phone, name="phone"),
    path("webhooks/twilio/", webhooks.text, name="twilio"),
    path("webhooks/twilio/status/", webhooks.status, name="twilio_status"),
]
