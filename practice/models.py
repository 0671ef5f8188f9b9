"""The practice itself: where it is, who works there, when it is open, what it tells everyone."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from eyecare import clock


class Weekday(models.IntegerChoices):
    """Days as Python counts them: Monday is 0."""

    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class Practice(models.Model):
    """The one practice that this portal serves."""

    only = models.BooleanField(default=True, editable=False, unique=True)
    name = models.CharField(max_length=120)
    phone = PhoneNumberField()
    email = models.EmailField()
    emergency_phone = PhoneNumberField(blank=True)
    time_zone = models.CharField(max_length=60, default="America/New_York")
    quiet_from = models.TimeField(help_text="No message that can wait leaves after this.", default="20:00")
    quiet_until = models.TimeField(help_text="Nor before this.", default="09:00")
    statement_minimum_cents = models.PositiveIntegerField(default=500)

    class Meta:
        verbose_name_plural = "practice"
        constraints = [models.CheckConstraint(condition=Q(only=True), name="there_is_one_practice")]

    def __str__(self) -> str:
        return self.name


class Location(models.Model):
    """A place where patients are seen."""

    name = models.CharField(max_length=80, unique=True)
    address = models.CharField(max_length=200)
    phone = PhoneNumberField()
    directions = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ProviderQuerySet(models.QuerySet["Provider"]):
    def active(self) -> Self:
        return self.filter(is_active=True)


class Provider(models.Model):
    """Somebody whom patients are booked with."""

    first_name = models.CharField(max_length=60)
    last_name = models.CharField(max_length=60)
    credentials = models.CharField(max_length=20, help_text="OD, MD, ABOC …")
    account = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="provider"
    )
    locations = models.ManyToManyField(Location, related_name="providers", blank=True)
    is_active = models.BooleanField(default=True)

    objects = ProviderQuerySet.as_manager()

    class Meta:
        ordering = ["last_name", "first_name"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        title = "Dr. " if self.credentials.upper() in {"OD", "MD", "DO"} else ""
        return f"{title}{self.first_name} {self.last_name}"


class OpeningHours(models.Model):
    """When a location's door is open in a normal week; the diary has hours of its own."""

    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="opening_hours")
    weekday = models.PositiveSmallIntegerField(choices=Weekday)
    opens_at = models.TimeField()
    closes_at = models.TimeField()

    class Meta:
        ordering = ["location", "weekday", "opens_at"]
        verbose_name_plural = "opening hours"
        constraints = [
            models.CheckConstraint(
                condition=Q(closes_at__gt=F("opens_at")),
                name="a_location_closes_after_it_opens",
                violation_error_message="A location must close after it opens.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.location} {self.get_weekday_display()} {self.opens_at:%H:%M}–{self.closes_at:%H:%M}"


class NoticeQuerySet(models.QuerySet["Notice"]):
    def current(self) -> Self:
        now = clock.now()
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now), starts_at__lte=now)


class Notice(models.Model):
    """Something that every patient should read on the portal."""

    title = models.CharField(max_length=120)
    body = models.TextField()
    starts_at = models.DateTimeField(default=clock.now)
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="a_notice_ends_after_it_starts",
                violation_error_message="A notice must end after it starts.",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Series(models.Model):
    """Where a series of numbers stands: patients' numbers, order numbers."""

    prefix = models.CharField(max_length=4, unique=True)
    last = models.PositiveIntegerField(default=100_000)

    class Meta:
        verbose_name_plural = "series"

    def __str__(self) -> str:
        return f"{self.prefix}{self.last}"


class AuditEvent(models.Model):
    """Who did what to which row, when and from where. Written by database triggers; append-only."""

    class Action(models.TextChoices):
        INSERT = "insert", _("written")
        UPDATE = "update", _("changed")
        DELETE = "delete", _("deleted")
        READ = "read", _("read")

    at = models.DateTimeField()
    action = models.CharField(max_length=10, choices=Action)
    table = models.CharField(max_length=80)
    row = models.CharField(max_length=40)
    changes = models.JSONField(default=dict)
    actor = models.CharField(max_length=60, blank=True)
    channel = models.CharField(max_length=20, blank=True)
    address = models.CharField(max_length=45, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # the history of one row, in admin
            models.Index(fields=["table", "row"], name="audit_by_row"),
            # what one member of staff looked at
            models.Index(fields=["actor", "at"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor or 'system'} {self.get_action_display()} {self.table}"
