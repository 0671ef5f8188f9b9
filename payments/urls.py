"""Paying, and what the card service tells us."""

from django.urls import path

from payments import views, webhooks

app_name = "payments"
urlpatterns = [
    path("dues/pay/", views.pay, name="pay"),
    path("pay/demo/<uuid:checkout_id>/", views.demo, name="demo"),
    path("pay/back/<uuid:checkout_id>/", views.back, name="back"),
    path("webhooks/stripe/", webhooks.stripe_event, name="stripe"),
]
