"""The links under which patients' own calendars fetch their visits."""

import secrets

from django.db import models

from eyecare import clock
from patients.models import Patient


def new_token() -> str:
    return secrets.token_urlsafe(32)


class CalendarLink(models.Model):
    """A patient's calendar subscription: who knows the token may read when the visits are, nothing else."""

    patient = models.OneToOneField(Patient, on_delete=models.CASCADE, related_name="calendar_link")
    token = models.CharField(max_length=43, unique=True, default=new_token, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return f"Calendar of {self.patient}"
