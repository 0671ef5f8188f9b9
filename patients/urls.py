"""Whose record is open, and what that person agreed to."""

from django.urls import path

from patients import views

app_name = "patients"
urlpatterns = [
    path("open/", views.open_record, name="open"),
    path("profile/", views.profile, name="profile"),
]
