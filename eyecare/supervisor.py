"""The programs of a running portal, all under one roof: started together, stopped together."""

import os
import shlex
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from honcho.manager import Manager


@dataclass(frozen=True)
class Program:
    """One process: what it is called, how it starts, which port it takes (0: none)."""

    name: str
    command: list[str]
    port: int = 0
    essential: bool = False
    """Whether the portal is down without it; everything else is started again when it dies."""


def programs(host: str, port: int) -> list[Program]:
    """Return what runs beside the database: web, worker, beat, model host, vectors."""
    python = sys.executable
    chroma = urlsplit(settings.CHROMA_URL)
    model = urlsplit(settings.LLM_BASE_URL)
    uvicorn = ["-m", "uvicorn", "eyecare.asgi:application", "--no-access-log", "--log-level", "warning"]
    celery = [python, "-m", "celery", "-A", "eyecare", "--quiet"]
    quiet = ["--loglevel", "warning"]
    threads = ["--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle"]
    return [
        Program("web", [python, *uvicorn, "--host", host, "--port", str(port)], port, essential=True),
        Program("worker", [*celery, "worker", *threads, *quiet]),
        # Not inside the worker: there it is a child that outlives a worker that is killed.
        Program("beat", [*celery, "beat", *quiet]),
        Program("model", [python, "manage.py", "runmodel"], model.port or 8100),
        Program("vectors", [python, "manage.py", "runchroma"], chroma.port or 8200),
    ]


def taken_ports(chosen: Iterable[Program]) -> list[Program]:
    """Return the programs whose port somebody else listens on already."""
    return [program for program in chosen if program.port and _listens(program.port)]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def supervise(chosen: Iterable[Program]) -> int:
    """Run the programs until Ctrl-C or until an essential one dies; return its exit code."""
    roof = Manager()
    for program in chosen:
        keeper = [] if program.essential else [sys.executable, "-m", "eyecare.keep"]
        line = shlex.join(["exec", *keeper, *program.command])
        roof.add_process(
            program.name, line, env=os.environ | {"PYTHONUNBUFFERED": "1"}, cwd=str(settings.BASE_DIR)
        )
    roof.loop()
    return int(roof.returncode or 0)
