"""Runs a model host on a free port, and engines whose pace a test decides."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from django.conf import settings

from chatbot.backends.memory import WordEmbedder
from chatbot.modelhost.app import Host, build
from chatbot.modelhost.batch import Batch
from chatbot.modelhost.generation import Generation, Request, Voice
from chatbot.modelhost.scheduler import Default, Scheduler
from chatbot.modelhost.shelf import Limits


@contextmanager
def listening(host: Host) -> Iterator[str]:
    """Serve the host in a thread until the block ends; yields its address once it answers."""
    server = uvicorn.Server(
        uvicorn.Config(build(host), port=0, log_level="error", access_log=False, timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield _address(server, host)
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _address(server: uvicorn.Server, host: Host) -> str:
    pause = threading.Event()
    while not server.started or "loading" in (host.chat.state, host.embeddings.state):
        pause.wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    return f"http://127.0.0.1:{port}"


@contextmanager
def chroma(path: Path, port: int = 0) -> Iterator[str]:
    """Run a Chroma server until the block ends; yields its address once it answers."""
    port = port or free_port()
    where = ["--host", "127.0.0.1", "--port", str(port), "--path", str(path)]
    server = subprocess.Popen(
        [Path(sys.executable).with_name("chroma"), "run", *where],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"ANONYMIZED_TELEMETRY": "False"},
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/v2/heartbeat")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(url: str) -> None:
    pause = threading.Event()
    for _ in range(600):
        with suppress(httpx.TransportError):
            if httpx.get(url).is_success:
                return
        pause.wait(0.1)
    raise TimeoutError(url)


def free_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def model_host(model: Path, **environment: str) -> Iterator[tuple[str, int]]:
    """Run our model host as a program until the block ends; yields its address and its process's number."""
    port = free_port()
    command = [sys.executable, "manage.py", "runmodel", "--port", str(port), "--model", str(model)]
    settings = {"DEMO": "1", "LLM_BASE_URL": f"http://127.0.0.1:{port}/v1", **environment}
    host = subprocess.Popen(command, env=os.environ | settings, cwd=Path(__file__).parents[2])
    try:
        _wait_for(f"http://127.0.0.1:{port}/health")
        pause = threading.Event()
        while health(f"http://127.0.0.1:{port}")["embeddings"]["state"] == "loading":
            pause.wait(0.1)
        yield f"http://127.0.0.1:{port}/v1", host.pid
    finally:
        host.terminate()
        host.wait(30)


@contextmanager
def llama_server(program: Path, model: Path, *options: str) -> Iterator[tuple[str, int]]:
    """Run llama.cpp's own server until the block ends; yields its address and its process's number."""
    port = free_port()
    # repacked weights crash on processors with AMX; its web pages are not built
    command = [program, "-m", model, "--port", str(port), "--no-repack", "--no-webui", *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}/v1", server.pid
    finally:
        server.terminate()
        server.wait(30)


class WordEngine:
    """Embeddings without weights: words are counted."""

    name = "words"
    sha256 = "0" * 64

    def embed(self, texts: Sequence[str]) -> Iterator[list[list[float]]]:
        yield WordEmbedder().embed(texts)


def scheduler(path: Path, *, limit: int = 32, parallel: int = 16, context_tokens: int = 256) -> Scheduler:
    """Return the chat models of a host whose default is the one at `path`."""
    default = Default(path, context_tokens, settings.LLM_MODEL)
    return Scheduler(default, limit=limit, limits=Limits(memory_bytes=10**9, parallel=parallel, threads=1))


class Pace:
    """Has a scheduler take a step each time the test lets it, and tells when work starts and is given up."""

    def __init__(self, chat: Scheduler) -> None:
        self.may_step = threading.Semaphore(0)
        self.started: list[str] = []
        self.has_started = threading.Event()
        self.given_up = threading.Event()
        self._build = chat.shelf.build
        chat.shelf.build = self.build  # type: ignore[method-assign]

    def build(self, path: Path, context_tokens: int) -> Batch:
        batch = self._build(path, context_tokens)
        decode, admit, finish = batch.context.decode, batch.admit, batch.finish

        def paced_decode(*rows: Any) -> Any:
            self.may_step.acquire()
            return decode(*rows)

        def told_admit(request: Request, voice: Voice) -> Generation | None:
            generation = admit(request, voice)
            if generation is not None:
                self.started.append(request.prompt.messages[-1]["content"])
                self.has_started.set()
            return generation

        def told_finish(generation: Generation, problem: Exception | None = None) -> None:
            if not generation.request.is_wanted():
                self.given_up.set()
            finish(generation, problem)

        batch.context.decode, batch.admit, batch.finish = paced_decode, told_admit, told_finish  # type: ignore[method-assign, assignment]
        return batch


def ask(url: str, text: str = "hello", **body: Any) -> httpx.Response:
    """Send one chat completion request."""
    headers = {"Deadline-Seconds": str(body.pop("deadline", 20))}
    wanted = {"messages": [{"role": "user", "content": text}], **body}
    return httpx.post(f"{url}/v1/chat/completions", json=wanted, headers=headers, timeout=30)


def health(url: str) -> dict[str, Any]:
    """Return what the host says of itself."""
    answer: dict[str, Any] = httpx.get(f"{url}/health").json()
    return answer
