"""Ways to reach a language model and a sentence embedder, chosen by settings."""

from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from chatbot.backends.base import ChatBackend, Embedder

_DEFAULT_CHAT = "chatbot.backends.openai.OpenAIBackend"
_DEFAULT_EMBEDDINGS = "chatbot.backends.openai.OpenAIEmbedder"


def chat_backend() -> ChatBackend:
    """Return the backend named by LLM_BACKEND; one per process, safe for threads."""
    path = getattr(settings, "LLM_BACKEND", _DEFAULT_CHAT)
    backend: ChatBackend = _built(path, settings.LLM_BASE_URL)
    return backend


def embedder() -> Embedder:
    """Return the embedder named by EMBEDDINGS_BACKEND; one per process, safe for threads."""
    path = getattr(settings, "EMBEDDINGS_BACKEND", _DEFAULT_EMBEDDINGS)
    found: Embedder = _built(path, settings.EMBEDDINGS_BASE_URL)
    return found


@cache
def _built(path: str, base_url: str) -> Any:
    """Keep one client, with its open connections, for each address."""
    return import_string(path)(base_url)
