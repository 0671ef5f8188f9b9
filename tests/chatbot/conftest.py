"""A model host that really listens, with a model of random weights."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from pytest_django import Settings

from chatbot import backends
from chatbot.backends.memory import ScriptedBackend
from chatbot.modelhost.app import Host
from chatbot.modelhost.lane import Lane
from chatbot.tools import registry
from tests.chatbot import serving, tea
from tests.chatbot.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a model that knows every byte and no sense."""
    return write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="session")
def tiny_host(tiny_gguf: Path) -> Iterator[str]:
    """The address of a model host that serves the tiny model and word counts as embeddings."""
    host = Host(
        chat=serving.scheduler(tiny_gguf),
        embeddings=Lane("embedder", serving.WordEngine, limit=32),
        deadline_seconds=20,
    )
    with serving.listening(host) as url:
        yield url


@pytest.fixture(scope="session")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Chroma server that runs for these tests alone."""
    with serving.chroma(tmp_path_factory.mktemp("chroma")) as url:
        yield url


@pytest.fixture
def vectors(chroma_server: str, settings: Settings) -> None:
    """Empty collections of this test's own, filled by counting words."""
    settings.CHROMA_URL = chroma_server
    settings.EMBEDDINGS_BACKEND = "chatbot.backends.memory.WordEmbedder"
    settings.EMBEDDINGS_MODEL = f"words-{uuid.uuid4().hex}"


@pytest.fixture
def tea_tools() -> Iterator[None]:
    """The tasks about tea, known to the assistant for one test."""
    tea.register()
    yield
    for name in tea.names():
        registry.remove(name)


@pytest.fixture
def model(settings: LazySettings) -> Iterator[ScriptedBackend]:
    """A model that says what its `answers` hold; without any it is down."""
    settings.ASSISTANT_ENGINE = "model"
    settings.LLM_BACKEND = "chatbot.backends.memory.ScriptedBackend"
    scripted = backends.chat_backend()
    assert isinstance(scripted, ScriptedBackend)
    scripted.answers.clear()
    scripted.history.clear()
    yield scripted
    scripted.answers.clear()
