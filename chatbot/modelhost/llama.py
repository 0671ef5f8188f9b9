"""A model for a single caller: evaluation, benchmarks and tests, in this process and without threads."""

from collections.abc import Iterator
from pathlib import Path

from chatbot.modelhost.answers import ModelMissing, ModelUnusable, NothingFits, Prompt, PromptTooLong, Tally
from chatbot.modelhost.batch import Batch
from chatbot.modelhost.catalogue import Entry, sha256
from chatbot.modelhost.engine import Weights
from chatbot.modelhost.generation import Request, Voice

__all__ = ["GgufModel", "ModelMissing", "ModelUnusable", "NothingFits", "Prompt", "PromptTooLong", "Tally"]


class GgufModel:
    """A loaded GGUF, with an adapter on it if one is named. Not safe for threads: one thread owns it."""

    def __init__(
        self,
        path: Path,
        context_tokens: int,
        *,
        threads: int = 0,
        adapter: Path | None = None,
        name: str = "",
    ) -> None:
        self.weights = Weights(path, name=name)
        self.path = path
        self.name = self.weights.name
        self.sha256 = sha256(path)
        self.context_tokens = min(context_tokens, self.weights.trained_context)
        loaded = self.weights.adapter(adapter) if adapter else None
        self._entry = Entry(self.name, str(path), self.sha256, context_tokens=self.context_tokens)
        self._voice = Voice(self.name, self.context_tokens, str(adapter or ""), loaded)
        self._batch = Batch(self.weights, cells=self.context_tokens, threads=threads)

    def generate(self, prompt: Prompt, tally: Tally) -> Iterator[str]:
        """Yield the answer piece by piece, with empty pieces while the prompt is read.

        Raises GrammarRefused, PromptTooLong or NothingFits. May be closed at any point.
        """
        said: list[str] = []
        problems: list[Exception | None] = []
        request = Request(self._entry, prompt, tally, said.append, problems.append)
        generation = self._batch.admit(request, self._voice)
        if generation is None:
            raise RuntimeError("A model for one caller writes one answer at a time.")
        try:
            while not problems:
                self._batch.step()
                yield "".join(said)
                said.clear()
        finally:
            if not problems:
                self._batch.finish(generation)
        if problems[0] is not None:
            raise problems[0]

    def close(self) -> None:
        """Give the memory back; the model cannot be used afterwards."""
        self._batch.close()
