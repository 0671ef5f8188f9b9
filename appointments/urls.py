"""The diary's pages for patients."""

from django.urls import path

from appointments import views

app_name = "appointments"
urlpatterns = [
    path("", views.visits, name="list"),
    path("book/", views.choose_visit, name="book"),
    path("book/<slug:slug>/", views.choose_time, name="times"),
    path("book/<slug:slug>/<str:key>/", views.book, name="book_time"),
    path("<uuid:appointment_id>/", views.detail, name="detail"),
    path("<uuid:appointment_id>/confirm/", views.confirm, name="confirm"),
    path("<uuid:appointment_id>/move/", views.move, name="move"),
    path("<uuid:appointment_id>/move/<str:key>/", views.move_to, name="move_to"),
    path("<uuid:appointment_id>/cancel/", views.cancel, name="cancel"),
]
