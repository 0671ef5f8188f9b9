"""Fill the example bank from a file; a second time changes nothing."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatbot import examples
from eyecare.errors import Refusal


class Command(BaseCommand):
    help = "Loads labelled messages (JSON Lines or a table) into the example bank; safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="the practice's own; without one, what ships")

    def handle(self, *args: Any, file: Path | None, **options: Any) -> None:
        try:
            taken = examples.load(file) if file else examples.load_shipped()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file or examples.SHIPPED} cannot be read: {error}") from error
        except Refusal as refusal:
            raise CommandError(f"{file or examples.SHIPPED}: {refusal.sentence}") from refusal
        self.stdout.write(
            f"Examples: {taken.added} added, {taken.changed} changed, {taken.the_same} as they were."
        )
