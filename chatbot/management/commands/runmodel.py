"""Starts the model host."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatbot.modelhost.app import LOOPBACK_NAMES, Host, build
from chatbot.modelhost.embedder import MiniLm
from chatbot.modelhost.lane import Lane
from chatbot.modelhost.scheduler import Default, Scheduler
from chatbot.modelhost.shelf import Limits, machine_bytes

LOOPBACK_ADDRESSES = {"127.0.0.1", "::1", "localhost"}


class Command(BaseCommand):
    """`manage.py runmodel`: one process that holds the GGUF and the embedder."""

    help = "Serves the language model and the sentence embedder on a loopback HTTP API."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        ours = urlsplit(settings.LLM_BASE_URL)
        is_local = ours.hostname in LOOPBACK_ADDRESSES
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=ours.port if is_local and ours.port else 8100)
        parser.add_argument("--model", type=Path, default=Path(settings.LLM_MODEL_PATH))

    def handle(self, *args: Any, host: str, port: int, model: Path, **options: Any) -> None:
        if host not in LOOPBACK_ADDRESSES and not settings.LLM_API_KEY:
            raise CommandError("Set LLM_API_KEY before you let other machines reach the model host.")
        if not model.is_file():
            self.stderr.write(
                f"There is no model file at {model}. Embeddings are served; chat answers 503 until "
                "`make model` has made one or LLM_MODEL_PATH names one, and the host is started again."
            )
        names = LOOPBACK_NAMES if host in LOOPBACK_ADDRESSES else ("*",)
        uvicorn.run(
            build(_host(model), names=names), host=host, port=port, log_level="warning", access_log=False
        )


def _host(model: Path) -> Host:
    default = Default(model, settings.LLM_CONTEXT_TOKENS, settings.LLM_MODEL)
    chat = Scheduler(
        default, limit=settings.LLM_QUEUE_LIMIT, limits=_limits(), folder=Path(settings.MODELS_DIR)
    )
    return Host(
        chat=chat,
        embeddings=Lane("embedder", MiniLm, limit=settings.LLM_QUEUE_LIMIT),
        deadline_seconds=settings.LLM_DEADLINE_SECONDS,
        api_key=settings.LLM_API_KEY,
    )


def _limits() -> Limits:
    megabytes = settings.LLM_MEMORY_MB
    return Limits(
        memory_bytes=megabytes * 1_000_000 if megabytes else machine_bytes() * 6 // 10,
        cache_tokens=settings.LLM_CACHE_TOKENS,
        parallel=settings.LLM_PARALLEL,
        threads=settings.LLM_THREADS,
    )
