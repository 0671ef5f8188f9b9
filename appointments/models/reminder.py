"""When patients are reminded of a visit, and every reminder as a row."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from appointments.models.appointment import Appointment
from appointments.models.visit_type import VisitType
from eyecare import clock
from messaging.models import Message


class ReminderRule(models.Model):
    """How long before a visit the patient is reminded, and through what."""

    class Unit(models.TextChoices):
        HOURS = "hours", _("hours before")
        DAYS = "days", _("days before")

    class Channels(models.TextChoices):
        TEXT_ELSE_EMAIL = "sms,email", _("text message, else e-mail")
        EMAIL_ELSE_TEXT = "email,sms", _("e-mail, else text message")
        TEXT = "sms", _("text message only")
        EMAIL = "email", _("e-mail only")

    lead = models.PositiveSmallIntegerField()
    unit = models.CharField(max_length=5, choices=Unit, default=Unit.HOURS)
    at_time = models.TimeField(
        null=True, blank=True, help_text="For days: at this time of day. Empty: at the hour of the visit."
    )
    channels = models.CharField(max_length=9, choices=Channels, default=Channels.TEXT_ELSE_EMAIL)
    visit_type = models.ForeignKey(
        VisitType, null=True, blank=True, on_delete=models.CASCADE, help_text="Empty: all."
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["unit", "-lead"]
        constraints = [
            models.UniqueConstraint(
                fields=["lead", "unit", "visit_type"], name="one_rule_for_each_lead_time_of_a_visit_type"
            ),
            models.UniqueConstraint(
                fields=["lead", "unit"],
                condition=Q(visit_type=None),
                name="one_rule_for_each_lead_time_of_all_visits",
            ),
            models.CheckConstraint(
                condition=Q(at_time=None) | Q(unit="days"),
                name="a_time_of_day_belongs_to_days_before",
                violation_error_message="A time of day goes with days before, not with hours.",
            ),
        ]

    def __str__(self) -> str:
        at_time = f" at {self.at_time:%-I:%M %p}" if self.at_time else ""
        return f"{self.lead} {self.get_unit_display()}{at_time}"


class ReminderQuerySet(models.QuerySet["Reminder"]):
    def unreached(self) -> Self:
        """Return those of visits to come whose patients were told nothing, as far as we know."""
        lost = Q(message__state__in=[Message.State.FAILED, Message.State.DROPPED, Message.State.UNKNOWN])
        over = Q(state__in=[Reminder.State.DROPPED, Reminder.State.FAILED], message=None)
        return self.filter(
            lost | over,
            starts_at__gt=clock.now(),
            appointment__starts_at=F("starts_at"),
            appointment__state__in=[Appointment.State.BOOKED, Appointment.State.CONFIRMED],
        )


class Reminder(models.Model):
    """A reminder of one appointment at one time: a row, never a flag."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        QUEUED = "queued", _("in the outbox")
        DROPPED = "dropped", _("dropped")
        FAILED = "failed", _("did not arrive")  # by none of its rule's channels

    appointment = models.ForeignKey(Appointment, on_delete=models.CASCADE, related_name="reminders")
    rule = models.ForeignKey(ReminderRule, on_delete=models.PROTECT)
    starts_at = models.DateTimeField(help_text="The time that it speaks of.")
    due_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    explanation = models.CharField(
        max_length=240, blank=True, help_text="Why it was dropped, or did not go by the first channel."
    )
    message = models.OneToOneField(Message, null=True, blank=True, on_delete=models.SET_NULL)

    objects = ReminderQuerySet.as_manager()

    class Meta:
        ordering = ["due_at"]
        indexes = [
            models.Index(fields=["due_at"], name="reminder_due", condition=Q(state="waiting")),
            # the sweep looks for those of visits to come whose message did not arrive
            models.Index(fields=["starts_at"], name="reminder_in_the_outbox", condition=Q(state="queued")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["appointment", "rule", "starts_at"], name="one_reminder_for_each_rule_and_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.get_state_display()}"
