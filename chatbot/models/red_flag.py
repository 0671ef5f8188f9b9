"""What the assistant watches for."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RedFlag(models.Model):
    """A sign that must not wait for a routine visit; a clinician of the practice signs the list."""

    class Level(models.TextChoices):
        EMERGENCY = "emergency", _("emergency: now")
        URGENT = "urgent", _("urgent: today")

    name = models.CharField(max_length=80, unique=True)
    level = models.CharField(max_length=10, choices=Level)
    patterns = models.JSONField(
        help_text="Any of these: each a list of word groups that must stand near each other."
    )
    exclusions = models.JSONField(default=list, blank=True, help_text="Look-alikes that are no red flag.")
    advice = models.TextField(help_text="What the patient is told, word for word.")
    source = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    approved_by = models.CharField(max_length=80, blank=True, help_text="The clinician who signed it.")
    approved_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["level", "name"]

    def __str__(self) -> str:
        return self.name
