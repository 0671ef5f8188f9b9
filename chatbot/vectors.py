"""The only file that knows Chroma: one collection for each audience, holding ids and vectors."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings

logger = logging.getLogger(__name__)

SECONDS = 2.0
"""How long Chroma may take to answer; its own client would wait for ever."""

PAGE = 500


class VectorsUnavailable(Exception):
    """Chroma is down, late, or answers nonsense."""


@dataclass(frozen=True)
class Neighbour:
    """A stored id and its cosine similarity to what was asked for, at most 1."""

    id: str
    similarity: float


class Collection:
    """The vectors of what one audience may read."""

    def __init__(self, audience: str) -> None:
        # Another embedder makes other vectors: it gets its own collection.
        model = getattr(settings, "EMBEDDINGS_MODEL", "all-MiniLM-L6-v2").replace("/", "-")
        self.name = f"practice-{audience}-{model}"

    def upsert(self, ids: Sequence[str], vectors: Sequence[Sequence[float]]) -> None:
        """Store the vectors, each under its id; an id that exists gets the new one."""
        if ids:
            self._ask(lambda stored: stored.upsert(ids=list(ids), embeddings=[list(v) for v in vectors]))

    def delete(self, ids: Sequence[str]) -> None:
        """Forget these ids; those that are not here are no error."""
        if ids:
            self._ask(lambda stored: stored.delete(ids=list(ids)))

    def nearest(
        self, vector: Sequence[float], limit: int, among: Sequence[str] | None = None
    ) -> list[Neighbour]:
        """Return at most `limit` neighbours, nearest first; of these ids only, where `among` is given."""
        if among is not None and not among:
            return []
        found = self._ask(
            lambda stored: stored.query(
                query_embeddings=[list(vector)],
                n_results=limit,
                include=["distances"],
                ids=None if among is None else list(among),
            )
        )
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        return [Neighbour(key, 1 - distance) for key, distance in pairs]

    def ids(self) -> set[str]:
        """Return every id that is stored."""
        return set(self._ask(lambda stored: list(_pages(stored))))

    def _ask(self, work: Callable[[Any], Any]) -> Any:
        with _translated():
            from chromadb.errors import NotFoundError  # takes a second: only where vectors are used

            try:
                return work(_collection(settings.CHROMA_URL, self.name))
            except NotFoundError:  # Chroma was emptied since we looked it up
                _collection.cache_clear()
                return work(_collection(settings.CHROMA_URL, self.name))


def _pages(stored: Any) -> Iterator[str]:
    offset = 0
    while page := stored.get(include=[], limit=PAGE, offset=offset)["ids"]:
        yield from page
        offset += len(page)


@cache
def _collection(url: str, name: str) -> Any:
    """Return the collection, made on first use: cosine space, and never Chroma's own embedder."""
    return _client(url).get_or_create_collection(
        name, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )


@cache
def _client(url: str) -> Any:
    import chromadb

    # While it is built the client waits without end; so ask first whether somebody is there.
    _doorbell().get(f"{url.rstrip('/')}/api/v2/heartbeat").raise_for_status()
    address = urlsplit(url)
    client: Any = chromadb.HttpClient(
        host=address.hostname or "127.0.0.1",
        port=address.port or 8000,
        ssl=address.scheme == "https",
        settings=chromadb.Settings(anonymized_telemetry=False),
    )
    client._server._session.timeout = httpx.Timeout(SECONDS)  # there is no public way to set it
    return client


@cache
def _doorbell() -> httpx.Client:
    return httpx.Client(timeout=SECONDS, trust_env=False)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn whatever goes wrong between here and Chroma into one error."""
    try:
        yield
    except Exception as error:  # the client raises bare ValueError, httpx's errors and its own
        logger.warning("Chroma: %s", type(error).__name__)
        raise VectorsUnavailable("The vectors cannot be reached.") from error
