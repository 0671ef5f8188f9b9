"""Conversations: what was said, what came of it, and who takes over."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from chatbot.models.assistant import Assistant
from eyecare import clock
from patients.models import Patient


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def for_patient(self, patient: Patient) -> Self:
        return self.filter(patient=patient)

    def with_assistant(self, assistant: Assistant) -> Self:
        """Return those with this assistant; a conversation that names none is with the default one."""
        theirs = Q(assistant=assistant.pk) if assistant.pk else Q()
        return self.filter(theirs | Q(assistant=None) if assistant.is_default else theirs)

    def waiting_for_staff(self) -> Self:
        return self.filter(status=Conversation.Status.WAITING)


class Conversation(models.Model):
    """One thread with one person on one channel, and where it stands."""

    class Channel(models.TextChoices):
        WEB = "web", _("portal")
        SMS = "sms", _("text message")

    class Status(models.TextChoices):
        ASSISTANT = "assistant", _("with the assistant")
        WAITING = "waiting", _("waiting for a person")
        STAFF = "staff", _("with a person")
        CLOSED = "closed", _("closed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.CharField(max_length=3, choices=Channel)
    status = models.CharField(max_length=10, choices=Status, default=Status.ASSISTANT)
    patient = models.ForeignKey(
        Patient, null=True, blank=True, on_delete=models.PROTECT, related_name="conversations"
    )
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="conversations",
    )
    assistant = models.ForeignKey(
        "chatbot.Assistant",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="conversations",
        help_text="Who answers; empty for the practice's usual assistant.",
    )
    phone = models.CharField(max_length=20, blank=True, help_text="The other end of a text conversation.")
    state = models.JSONField(default=dict, blank=True, help_text="The stack of open tasks.")
    identity_checked_at = models.DateTimeField(null=True, blank=True)
    identity_tries = models.PositiveSmallIntegerField(default=0)
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="taken_conversations",
    )
    is_urgent = models.BooleanField(default=False)
    busy_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="A worker answers it now; past this, another may."
    )
    created_at = models.DateTimeField(default=clock.now)
    active_at = models.DateTimeField(default=clock.now)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ["-active_at"]
        indexes = [
            models.Index(fields=["phone", "-active_at"], name="conversation_by_phone"),
            models.Index(fields=["status", "-active_at"], name="conversation_by_status"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "phone"],
                condition=Q(channel="sms") & ~Q(status="closed"),
                name="one_open_text_conversation_for_each_phone",
            ),
            models.CheckConstraint(
                condition=~Q(channel="sms") | ~Q(phone=""), name="a_text_conversation_has_a_phone"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()}: {self.patient or 'someone not known yet'}"


class ChatMessage(models.Model):
    """One line of a conversation, and what was understood and done about it."""

    class Author(models.TextChoices):
        PATIENT = "patient", _("patient")
        ASSISTANT = "assistant", _("assistant")
        STAFF = "staff", _("staff")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    author = models.CharField(max_length=10, choices=Author)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    channel = models.CharField(max_length=3, choices=Conversation.Channel)
    provider_id = models.CharField(max_length=64, blank=True, help_text="The channel's own id of it.")
    text = models.TextField()
    answers = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replies"
    )
    choices = models.JSONField(default=list, blank=True)
    cards = models.JSONField(default=list, blank=True)
    commands = models.JSONField(default=list, blank=True)
    effects = models.JSONField(default=list, blank=True)
    sources = models.JSONField(default=list, blank=True)
    context = models.JSONField(
        default=dict, blank=True, help_text="What was open when the message came: task, asked, last."
    )
    engine = models.CharField(max_length=12, blank=True, help_text="Who understood it: model, rules …")
    urgent = models.BooleanField(default=False)
    handoff = models.BooleanField(default=False)
    milliseconds = models.PositiveIntegerField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        # the order of writing, also where a stopped clock gives every line the same moment
        ordering = ["id"]
        indexes = [models.Index(fields=["conversation", "id"], name="chat_in_order")]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "provider_id"],
                condition=~Q(provider_id=""),
                name="one_chat_message_for_each_provider_id",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_author_display()} {self.created_at:%Y-%m-%d %H:%M}"


class Handoff(models.Model):
    """A conversation that needs a person: asked for, taken, ended."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="handoffs")
    reason = models.CharField(max_length=200)
    is_urgent = models.BooleanField(default=False)
    requested_at = models.DateTimeField(default=clock.now)
    taken_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    taken_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-is_urgent", "requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(ended_at=None),
                name="one_open_handoff_for_each_conversation",
            )
        ]

    def __str__(self) -> str:
        return self.reason
