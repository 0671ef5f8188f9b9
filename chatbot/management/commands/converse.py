"""Talk to the assistant from another program: JSON Lines in, JSON Lines out, through the real loop."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from chatbot.models import Assistant
from chatbot.prompt import Style
from chatbot.rehearsal import Rehearsal, Unplayable, heard_by, moment_of
from eyecare import clock


class Command(BaseCommand):
    help = (
        'Reads {"conversation", "channel": "web"|"sms", "as": role, e-mail, phone or null, "text"} lines and '
        'answers each with one line before it reads the next. A "now" moves the line\'s clock on; '
        'an "assistant" names who answers the conversation.'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--now", help="stop the clock at this time in the practice, 2026-03-02T09:00")
        parser.add_argument("--rollback", action="store_true", help="leave the database as it was")
        add_listener(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with _rolled_back(options["rollback"]), stopped_clock(options["now"]):
            rehearsal = Rehearsal(options["engine"], listener(options))
            for line in sys.stdin:
                if line.strip():
                    self.stdout.write(json.dumps(_answer(rehearsal, line), ensure_ascii=False))
                    self.stdout.flush()


def add_listener(parser: CommandParser) -> None:
    """Add the options that say who understands."""
    parser.add_argument("--engine", choices=["model", "rules", "retrieval"], default="")
    parser.add_argument("--assistant", default="", metavar="SLUG", help="who answers; the usual one without")
    parser.add_argument("--model", default="", metavar="NAME", help="another model than the assistant's own")
    parser.add_argument("--prompt-style", choices=list(Style), default="", help="what that model is told")


def listener(options: Mapping[str, Any]) -> Assistant | None:
    """Return the assistant that the options name; raises CommandError."""
    try:
        return heard_by(options["assistant"], options["model"], options["prompt_style"])
    except Unplayable as error:
        raise CommandError(str(error)) from error


def _answer(rehearsal: Rehearsal, line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
        if not isinstance(said, dict):
            raise Unplayable("a line is a JSON object")
        return rehearsal.play(said)
    except ValueError as error:
        return {"error": str(error)}


@contextlib.contextmanager
def _rolled_back(wanted: bool) -> Iterator[None]:
    """Undo everything at the end: one transaction around it all."""
    with transaction.atomic() if wanted else contextlib.nullcontext():
        yield
        if wanted:
            transaction.set_rollback(True)


@contextlib.contextmanager
def stopped_clock(moment: str | None) -> Iterator[None]:
    """Stop the clock at a time on the practice's wall; without one it runs on."""
    if moment is None:
        yield
        return
    try:
        stopped = moment_of(moment)
    except Unplayable as error:
        raise CommandError(str(error)) from error
    with clock.frozen_at(stopped):
        yield
