"""What can be booked, and the rooms and machines that it needs."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from practice.models import Location, Provider


class ResourceKind(models.Model):
    """A kind of room or machine: any one of the kind will do."""

    name = models.CharField(max_length=80, unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name = "kind of room or machine"
        verbose_name_plural = "kinds of rooms and machines"

    def __str__(self) -> str:
        return self.name


class Resource(models.Model):
    """One room or machine: it serves one visit at a time, as a provider does."""

    kind = models.ForeignKey(ResourceKind, on_delete=models.PROTECT, related_name="resources")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="resources")
    name = models.CharField(max_length=80)
    is_active = models.BooleanField(default=True, help_text="Off while it is being repaired.")

    class Meta:
        ordering = ["location", "name"]
        verbose_name = "room or machine"
        verbose_name_plural = "rooms and machines"
        constraints = [
            models.UniqueConstraint(
                fields=["location", "name"], name="a_room_or_machine_has_a_name_of_its_own_at_its_location"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.location}"


class VisitType(models.Model):
    """A kind of visit: how long it takes, who does it, what the patient must know before."""

    class For(models.TextChoices):
        ANYONE = "anyone", _("everybody")
        NEW = "new", _("new patients only")
        KNOWN = "known", _("patients who have been here only")

    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(unique=True)
    also_called = models.JSONField(default=list, blank=True, help_text="Patients' own words for it.")
    description = models.CharField(max_length=200, blank=True)
    minutes = models.PositiveSmallIntegerField()
    buffer_before_minutes = models.PositiveSmallIntegerField(default=0)
    buffer_after_minutes = models.PositiveSmallIntegerField(default=0)
    may_dilate = models.BooleanField(default=False)
    preparation = models.TextField(blank=True)
    is_online = models.BooleanField(default=True, help_text="Patients may book it themselves.")
    is_urgent = models.BooleanField(
        default=False, help_text="May use the time that is kept for urgent visits."
    )
    intended_for = models.CharField(max_length=6, choices=For, default=For.ANYONE)
    minimum_notice_hours = models.PositiveSmallIntegerField(default=2, help_text="To book it online.")
    move_notice_hours = models.PositiveSmallIntegerField(
        default=2, help_text="Patients may move it until so many hours before."
    )
    cancel_notice_hours = models.PositiveSmallIntegerField(
        default=2, help_text="Patients may cancel it until so many hours before."
    )
    horizon_days = models.PositiveSmallIntegerField(
        default=180, help_text="How far ahead patients may book it."
    )
    providers = models.ManyToManyField(Provider, related_name="visit_types")
    locations = models.ManyToManyField(
        Location, related_name="visit_types", blank=True, help_text="Empty: wherever its providers are."
    )
    needs = models.ManyToManyField(
        ResourceKind,
        related_name="visit_types",
        blank=True,
        help_text="One of each kind, for the whole visit.",
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(minutes__gte=5), name="a_visit_takes_at_least_five_minutes"),
            # so that availability knows how far back to read: see reading.LONGEST_VISIT
            models.CheckConstraint(
                condition=Q(minutes__lte=1440 - F("buffer_before_minutes") - F("buffer_after_minutes")),
                name="a_visit_with_its_buffers_takes_a_day_at_most",
                violation_error_message="A visit with the time before and after it takes a day at most.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def length(self) -> timedelta:
        return timedelta(minutes=self.minutes)

    @property
    def buffer_before(self) -> timedelta:
        return timedelta(minutes=self.buffer_before_minutes)

    @property
    def buffer_after(self) -> timedelta:
        return timedelta(minutes=self.buffer_after_minutes)
