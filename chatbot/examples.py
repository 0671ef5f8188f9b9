"""Every change to the example bank goes through here."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from chatbot import example_tasks, labelled
from chatbot.commands import Command
from chatbot.labelled import Labelled, Line, NotLabelled
from chatbot.models import Assistant, ChatMessage, Example
from chatbot.models.example import new_stamp
from chatbot.tools import registry
from eyecare import clock
from eyecare.errors import Invalid, Refusal
from patients.models import Account

SHIPPED = Path(__file__).with_name("examples.jsonl")
LICENCE = "Apache-2.0"

IMPORT_LIMIT = 1_000_000
"""Characters of a file that the admin takes in."""

WRITE_AT_ONCE = 500


class ExampleRefused(Invalid):
    """The message or its label cannot be used; the sentence says why."""

    code = "example_refused"


class AlreadyInTheBank(Refusal):
    """The same message in the same place has its answer already."""

    code = "already_in_the_bank"


@dataclass(frozen=True)
class Taken:
    """What became of many examples at once."""

    added: int = 0
    changed: int = 0
    the_same: int = 0


def as_labelled(example: Example) -> Labelled:
    """Return a row in the shape of the exchange format."""
    commands = tuple(Command(said["name"], said["arguments"]) for said in example.commands)
    return Labelled(
        example.text,
        commands,
        example.task,
        example.asked,
        example.last,
        example.language,
        example.source,
        example.licence,
    )


def checked(message: Labelled) -> Labelled:
    """Return the message as it is kept; raises ExampleRefused."""
    try:
        return labelled.checked(message, registry.outlines())
    except NotLabelled as problem:
        raise ExampleRefused(str(problem)) from problem


def write(
    *,
    example: Example | None = None,
    message: Labelled,
    actor: Account | None,
    assistant: Assistant | None = None,
    is_active: bool = True,
    for_scoring: bool = False,
    corrects: ChatMessage | None = None,
) -> Example:
    """Save an example that was written or changed; its vector follows within a sweep.

    `corrects` is the patient's message that was understood wrongly. Raises ExampleRefused, and
    AlreadyInTheBank where the same message stands in the same place.
    """
    message = checked(message)
    example = example or Example(created_by=actor, message=corrects, source=_source(corrects))
    if example.source == Example.Source.SHIPPED:
        example.source = Example.Source.PRACTICE  # the next version's file must not undo it
    for name, value in columns(message).items():
        setattr(example, name, value)
    example.assistant, example.is_active, example.for_scoring = assistant, is_active, for_scoring
    example.stamp, example.changed_at = new_stamp(), clock.now()
    try:
        with transaction.atomic():
            _forget_vector_of_other_words(example)
            example.save(update_fields=_WRITTEN if example.pk else None)
    except IntegrityError as error:
        raise AlreadyInTheBank("The bank has this message already, in the same place.") from error
    example_tasks.sweep_examples.delay_on_commit()
    return example


_WRITTEN = [
    field.name
    for field in Example._meta.concrete_fields
    if field.name not in ("id", "vector", "vector_model", "created_by", "message")
]


def _forget_vector_of_other_words(example: Example) -> None:
    """Ask the database what the words were: a form has put the new ones into the row that it was given."""
    Example.objects.filter(pk=example.pk).exclude(text=example.text).update(vector=None, vector_model="")


def _source(corrects: ChatMessage | None) -> str:
    return Example.Source.CONVERSATION if corrects else Example.Source.PRACTICE


def columns(message: Labelled) -> dict[str, Any]:
    """Return a message as the columns of a row."""
    return {name: value for name, value in labelled.as_object(message).items() if name != "source"}


def switch(examples: QuerySet[Example], *, is_active: bool) -> int:
    """Put examples into use, or out of it; return how many were switched."""
    return sum(
        Example.objects.filter(pk=pk).update(is_active=is_active, stamp=new_stamp(), changed_at=clock.now())
        for pk in examples.exclude(is_active=is_active).values_list("pk", flat=True)
    )


# Many at once


def read(text: str) -> list[Line]:
    """Return every line of a file with its example, or with why it is refused."""
    return list(labelled.read(text, registry.outlines()))


@transaction.atomic
def take_in(
    messages: Iterable[Labelled],
    *,
    source: str,
    actor: Account | None = None,
    assistant: Assistant | None = None,
    for_scoring: bool = False,
) -> Taken:
    """Add examples that were checked; one that stands in the bank in its place gets the new answer.

    What is only to score with is so from then on, also where it was learned from before.
    """
    wanted = {_place(message): message for message in messages}
    bank = Example.objects.filter(assistant=assistant).defer("vector")
    known = {_place(as_labelled(row)): row for row in bank}
    added = [
        Example(
            **columns(message), source=source, assistant=assistant, created_by=actor, for_scoring=for_scoring
        )
        for place, message in wanted.items()
        if place not in known
    ]
    changed = [
        _answered_anew(row, wanted[place], source, for_scoring=for_scoring or row.for_scoring)
        for place, row in known.items()
        if place in wanted
        and (columns(as_labelled(row)) != columns(wanted[place]) or (for_scoring and not row.for_scoring))
    ]
    Example.objects.bulk_create(added, batch_size=WRITE_AT_ONCE, ignore_conflicts=True)
    Example.objects.bulk_update(changed, _ANSWER, batch_size=WRITE_AT_ONCE)
    example_tasks.sweep_examples.delay_on_commit()
    return Taken(len(added), len(changed), len(wanted) - len(added) - len(changed))


Place = tuple[str, str, str, str]
_ANSWER = ["commands", "language", "licence", "source", "for_scoring", "stamp", "changed_at"]


def _place(message: Labelled) -> Place:
    return message.text, message.task, message.asked, message.last


def _answered_anew(row: Example, message: Labelled, source: str, *, for_scoring: bool) -> Example:
    row.commands = columns(message)["commands"]
    row.language, row.licence, row.source = message.language, message.licence, source
    row.for_scoring = for_scoring
    row.stamp, row.changed_at = new_stamp(), clock.now()
    return row


@transaction.atomic
def load_shipped(path: Path = SHIPPED) -> Taken:
    """Make the bank's shipped part what the file holds; raises ExampleRefused for its first bad line.

    What the practice has written in the same place stays as it is, and so does what it switched off.
    """
    ours = Example.objects.filter(assistant=None).defer("vector")
    theirs = {_place(as_labelled(row)) for row in ours.exclude(source=Example.Source.SHIPPED)}
    messages = {_place(message): message for message in _all_of(path) if _place(message) not in theirs}
    shipped = ours.filter(source=Example.Source.SHIPPED)
    gone = [row.pk for row in shipped if _place(as_labelled(row)) not in messages]
    Example.objects.filter(pk__in=gone).delete()
    return take_in(messages.values(), source=Example.Source.SHIPPED)


def load(path: Path) -> Taken:
    """Add a file of the practice's own; raises ExampleRefused for its first bad line."""
    return take_in(_all_of(path), source=Example.Source.PRACTICE)


def _all_of(path: Path) -> list[Labelled]:
    lines = read(path.read_text(encoding="utf-8"))
    if bad := next((line for line in lines if line.labelled is None), None):
        raise ExampleRefused(f"Line {bad.number}: {bad.problem}")
    return [line.labelled for line in lines if line.labelled]
