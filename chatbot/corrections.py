"""Where a correction begins: what a patient wrote and what was understood, without who wrote it."""

from collections.abc import Collection, Mapping
from typing import Any

from chatbot import identity, personal, services
from chatbot.commands import Command
from chatbot.labelled import Labelled, run_of_words
from chatbot.models import ChatMessage
from chatbot.prompt import normalise


def draft(said: ChatMessage) -> Labelled:
    """Return a patient's message as an example, for a person to look at and to put right.

    Its place is what was open when it came; its commands are those that were understood, with the
    details that still are words of it.
    """
    names = _names(said)
    text = personal.replaced(normalise(said.text), names)
    reply = services.reply_to(said)
    understood = tuple(_still_there(command, text, names) for command in reply.commands) if reply else ()
    return Labelled(text, understood, **(reply.context if reply else {}))


def _names(said: ChatMessage) -> set[str]:
    """Return the names that the record knows of whoever may have written it."""
    people = [*identity.household(said.conversation), said.conversation.patient]
    return {name for person in people if person for name in (person.first_name, person.last_name)}


def _still_there(said: Mapping[str, Any], text: str, names: Collection[str]) -> Command:
    replaced = {name: personal.replaced(words, names) for name, words in said["arguments"].items()}
    return Command(said["name"], {name: run_of_words(words, text) for name, words in replaced.items()})
