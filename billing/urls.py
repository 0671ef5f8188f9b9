"""What a patient sees of the money."""

from django.urls import path

from billing import views

app_name = "billing"
urlpatterns = [
    path("", views.dues, name="dues"),
    path("statements/", views.statements, name="statements"),
    path("statements/<uuid:statement_id>/", views.statement, name="statement"),
]
