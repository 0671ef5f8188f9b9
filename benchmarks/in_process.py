"""The model and the embedder in this process, for benchmarks that ask about answers and not about serving."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings

from chatbot.modelhost.embedder import MiniLm
from chatbot.modelhost.llama import GgufModel, NothingFits, Prompt, Tally


class Gguf:
    """A chat backend that answers from the file of LLM_MODEL_PATH, with no deadline."""

    def __init__(self, base_url: str) -> None:
        path = Path(settings.LLM_MODEL_PATH)
        self._model = GgufModel(
            path, context_tokens=settings.LLM_CONTEXT_TOKENS, threads=settings.LLM_THREADS
        )

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        grammar: str | None = None,
        max_tokens: int = 96,
        **_: Any,
    ) -> str:
        try:
            return "".join(self._model.generate(Prompt(messages, grammar, max_tokens), Tally()))
        except NothingFits:
            return ""

    def stream(self, messages: Sequence[Mapping[str, str]], **options: Any) -> Iterator[str]:
        yield self.complete(messages, **options)

    def load(self, model: str) -> None:
        """The one model is loaded."""


class Embedder:
    """MiniLM, on as many threads as OMP_NUM_THREADS says."""

    def __init__(self, base_url: str) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    @cached_property
    def _model(self) -> MiniLm:
        return MiniLm()

    def embed(self, texts: Sequence[str], *, deadline_seconds: float | None = None) -> list[list[float]]:
        return [vector for batch in self._model.embed(texts) for vector in batch]
