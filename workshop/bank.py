"""What the example bank gives to the workshop: the practice's own messages, to learn from and to score."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Q

from chatbot.models import Assistant, Example
from workshop.models import Dataset

OWN = [Example.Source.PRACTICE, Example.Source.CONVERSATION]
"""What shipped with the portal is in every training already."""


class Taken:
    """The practice's examples as a file of JSON Lines, written piece by piece."""

    name = "example bank.jsonl"

    def __init__(self, assistant: Assistant) -> None:
        self._examples = Example.objects.for_training().filter(_holds_for(assistant), source__in=OWN)

    def chunks(self) -> Iterator[bytes]:
        for example in self._examples.defer("vector").order_by("pk").iterator():
            yield json.dumps(_row(example), ensure_ascii=False).encode() + b"\n"


def for_scoring(assistant: Assistant, most: int) -> Iterable[dict[str, Any]]:
    """Return the examples that are kept back for scoring, the newest first."""
    kept_back = Example.objects.filter(_holds_for(assistant), is_active=True, for_scoring=True)
    return [_row(example) for example in kept_back.defer("vector").order_by("-pk")[:most]]


def _holds_for(assistant: Assistant) -> Q:
    return Q(assistant=None) | Q(assistant=assistant)


def _row(example: Example) -> dict[str, Any]:
    return {
        "text": example.text,
        "commands": example.commands,
        "task": example.task,
        "asked": example.asked,
        "last": example.last,
        "language": example.language,
        "licence": example.licence or Dataset.Licence.OWN,
    }
