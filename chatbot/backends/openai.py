"""Any server with OpenAI's shapes: our model host, vLLM, llama-server, Ollama."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from django.conf import settings

from chatbot.backends.base import ModelRefused, ModelUnavailable

DEADLINE_HEADER = "Deadline-Seconds"
"""Our model host drops a request at this age; other servers ignore the header."""

EMBEDDING_BATCH = 32
"""Texts of one request: few, so that a patient's question is not stuck behind a long document."""

LOAD_SECONDS = 900.0
"""How long a large model may take to be checked and read from disk."""

BUSY = {429, 502, 503, 504}


class OpenAIBackend:
    """A chat model at `base_url`."""

    def __init__(self, base_url: str) -> None:
        self._client = _client(base_url)

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
        seconds = _deadline(deadline_seconds)
        body = _body(messages, schema, grammar, max_tokens, model, user)
        answer = _post(self._client, "chat/completions", body, seconds)
        try:
            return str(answer["choices"][0]["message"]["content"] or "")
        except (KeyError, IndexError, TypeError) as error:
            raise ModelUnavailable("The answer has not the shape of a chat completion.") from error

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
        seconds = _deadline(deadline_seconds)
        ends_at = time.monotonic() + seconds
        body = _body(messages, schema, grammar, max_tokens, model, user) | {"stream": True}
        with _translated(), _open(self._client, body, seconds) as response:
            for line in response.iter_lines():
                if time.monotonic() > ends_at:
                    raise ModelUnavailable("The answer did not end in time.", reason="late")
                if line.startswith("data:") and (piece := _piece(line.removeprefix("data:").strip())):
                    yield piece

    def load(self, model: str) -> None:
        try:
            _post(self._client, "models/load", {"name": model}, LOAD_SECONDS)
        except _NoSuchPath:
            return  # a server that holds what it was started with: nothing to load


class OpenAIEmbedder:
    """An embeddings model at `base_url`."""

    def __init__(self, base_url: str) -> None:
        self._client = _client(base_url)

    def embed(self, texts: Sequence[str], *, deadline_seconds: float | None = None) -> list[list[float]]:
        seconds = _deadline(deadline_seconds)
        model = getattr(settings, "EMBEDDINGS_MODEL", "all-MiniLM-L6-v2")
        vectors: list[list[float]] = []
        for start in range(0, len(texts), EMBEDDING_BATCH):
            body = {"model": model, "input": list(texts[start : start + EMBEDDING_BATCH])}
            vectors += _vectors(_post(self._client, "embeddings", body, seconds))
        if len(vectors) != len(texts):
            raise ModelUnavailable(f"{len(texts)} texts gave {len(vectors)} vectors.")
        return vectors


def _client(base_url: str) -> httpx.Client:
    key = settings.LLM_API_KEY
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    # The machine's proxy settings must not carry what a patient wrote to somewhere else.
    return httpx.Client(base_url=base_url.rstrip("/") + "/", headers=headers, trust_env=False)


def _deadline(seconds: float | None) -> float:
    return settings.LLM_DEADLINE_SECONDS if seconds is None else seconds


def _body(
    messages: Sequence[Mapping[str, str]],
    schema: Mapping[str, Any] | None,
    grammar: str | None,
    max_tokens: int,
    model: str,
    user: str,
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model or settings.LLM_MODEL,
        "messages": [dict(message) for message in messages],
        "max_tokens": max_tokens,
        "temperature": 0,
    }
    return body | ({"user": user} if user else {}) | _constraint(schema, grammar)


def _constraint(schema: Mapping[str, Any] | None, grammar: str | None) -> dict[str, Any]:
    """Return the field by which this server is told what may be said."""
    if settings.LLM_CONSTRAINT == "grammar" and grammar is not None:
        return {"grammar": grammar}
    if settings.LLM_CONSTRAINT == "none" or schema is None:
        return {}
    wrapped = {"name": "answer", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": wrapped}}


def _post(client: httpx.Client, path: str, body: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    with _translated():
        response = client.post(path, json=body, headers=_headers(seconds), timeout=_timeout(seconds))
        _raise_for(response)
        answer: dict[str, Any] = response.json()
        return answer


@contextmanager
def _open(client: httpx.Client, body: Mapping[str, Any], seconds: float) -> Iterator[httpx.Response]:
    asked = client.stream(
        "POST", "chat/completions", json=body, headers=_headers(seconds), timeout=_timeout(seconds)
    )
    with asked as response:
        if response.is_error:
            response.read()
        _raise_for(response)
        yield response


def _headers(seconds: float) -> dict[str, str]:
    return {DEADLINE_HEADER: f"{seconds:.3f}"}


def _timeout(seconds: float) -> httpx.Timeout:
    """Leave the host a moment to say itself that it is late; a dead one is noticed at once."""
    return httpx.Timeout(seconds + 0.25, connect=min(seconds, 1.0))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the wire's troubles into ours."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise ModelUnavailable("The model host did not answer in time.", reason="late") from error
    except (httpx.TransportError, ValueError) as error:
        raise ModelUnavailable("The model host cannot be reached.") from error


def _raise_for(response: httpx.Response) -> None:
    if response.is_success:
        return
    if response.status_code in BUSY or response.status_code >= 500:
        reason = {429: "busy", 504: "late"}.get(response.status_code, "down")
        raise ModelUnavailable(f"The model host answered {response.status_code}.", reason=reason)
    refusal = f"The model host answered {response.status_code}: {_problem(response)}"
    raise (_NoSuchPath if _is_no_such_path(response) else ModelRefused)(refusal)


class _NoSuchPath(ModelRefused):
    """The server has not got what was asked for at all."""


def _is_no_such_path(response: httpx.Response) -> bool:
    """Tell a path that is not there from a model that is not there."""
    if response.status_code == 405:
        return True
    return response.status_code == 404 and '"model_not_found"' not in response.text


def _problem(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _piece(data: str) -> str:
    """Return the text in one event of a stream; raises ModelUnavailable for an error event."""
    if data == "[DONE]":
        return ""
    event = json.loads(data)
    if "error" in event:
        raise ModelUnavailable("The model host broke off.", reason="late")
    choices = event.get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")


def _vectors(answer: Mapping[str, Any]) -> list[list[float]]:
    try:
        ordered = sorted(answer["data"], key=lambda entry: int(entry["index"]))
        return [[float(number) for number in entry["embedding"]] for entry in ordered]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelUnavailable("The answer has not the shape of embeddings.") from error
