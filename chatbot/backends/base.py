"""What the assistant asks of a language model and of an embedder, whoever serves them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol


class ModelUnavailable(Exception):
    """The model is down, late or busy: do without it this time. `reason` says which."""

    def __init__(self, message: str, *, reason: str = "down") -> None:
        super().__init__(message)
        self.reason = reason


class ModelRefused(Exception):
    """The server will not do what was asked, now or later: a grammar, a size, a key is wrong."""


class ChatBackend(Protocol):
    """A language model behind a chat interface."""

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        schema: Mapping[str, Any] | None = None,
        grammar: str | None = None,
        max_tokens: int = 96,
        deadline_seconds: float | None = None,
        model: str = "",
        user: str = "",
    ) -> str:
        """Return the whole answer.

        `model` names another model than LLM_MODEL; `user` is an opaque name of who is being answered,
        so that a server can be fair to many, or keep what it has read of one conversation.
        `schema` and `grammar` say the same in two languages; the server gets the one that it
        understands, and the answer must be checked all the same. Raises ModelUnavailable or
        ModelRefused.
        """

    def stream(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        schema: Mapping[str, Any] | None = None,
        grammar: str | None = None,
        max_tokens: int = 96,
        deadline_seconds: float | None = None,
        model: str = "",
        user: str = "",
    ) -> Iterator[str]:
        """Yield the answer piece by piece; raises like `complete`, at any piece."""

    def load(self, model: str) -> None:
        """Return once the server can answer as this model, however long loading takes.

        Raises ModelUnavailable or ModelRefused.
        """


class Embedder(Protocol):
    """Turns texts into vectors of length one, so that a dot product is a cosine."""

    def embed(self, texts: Sequence[str], *, deadline_seconds: float | None = None) -> list[list[float]]:
        """Return one vector for each text, in order. Raises ModelUnavailable or ModelRefused."""
