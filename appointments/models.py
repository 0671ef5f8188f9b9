"""The diary's rows: what can be booked, when providers work, what is booked."""

import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from eyecare import clock
from messaging.models import Message
from patients.models import Patient
from practice.models import Location, Provider, Weekday


class VisitType(models.Model):
    """A kind of visit: how long it takes, who does it, what the patient must know before."""

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
    minimum_notice_hours = models.PositiveSmallIntegerField(default=2, help_text="To book it online.")
    change_notice_hours = models.PositiveSmallIntegerField(
        default=2, help_text="Patients may move or cancel it until so many hours before."
    )
    horizon_days = models.PositiveSmallIntegerField(default=180)
    providers = models.ManyToManyField(Provider, related_name="visit_types")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(minutes__gte=5), name="a_visit_takes_at_least_five_minutes")
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


class WeeklyHours(models.Model):
    """A provider's hours at a location, in wall-clock time, every week."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="weekly_hours")
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="weekly_hours")
    weekday = models.PositiveSmallIntegerField(choices=Weekday)
    starts_at = models.TimeField()
    ends_at = models.TimeField()

    class Meta:
        ordering = ["provider", "weekday", "starts_at"]
        verbose_name_plural = "weekly hours"
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="weekly_hours_end_after_they_start",
                violation_error_message="Hours must end after they start.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.get_weekday_display()} {self.starts_at:%H:%M}–{self.ends_at:%H:%M}"


class ScheduleException(models.Model):
    """A dated change to the weekly hours: leave, a holiday for everyone, an extra clinic."""

    class Kind(models.TextChoices):
        CLOSED = "closed", _("closed")
        EXTRA = "extra", _("extra hours")

    kind = models.CharField(max_length=6, choices=Kind)
    date = models.DateField()
    provider = models.ForeignKey(
        Provider, null=True, blank=True, on_delete=models.CASCADE, help_text="Empty: the whole practice."
    )
    location = models.ForeignKey(Location, null=True, blank=True, on_delete=models.CASCADE)
    starts_at = models.TimeField(null=True, blank=True, help_text="Empty: all day.")
    ends_at = models.TimeField(null=True, blank=True)
    reason = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["-date"]
        indexes = [models.Index(fields=["date"], name="exception_by_date")]
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_at=None, ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="an_exception_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(kind="closed")
                | Q(starts_at__isnull=False, provider__isnull=False, location__isnull=False),
                name="extra_hours_have_a_provider_place_and_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.get_kind_display()} {self.provider or 'everyone'}"


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def for_patient(self, patient: Patient) -> Self:
        return self.filter(patient=patient)

    def active(self) -> Self:
        return self.filter(state__in=Appointment.ACTIVE)

    def upcoming(self) -> Self:
        return self.active().filter(starts_at__gte=clock.now()).order_by("starts_at")

    def past(self) -> Self:
        return self.filter(Q(starts_at__lt=clock.now()) | ~Q(state__in=Appointment.ACTIVE)).order_by(
            "-starts_at"
        )

    def with_details(self) -> Self:
        return self.select_related("visit_type", "provider", "location", "patient")


class Appointment(models.Model):
    """A time that is promised to a patient. Never deleted; cancelled and moved are states."""

    class State(models.TextChoices):
        BOOKED = "booked", _("booked")
        CONFIRMED = "confirmed", _("confirmed")
        ARRIVED = "arrived", _("arrived")
        DONE = "done", _("done")
        NO_SHOW = "no_show", _("did not come")
        CANCELLED = "cancelled", _("cancelled")
        MOVED = "moved", _("moved")  # its successor carries on

    ACTIVE = (State.BOOKED, State.CONFIRMED, State.ARRIVED)
    """States that occupy the provider and the patient; the overlap constraints name the same."""

    class Channel(models.TextChoices):
        WEB = "web", _("portal")
        CHAT = "chat", _("chat")
        SMS = "sms", _("text message")
        STAFF = "staff", _("front desk")
        API = "api", _("API")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="appointments")
    visit_type = models.ForeignKey(VisitType, on_delete=models.PROTECT, related_name="appointments")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="appointments")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="appointments")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    busy_from = models.DateTimeField(
        editable=False, help_text="Start of the provider's time, buffer included."
    )
    busy_until = models.DateTimeField(editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.BOOKED)
    moved_from = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="moved_to", editable=False
    )
    channel = models.CharField(max_length=5, choices=Channel, default=Channel.STAFF)
    note = models.CharField(max_length=200, blank=True, help_text="For the front desk.")
    idempotency_key = models.CharField(max_length=80, null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at"]
        indexes = [
            # availability reads what a provider has in a range of days
            models.Index(fields=["provider", "busy_from"], name="appointment_by_provider"),
            models.Index(fields=["patient", "-starts_at"], name="appointment_by_patient"),
            models.Index(fields=["starts_at"], name="appointment_by_start"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="appointment_ends_after_it_starts",
                violation_error_message="An appointment must end after it starts.",
            ),
            models.CheckConstraint(
                condition=Q(busy_from__lte=F("starts_at"), busy_until__gte=F("ends_at")),
                name="buffers_lie_around_the_appointment",
            ),
            models.UniqueConstraint(
                fields=["patient", "idempotency_key"], name="one_appointment_for_each_request_of_a_patient"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.visit_type} with {self.provider}"

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE

    @property
    def is_upcoming(self) -> bool:
        return self.is_active and self.starts_at > clock.now()


class AppointmentEvent(models.Model):
    """One step in an appointment's life: who, when, why, through which channel."""

    appointment = models.ForeignKey(Appointment, on_delete=models.CASCADE, related_name="events")
    from_state = models.CharField(max_length=10, choices=Appointment.State, blank=True)
    to_state = models.CharField(max_length=10, choices=Appointment.State)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    channel = models.CharField(max_length=5, choices=Appointment.Channel)
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.get_to_state_display()} {self.at:%Y-%m-%d %H:%M}"


class ReminderRule(models.Model):
    """How long before a visit the patient is reminded."""

    hours_before = models.PositiveSmallIntegerField()
    visit_type = models.ForeignKey(
        VisitType, null=True, blank=True, on_delete=models.CASCADE, help_text="Empty: all."
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["-hours_before"]
        constraints = [
            models.UniqueConstraint(
                fields=["hours_before", "visit_type"], name="one_rule_for_each_lead_time_of_a_visit_type"
            ),
            models.UniqueConstraint(
                fields=["hours_before"],
                condition=Q(visit_type=None),
                name="one_rule_for_each_lead_time_of_all_visits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hours_before} hours before"


class Reminder(models.Model):
    """A reminder of one appointment at one time: a row, never a flag."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        QUEUED = "queued", _("in the outbox")
        DROPPED = "dropped", _("dropped")

    appointment = models.ForeignKey(Appointment, on_delete=models.CASCADE, related_name="reminders")
    rule = models.ForeignKey(ReminderRule, on_delete=models.PROTECT)
    starts_at = models.DateTimeField(help_text="The time that it speaks of.")
    due_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    message = models.OneToOneField(Message, null=True, blank=True, on_delete=models.SET_NULL)

    class Meta:
        ordering = ["due_at"]
        indexes = [models.Index(fields=["due_at"], name="reminder_due", condition=Q(state="waiting"))]
        constraints = [
            models.UniqueConstraint(
                fields=["appointment", "rule", "starts_at"], name="one_reminder_for_each_rule_and_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.get_state_display()}"
