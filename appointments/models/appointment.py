"""What is booked, held and over: every appointment with its history."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from appointments.models.visit_type import Resource, VisitType
from eyecare import clock
from patients.models import Patient
from practice.models import Location, Provider


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def for_patient(self, patient: Patient) -> Self:
        return self.filter(patient=patient)

    def visits(self) -> Self:
        """Leave out what is or was only held."""
        return self.exclude(state__in=Appointment.HOLDS)

    def active(self) -> Self:
        return self.filter(state__in=Appointment.ACTIVE)

    def occupying(self) -> Self:
        """Return what takes the provider's time now: visits, and holds that have not run out."""
        return self.filter(Q(state__in=Appointment.ACTIVE) | self._standing_hold())

    def held(self) -> Self:
        """Return the holds that have not run out."""
        return self.filter(self._standing_hold())

    def run_out(self) -> Self:
        """Return the holds whose time is over and that nobody has given back yet."""
        return self.filter(state=Appointment.State.HELD, held_until__lte=clock.now())

    @staticmethod
    def _standing_hold() -> Q:
        return Q(state=Appointment.State.HELD, held_until__gt=clock.now())

    def upcoming(self) -> Self:
        return self.active().filter(starts_at__gte=clock.now()).order_by("starts_at")

    def past(self) -> Self:
        over = Q(starts_at__lt=clock.now()) | ~Q(state__in=Appointment.ACTIVE)
        return self.visits().filter(over).order_by("-starts_at")

    def with_details(self) -> Self:
        return self.select_related("visit_type", "provider", "location", "patient")


class Appointment(models.Model):
    """A time that is held for or promised to a patient. Never deleted; cancelled and moved are states."""

    class State(models.TextChoices):
        HELD = "held", _("held")
        RELEASED = "released", _("no longer held")
        BOOKED = "booked", _("booked")
        CONFIRMED = "confirmed", _("confirmed")
        ARRIVED = "arrived", _("arrived")
        IN_EXAM = "in_exam", _("in exam")
        DONE = "done", _("done")
        NO_SHOW = "no_show", _("did not come")
        CANCELLED = "cancelled", _("cancelled")
        MOVED = "moved", _("moved")  # its successor carries on

    ACTIVE = (State.BOOKED, State.CONFIRMED, State.ARRIVED, State.IN_EXAM)
    """States of a visit that takes place; with HELD they are what the overlap constraints name."""

    HOLDS = (State.HELD, State.RELEASED)
    """States of a time that was not promised to anybody yet."""

    class Channel(models.TextChoices):
        WEB = "web", _("portal")
        CHAT = "chat", _("chat")
        SMS = "sms", _("text message")
        STAFF = "staff", _("front desk")
        API = "api", _("API")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    lineage = models.UUIDField(
        default=uuid.uuid4, editable=False, help_text="The same for a visit through all its moves."
    )
    # only a time held for several people on the waitlist has no patient yet (see the constraint)
    patient: "models.ForeignKey[Patient | None, Patient]" = models.ForeignKey(  # type: ignore[misc]
        Patient, null=True, on_delete=models.PROTECT, related_name="appointments"
    )
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
    held_until = models.DateTimeField(null=True, blank=True, editable=False)
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
            # availability reads what a provider has in a range of days, from the index alone
            models.Index(
                fields=["provider", "busy_from", "busy_until", "state", "held_until"],
                name="appointment_busy_times",
            ),
            models.Index(fields=["patient", "-starts_at"], name="appointment_by_patient"),
            # who has had which visits: without it SQLite goes through all visits of the kind for each patient
            models.Index(fields=["patient", "state", "visit_type"], name="appointment_had_by_patient"),
            models.Index(fields=["starts_at"], name="appointment_by_start"),
            # the sweep gives back what ran out
            models.Index(fields=["held_until"], name="appointment_hold", condition=Q(state="held")),
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
            models.CheckConstraint(
                condition=Q(patient__isnull=False) | Q(state__in=["held", "released"]),
                name="an_appointment_is_somebodys",
            ),
            models.CheckConstraint(
                condition=Q(held_until__isnull=False) | ~Q(state="held"), name="a_hold_runs_out"
            ),
            models.UniqueConstraint(
                fields=["lineage"],
                condition=Q(state__in=["booked", "confirmed", "arrived", "in_exam"]),
                name="a_visit_stands_in_the_diary_once",
            ),
            models.UniqueConstraint(
                fields=["lineage"], condition=Q(state="held"), name="a_visit_is_held_one_new_time"
            ),
            models.UniqueConstraint(
                fields=["patient"], condition=Q(state="held"), name="a_patient_is_held_one_time"
            ),
            models.UniqueConstraint(
                fields=["patient", "idempotency_key"], name="one_appointment_for_each_request_of_a_patient"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.visit_type} with {self.provider}"

    @property
    def is_held(self) -> bool:
        return self.state == self.State.HELD and self.held_until is not None and self.held_until > clock.now()

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE

    @property
    def is_upcoming(self) -> bool:
        return self.is_active and self.starts_at > clock.now()


class ResourceBooking(models.Model):
    """A room or machine that an appointment or a hold takes; `is_active` follows its state by a trigger."""

    appointment = models.ForeignKey(Appointment, on_delete=models.CASCADE, related_name="resource_bookings")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="bookings")
    lineage = models.UUIDField(editable=False)
    busy_from = models.DateTimeField()
    busy_until = models.DateTimeField()
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["busy_from"]
        indexes = [models.Index(fields=["resource", "busy_from"], name="booking_by_resource")]
        constraints = [
            models.UniqueConstraint(
                fields=["appointment", "resource"], name="an_appointment_takes_a_resource_once"
            ),
            models.CheckConstraint(
                condition=Q(busy_until__gt=F("busy_from")), name="a_resource_is_taken_for_some_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource} {self.busy_from:%Y-%m-%d %H:%M}"


class AppointmentEvent(models.Model):
    """One step in an appointment's life: who, when, why, through which channel."""

    appointment = models.ForeignKey(Appointment, on_delete=models.CASCADE, related_name="events")
    from_state = models.CharField(max_length=10, choices=Appointment.State, blank=True)
    to_state = models.CharField(max_length=10, choices=Appointment.State)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    channel = models.CharField(max_length=5, choices=Appointment.Channel)
    reason = models.CharField(max_length=200, blank=True)
    is_override = models.BooleanField(
        default=False, help_text="A rule was left on purpose; the reason says why."
    )
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_override=False) | ~Q(reason=""), name="who_overrides_a_rule_says_why"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_to_state_display()} {self.at:%Y-%m-%d %H:%M}"
