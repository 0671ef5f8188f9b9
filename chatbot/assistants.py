"""Who answers: an assistant found by its address, with what it may do and quote."""

import uuid
from copy import copy

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from chatbot.models import Assistant
from chatbot.prompt import Style
from chatbot.tools import Registry, registry
from eyecare.errors import Invalid, NotFound
from patients.models import Account
from practice import audit

USUAL = "assistant"
"""The address of the assistant that every practice begins with."""


class NoSuchModel(Invalid):
    """A model's name or a prompt's style is none."""

    code = "no_such_model"


def default() -> Assistant:
    """Return the practice's usual assistant; one without a row does everything by the settings' model."""
    found = Assistant.objects.filter(is_default=True).first()
    return found or Assistant(slug=USUAL, name="Assistant", is_default=True)


def get(slug: str) -> Assistant:
    """Return an assistant by its address; raises NotFound for one that is unknown or switched off."""
    if not slug:
        return default()
    found = Assistant.objects.active().filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no such page.")
    return found


def style(assistant: Assistant) -> Style:
    """Return what its model is told."""
    return Style(assistant.prompt_style or settings.LLM_PROMPT_STYLE)


def toolbox(assistant: Assistant) -> Registry:
    """Return the tasks that it may do."""
    return registry.limited_to(assistant.tools) if assistant.tools else registry


def documents(assistant: Assistant) -> frozenset[uuid.UUID] | None:
    """Return the keys of the documents that it may quote, None for all of them."""
    keys = frozenset(assistant.documents.values_list("pk", flat=True)) if assistant.pk else frozenset()
    return keys or None


def as_if(assistant: Assistant, *, model_name: str, prompt_style: str = "") -> Assistant:
    """Return the assistant as it would be with another model; nothing is saved.

    Raises NoSuchModel.
    """
    candidate = copy(assistant)
    candidate.model_name, candidate.prompt_style = model_name, prompt_style
    try:
        candidate.clean_fields(exclude=["slug", "name", "greeting", "tools"])
    except ValidationError as error:
        raise NoSuchModel(" ".join(error.messages)) from error
    return candidate


@transaction.atomic
def serve(
    assistant: Assistant, *, model_name: str, prompt_style: str = "", actor: Account | None
) -> Assistant:
    """Let another model understand for an assistant, from its next message on. Raises NoSuchModel.

    Empty names mean the settings' own. The model is named by the row that each turn reads, so no
    conversation waits, and the way back is the same call with the earlier name.
    """
    as_if(assistant, model_name=model_name, prompt_style=prompt_style)
    acting = audit.current()
    with audit.acting(
        account=str(actor.pk) if actor else acting.account, channel=acting.channel, address=acting.address
    ):
        Assistant.objects.filter(pk=assistant.pk).update(model_name=model_name, prompt_style=prompt_style)
    assistant.refresh_from_db(fields=["model_name", "prompt_style"])
    return assistant
