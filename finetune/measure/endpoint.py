"""Asks any server with OpenAI's shapes: ours, llama-server, vLLM, Ollama."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from chatbot import grammar, prompt
from chatbot.prompt import Style, Turn
from finetune.examples import Example
from finetune.measure.measured import Answer, Level, percentile
from finetune.measure.one import ANSWER_TOKENS, commands
from finetune.tasks import TOOLS

CALLERS = (1, 2, 4, 8, 16)
KEY = "LLM_API_KEY"
"""The environment's variable with the server's key, where it wants one."""

SECONDS = 60.0


class Unreachable(ConnectionError):
    """The endpoint does not answer as a chat server does."""


@dataclass(frozen=True)
class Endpoint:
    """A server's address, and which of its models is asked in which form."""

    url: str
    model: str = ""
    style: Style = Style.FULL
    constraint: str = "schema"
    """"schema" (response_format), "grammar" (llama.cpp's own field), or "none"."""

    def client(self) -> httpx.Client:
        key = os.environ.get(KEY, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # The machine's proxy settings must not carry what a patient wrote to somewhere else.
        return httpx.Client(
            base_url=self.url.rstrip("/") + "/", headers=headers, timeout=SECONDS, trust_env=False
        )

    def body(self, turn: Turn) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": prompt.render(turn, TOOLS, self.style),
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **self._constraint(turn),
        }

    def _constraint(self, turn: Turn) -> dict[str, Any]:
        if self.constraint == "grammar":
            return {"grammar": grammar.command_grammar(TOOLS, turn.message)}
        if self.constraint == "none":
            return {}
        schema = {"name": "answer", "strict": True, "schema": grammar.command_schema(TOOLS)}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}

    def first_model(self) -> str:
        """Return the name of the first model that the server offers."""
        try:
            with self.client() as client:
                return str(client.get("models").raise_for_status().json()["data"][0]["id"])
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as error:
            raise Unreachable(f"{self.url} does not list its models ({type(error).__name__}).") from error


def ask(client: httpx.Client, endpoint: Endpoint, turn: Turn) -> Answer:
    """Return what the server makes of one message; raises Unreachable."""
    pieces: list[str] = []
    first, tokens = 0.0, 0
    started = time.perf_counter()
    try:
        for event in _events(client, endpoint.body(turn)):
            piece = _piece(event)
            if piece and not pieces:
                first = time.perf_counter() - started
            pieces.extend([piece] if piece else [])
            tokens = (event.get("usage") or {}).get("completion_tokens") or tokens
    except (httpx.HTTPError, ValueError) as error:
        raise Unreachable(f"{endpoint.url} gave no answer: {error}") from error
    whole = time.perf_counter() - started
    # a server that counts no tokens sends one in each piece, as a rule
    return Answer(
        commands("".join(pieces), turn), 1000 * (first or whole), 1000 * whole, tokens or len(pieces)
    )


def _events(client: httpx.Client, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    with client.stream("POST", "chat/completions", json=body) as response:
        if response.is_error:
            response.read()
            raise ValueError(f"{response.status_code} {response.text[:200]}")
        for line in response.iter_lines():
            told = line.removeprefix("data:").strip()
            if line.startswith("data:") and told != "[DONE]":
                yield json.loads(told)


def _piece(event: Mapping[str, Any]) -> str:
    if "error" in event:
        raise ValueError(str(event["error"])[:200])
    choices = event.get("choices") or [{}]
    return str((choices[0].get("delta") or {}).get("content") or "")


def concurrency(
    endpoint: Endpoint,
    scored: Sequence[Example],
    *,
    callers: Sequence[int] = CALLERS,
    tell: Callable[[int], None] = lambda callers: None,
) -> tuple[Level, ...]:
    """Return how the server does with so many callers at once, each with the same messages."""
    levels = []
    for count in callers:
        levels.append(_level(endpoint, scored, count))
        tell(count)
    return tuple(levels)


def _level(endpoint: Endpoint, scored: Sequence[Example], callers: int) -> Level:
    with endpoint.client() as client, ThreadPoolExecutor(callers) as pool:
        started = time.perf_counter()
        took = list(pool.map(lambda case: _milliseconds(client, endpoint, case.turn), scored))
        seconds = time.perf_counter() - started
    answered = sorted(milliseconds for milliseconds in took if milliseconds is not None)
    return Level(
        callers,
        len(answered) / seconds,
        statistics.median(answered) if answered else 0.0,
        percentile(answered, 0.95) if answered else 0.0,
        len(took) - len(answered),
    )


def _milliseconds(client: httpx.Client, endpoint: Endpoint, turn: Turn) -> float | None:
    try:
        return ask(client, endpoint, turn).whole_ms
    except Unreachable:
        return None
