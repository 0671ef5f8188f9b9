"""The phone simulator, and what the text message provider tells us."""

from django.urls import path

from messaging import views

app_name = "messaging"
urlpatterns = [
    path("phones/", views.phones, name="phones"),
    path("phones/<str:number>/", views.phone, name="phone"),
]
