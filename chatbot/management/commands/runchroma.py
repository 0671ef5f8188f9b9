"""Starts the Chroma server that keeps the vectors."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """`manage.py runchroma`: becomes `chroma run`, offline and without its banner."""

    help = "Runs the Chroma server at CHROMA_URL, on this machine only."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--path", type=Path, default=settings.VAR_DIR / "chroma")

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        address = urlsplit(settings.CHROMA_URL)
        if address.hostname not in {"127.0.0.1", "localhost"}:
            raise CommandError("CHROMA_URL is not on this machine; start Chroma where it is.")
        path.mkdir(parents=True, exist_ok=True)
        program = Path(sys.executable).with_name("chroma")
        where = ["--host", "127.0.0.1", "--port", str(address.port or 8000), "--path", str(path)]
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the banner and every request
        os.execve(  # noqa: S606 - our own interpreter's neighbour
            program, ["chroma", "run", *where], os.environ | {"ANONYMIZED_TELEMETRY": "False"}
        )
