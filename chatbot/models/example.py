"""The example bank: messages with what they mean, to hint at, to learn from and to score against."""

import secrets
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from chatbot.prompt import MESSAGE_LIMIT
from eyecare import clock


def new_stamp() -> int:
    """Return a number that no earlier form of a row had: the sum of all tells whether any has changed."""
    return secrets.randbelow(2**31)


class ExampleQuerySet(models.QuerySet["Example"]):
    def banked(self) -> Self:
        """Return those that a message is compared with; what scores a model must not help it."""
        return self.filter(is_active=True, for_scoring=False)

    def embedded(self, model: str) -> Self:
        """Return those that have their vector in the space of this embedder."""
        return self.filter(vector_model=model)

    def without_vector(self, model: str) -> Self:
        return self.exclude(vector_model=model)

    def for_training(self) -> Self:
        """Return what a model may learn from: what hints may be learned too."""
        return self.banked()

    def for_evaluation(self) -> Self:
        """Return what scores a model."""
        return self.filter(is_active=True, for_scoring=True)


class Example(models.Model):
    """A message in its place in a conversation, and the commands that are the right answer to it."""

    class Source(models.TextChoices):
        SHIPPED = "shipped", _("came with the portal")
        PRACTICE = "practice", _("written by the practice")
        CONVERSATION = "conversation", _("corrected in a conversation")

    text = models.CharField(
        max_length=MESSAGE_LIMIT, help_text="What a patient wrote, without a name, number or date of birth."
    )
    commands = models.JSONField(default=list, help_text="What it asks for, in order.")
    task = models.CharField(max_length=60, blank=True, help_text="The task that was open.")
    asked = models.CharField(max_length=60, blank=True, help_text="What had just been asked for.")
    last = models.CharField(max_length=60, blank=True, help_text="The task that was finished just before.")
    language = models.CharField(max_length=8, default="en")
    source = models.CharField(max_length=12, choices=Source, default=Source.PRACTICE)
    licence = models.CharField(max_length=60, blank=True)
    assistant = models.ForeignKey(
        "chatbot.Assistant",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="examples",
        help_text="The assistant that it holds for; empty for every one.",
    )
    is_active = models.BooleanField(default=True)
    for_scoring = models.BooleanField(
        default=False, help_text="Held out: models are scored with it and never see it."
    )
    vector = models.BinaryField(null=True, editable=False)
    vector_model = models.CharField(
        max_length=120, blank=True, editable=False, help_text="The embedder that made the vector."
    )
    stamp = models.BigIntegerField(default=new_stamp, editable=False)
    changed_at = models.DateTimeField(default=clock.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
    )
    message = models.OneToOneField(
        "chatbot.ChatMessage",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="correction",
        editable=False,
    )

    objects = ExampleQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["vector_model", "is_active", "for_scoring", "stamp"], name="example_bank_stamp"
            )
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="an_example_has_words"),
            models.CheckConstraint(
                condition=Q(vector=None, vector_model="") | Q(vector__isnull=False) & ~Q(vector_model=""),
                name="a_vector_names_its_embedder",
            ),
            models.UniqueConstraint(
                fields=["text", "task", "asked", "last"],
                condition=Q(assistant=None),
                name="one_answer_for_each_message_in_its_place",
                violation_error_message="This message stands in the bank already, in the same place.",
            ),
            models.UniqueConstraint(
                fields=["text", "task", "asked", "last", "assistant"],
                condition=Q(assistant__isnull=False),
                name="one_answer_of_an_assistant_for_each_message_in_its_place",
                violation_error_message="This assistant has this message already, in the same place.",
            ),
        ]

    def __str__(self) -> str:
        return self.text
