"""Who waits for which time, what came free, and to whom it was offered."""

import uuid
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from appointments.models.appointment import Appointment
from appointments.models.visit_type import VisitType
from eyecare import clock
from messaging.models import Message
from patients.models import Patient
from practice.models import Location, Provider


class WaitlistEntryQuerySet(models.QuerySet["WaitlistEntry"]):
    def for_patient(self, patient: Patient) -> Self:
        return self.filter(patient=patient)

    def waiting(self) -> Self:
        """Return the wishes that still stand: not fulfilled, not withdrawn, their last day not over."""
        still = Q(last_day=None) | Q(last_day__gte=clock.today())
        return self.filter(still, state=WaitlistEntry.State.WAITING)

    def with_details(self) -> Self:
        return self.select_related("patient", "visit_type", "provider", "location", "moving")


class WaitlistEntry(models.Model):
    """A patient's wish for a time that is not free yet; empty means any."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        BOOKED = "booked", _("booked")
        WITHDRAWN = "withdrawn", _("withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="waitlist_entries")
    visit_type = models.ForeignKey(VisitType, on_delete=models.PROTECT, related_name="waitlist_entries")
    provider = models.ForeignKey(Provider, null=True, blank=True, on_delete=models.PROTECT)
    location = models.ForeignKey(Location, null=True, blank=True, on_delete=models.PROTECT)
    moving = models.ForeignKey(
        Appointment,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="waitlist_entries",
        help_text="The visit that would move to an earlier time.",
    )
    first_day = models.DateField()
    last_day = models.DateField(null=True, blank=True)
    weekdays = models.JSONField(default=list, blank=True, help_text="Monday is 0; empty: any day.")
    from_time = models.TimeField(null=True, blank=True, help_text="Not before; empty: any time.")
    until_time = models.TimeField(null=True, blank=True, help_text="To begin before this.")
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    channel = models.CharField(
        max_length=5, choices=Appointment.Channel, default=Appointment.Channel.STAFF, editable=False
    )
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = WaitlistEntryQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        verbose_name_plural = "waitlist"
        indexes = [
            models.Index(fields=["visit_type", "created_at"], name="waiting", condition=Q(state="waiting"))
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day=None) | Q(last_day__gte=F("first_day")),
                name="a_wish_ends_after_it_begins",
                violation_error_message="The last day must not lie before the first.",
            ),
            models.CheckConstraint(
                condition=Q(from_time=None) | Q(until_time=None) | Q(until_time__gt=F("from_time")),
                name="a_wished_time_of_day_ends_after_it_begins",
                violation_error_message="The time of day must end after it begins.",
            ),
            models.UniqueConstraint(
                fields=["patient", "visit_type"],
                condition=Q(state="waiting"),
                name="a_patient_waits_once_for_a_kind_of_visit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.patient} waits for {self.visit_type}"


class Opening(models.Model):
    """A time that came free and goes through the waitlist, a few people at a time."""

    class State(models.TextChoices):
        NEW = "new", _("to be offered")
        OFFERED = "offered", _("offered")
        TAKEN = "taken", _("taken")
        CLOSED = "closed", _("free for everybody")

    freed_by = models.OneToOneField(Appointment, on_delete=models.CASCADE, related_name="opening")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT)
    location = models.ForeignKey(Location, on_delete=models.PROTECT)
    busy_from = models.DateTimeField()
    busy_until = models.DateTimeField()
    state = models.CharField(max_length=7, choices=State, default=State.NEW)
    round = models.PositiveSmallIntegerField(default=0, help_text="How often some were asked.")
    hold = models.ForeignKey(
        Appointment, null=True, blank=True, on_delete=models.SET_NULL, related_name="held_for_opening"
    )
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["created_at"], name="opening_to_work_on", condition=Q(state__in=["new", "offered"])
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {timezone.localtime(self.busy_from):%Y-%m-%d %H:%M}"


class WaitlistOfferQuerySet(models.QuerySet["WaitlistOffer"]):
    def open(self) -> Self:
        return self.filter(state=WaitlistOffer.State.OFFERED, answer_until__gt=clock.now())


class WaitlistOffer(models.Model):
    """One time offered to one person: what was asked, until when, and what came of it."""

    class State(models.TextChoices):
        OFFERED = "offered", _("asked")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")
        LOST = "lost", _("somebody else was first")
        LAPSED = "lapsed", _("no answer in time")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    entry = models.ForeignKey(WaitlistEntry, on_delete=models.CASCADE, related_name="offers")
    opening = models.ForeignKey(Opening, on_delete=models.CASCADE, related_name="offers")
    starts_at = models.DateTimeField()
    answer_until = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.OFFERED)
    message = models.OneToOneField(Message, null=True, blank=True, on_delete=models.SET_NULL)
    offered_at = models.DateTimeField(default=clock.now)
    answered_at = models.DateTimeField(null=True, blank=True)

    objects = WaitlistOfferQuerySet.as_manager()

    class Meta:
        ordering = ["-offered_at"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "opening"], name="a_time_is_offered_once_to_each_wish"),
            models.UniqueConstraint(
                fields=["entry"], condition=Q(state="offered"), name="a_wish_has_one_open_offer"
            ),
            models.UniqueConstraint(
                fields=["opening"], condition=Q(state="accepted"), name="the_first_yes_wins"
            ),
        ]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.starts_at):%Y-%m-%d %H:%M}: {self.get_state_display()}"
