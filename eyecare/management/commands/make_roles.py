"""Makes the groups of the staff, once: a practice that starts without the demo needs them too."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from eyecare import roles


class Command(BaseCommand):
    help = "Make the groups “front desk” and “manager” with their rights; one that exists is left as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--catch-up", action="store_true", help="after an upgrade: add the rights to what is new"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for name in roles.ROLES:
            if options["catch_up"]:
                roles.catch_up(name)
            group = roles.group(name)
            self.stdout.write(f"{group.name}: {group.permissions.count()} rights")
