"""Texts and e-mail, in and out: every one is a row before it is anything else."""

import uuid
from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from eyecare import clock
from patients.models import Patient

CLAIM_LASTS = timedelta(minutes=5)
"""How long a worker may be busy with one message before it is taken for dead."""


class MessageQuerySet(models.QuerySet["Message"]):
    def due(self) -> Self:
        return self.filter(state=Message.State.QUEUED, due_at__lte=clock.now())

    def abandoned(self) -> Self:
        """Return those whose worker died between claiming and learning the outcome."""
        return self.filter(state=Message.State.SENDING, claimed_at__lt=clock.now() - CLAIM_LASTS)

    def to_phone(self, phone: str) -> Self:
        return self.filter(channel=Message.Channel.SMS, to=phone)

    def that_left(self) -> Self:
        """Return those that the recipient has, as far as we know."""
        return self.filter(state__in=[Message.State.SENDING, Message.State.SENT, Message.State.DELIVERED])


class Message(models.Model):
    """One message to one person: the outbox. At most one for each `reason`."""

    class Channel(models.TextChoices):
        SMS = "sms", _("text message")
        EMAIL = "email", _("e-mail")

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        SENDING = "sending", _("sending")  # claimed by a worker; its fate is not known yet
        SENT = "sent", _("sent")  # the provider took it
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("failed")
        DROPPED = "dropped", _("dropped")  # no longer right to send
        UNKNOWN = "unknown", _("fate unknown")  # the worker died in between; reconciled, never repeated

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reason = models.CharField(max_length=120, unique=True, help_text="Why it is sent, once: reminder:1234")
    kind = models.CharField(max_length=40, help_text="appointment_reminder, reply, statement_ready …")
    channel = models.CharField(max_length=5, choices=Channel, default=Channel.SMS)
    patient = models.ForeignKey(
        Patient, null=True, blank=True, on_delete=models.CASCADE, related_name="messages"
    )
    to = models.CharField(max_length=120, help_text="E.164 number or e-mail address.")
    subject = models.CharField(max_length=120, blank=True)
    body = models.TextField()
    urgent = models.BooleanField(default=False, help_text="May leave in quiet hours.")
    subject_id = models.CharField(
        max_length=40, blank=True, help_text="What it speaks of: an appointment's id."
    )
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    due_at = models.DateTimeField(default=clock.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=64, blank=True)
    explanation = models.CharField(max_length=200, blank=True, help_text="Why it failed or was dropped.")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            # the sweep looks for what is due
            models.Index(fields=["due_at"], name="message_due", condition=Q(state="queued")),
            # a reply looks for what it answers, newest first
            models.Index(fields=["to", "-created_at"], name="message_by_recipient"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["provider_id"], name="one_message_for_each_provider_id", condition=~Q(provider_id="")
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} by {self.get_channel_display()}: {self.get_state_display()}"


class InboundTextQuerySet(models.QuerySet["InboundText"]):
    def waiting(self) -> Self:
        """Return those that nobody works on and that have not failed too often."""
        unclaimed = Q(claimed_at=None) | Q(claimed_at__lt=clock.now() - CLAIM_LASTS)
        return self.filter(unclaimed, processed_at=None, attempts__lt=InboundText.MOST_ATTEMPTS)


class InboundText(models.Model):
    """A text that somebody sent to the practice, stored once before it is worked on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider_id = models.CharField(max_length=64, unique=True)
    sender = PhoneNumberField()
    recipient = models.CharField(max_length=20)
    body = models.TextField()
    received_at = models.DateTimeField(default=clock.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    processed_at = models.DateTimeField(null=True, blank=True)

    MOST_ATTEMPTS = 5
    """After these a person answers it: admin lists it as unanswered."""

    objects = InboundTextQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at"]
        indexes = [
            models.Index(fields=["received_at"], name="inbound_waiting", condition=Q(processed_at=None)),
            models.Index(fields=["sender", "-received_at"], name="inbound_by_sender"),
        ]

    def __str__(self) -> str:
        return f"text of {self.received_at:%Y-%m-%d %H:%M}"


class OptOut(models.Model):
    """A number that asked for no more texts; the whole practice keeps to it."""

    phone = PhoneNumberField(unique=True)
    word = models.CharField(max_length=40)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"opted out on {self.at:%Y-%m-%d}"


class Template(models.Model):
    """The practice's own wording of a message; without a row the built-in wording is used."""

    kind = models.CharField(max_length=40)
    language = models.CharField(max_length=2, choices=Patient.Language, default=Patient.Language.ENGLISH)
    body = models.TextField(help_text="Placeholders in braces, as in the built-in wording.")

    class Meta:
        ordering = ["kind", "language"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "language"], name="one_wording_for_each_language")
        ]

    def __str__(self) -> str:
        return f"{self.kind} ({self.language})"
