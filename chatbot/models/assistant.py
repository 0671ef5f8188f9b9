"""Assistants: one for everything, and others with tasks, documents and a model of their own."""

from typing import Self

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

RESERVED = ("messages", "stream", "news", "documents")
"""Pages of the chat: no assistant can have one of these as its address."""

MODEL_NAME = RegexValidator(
    r"\A\w[\w./:@-]*\Z", _("A model's name is letters, digits and . / : @ _ - without blanks.")
)


class AssistantQuerySet(models.QuerySet["Assistant"]):
    def active(self) -> Self:
        return self.filter(is_active=True)


class Assistant(models.Model):
    """Who answers: by which model, with which tasks, from which documents."""

    class PromptStyle(models.TextChoices):
        """The styles of `prompt.Style`, for people."""

        COMPACT = "compact", _("compact: a model of ours")
        HINTED = "hinted", _("hinted: a model of ours that is shown the nearest examples")
        FULL = "full", _("full: a general model that is told everything")

    slug = models.SlugField(max_length=40, unique=True, help_text="Its page is /chat/…/.")
    name = models.CharField(max_length=80)
    is_default = models.BooleanField(default=False, help_text="Answers wherever no other one is named.")
    is_active = models.BooleanField(default=True)
    model_name = models.CharField(
        max_length=120,
        blank=True,
        validators=[MODEL_NAME],
        help_text="The model that understands for it; empty for the one of the settings.",
    )
    prompt_style = models.CharField(
        max_length=10,
        blank=True,
        choices=PromptStyle,
        help_text="What the model is told; empty for the style of the settings.",
    )
    greeting = models.TextField(blank=True, max_length=500, help_text="Said instead of the usual hello.")
    tools = models.JSONField(default=list, blank=True, help_text="What it may do; empty for everything.")
    documents = models.ManyToManyField(
        "chatbot.Document",
        blank=True,
        related_name="assistants",
        help_text="What it may quote; empty for every document.",
    )

    objects = AssistantQuerySet.as_manager()

    class Meta:
        ordering = ["-is_default", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="one_assistant_is_the_default",
                violation_error_message="Another assistant is the default already.",
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(is_active=True),
                name="the_default_assistant_is_active",
                violation_error_message="The default assistant cannot be switched off.",
            ),
            models.CheckConstraint(
                condition=~Q(slug__in=RESERVED),
                name="an_assistants_address_is_no_page_of_the_chat",
                violation_error_message="The chat has a page of that name. Please choose another address.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
