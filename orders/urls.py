"""A patient's lens orders."""

from django.urls import path

from orders import views

app_name = "orders"
urlpatterns = [
    path("", views.orders, name="list"),
    path("<uuid:order_id>/", views.detail, name="detail"),
]
