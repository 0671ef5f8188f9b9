"""Prepares the database and starts everything: the command behind `make run`."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from chatbot.knowledge_tasks import sweep_documents
from eyecare import cast, supervisor
from practice.models import Practice


class Command(BaseCommand):
    help = "Migrate, load the demo practice once, and start web, worker, model host and vectors."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        programs = supervisor.programs(host, port)
        if taken := supervisor.taken_ports(programs):
            names = ", ".join(f"{program.port} ({program.name})" for program in taken)
            raise CommandError(
                f"These ports are in use already: {names}. Stop what listens there, or pass --port."
            )
        self._prepare()
        self._greet(host, port)
        raise SystemExit(supervisor.supervise(programs))

    def _prepare(self) -> None:
        self.step("Bringing the database up to date")
        call_command("migrate", verbosity=0, interactive=False)
        if settings.DEMO and not Practice.objects.exists():
            self.step("Loading the demo practice (once)")
            call_command("demo_data", stdout=self.stdout)
            sweep_documents.delay_on_commit()  # so that the first question needs not wait for the sweep
        call_command("load_examples", stdout=self.stdout)
        if not settings.DEBUG and not settings.DEMO:
            self.step("Collecting static files")
            call_command("collectstatic", verbosity=0, interactive=False)

    def _greet(self, host: str, port: int) -> None:
        self.step(f"Starting on http://{host}:{port} – stop with Ctrl-C")
        if settings.DEMO:
            self.stdout.write("\n   Demo log-ins (password for all: " + cast.PASSWORD + ")")
            for role in cast.LOGINS:
                self.stdout.write(f"     {role:<13} {cast.MEMBERS[role].email}")
            self.stdout.write("")

    def step(self, words: str) -> None:
        self.stdout.write(f"── {words}")
        self.stdout.flush()
