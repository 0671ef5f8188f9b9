"""Sets up the usual rules for recalls, for the visit types that the practice has."""

from typing import Any

from django.core.management.base import BaseCommand

from appointments import recalls


class Command(BaseCommand):
    help = __doc__

    def handle(self, **options: Any) -> None:
        made = recalls.load_defaults()
        for rule in made:
            self.stdout.write(f"{rule}: set up.")
        if not made:
            self.stdout.write("Nothing to set up: the rules stand, or their visit types are missing.")
