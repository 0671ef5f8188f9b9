"""The model host's HTTP API, in OpenAI's shapes."""

import asyncio
import hmac
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from chatbot.modelhost import wire
from chatbot.modelhost.answers import ModelMissing, ModelUnusable, NothingFits, PromptTooLong, Tally
from chatbot.modelhost.catalogue import UnknownModel
from chatbot.modelhost.embedder import NAME as EMBEDDER_NAME
from chatbot.modelhost.embedder import MiniLm
from chatbot.modelhost.gbnf import GrammarRefused
from chatbot.modelhost.job import Job, NotReady, QueueFull, TooLate
from chatbot.modelhost.lane import Lane, State
from chatbot.modelhost.metrics import Metrics
from chatbot.modelhost.scheduler import Scheduler

logger = logging.getLogger(__name__)

BODY_LIMIT = 1_000_000
"""Bytes of a request."""

DEADLINE_HEADER = "deadline-seconds"
DEADLINE_LIMIT = 600.0
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

Outcome = TypeVar("Outcome")


@dataclass
class Host:
    """What the process holds: the chat models, the embedder, and figures of what went through them."""

    chat: Scheduler
    embeddings: Lane[MiniLm]
    deadline_seconds: float
    api_key: str = ""

    @property
    def metrics(self) -> Metrics:
        return self.chat.metrics

    def seconds_for(self, request: Request) -> float:
        """Return how long the caller gives us; raises BadRequest for nonsense."""
        wanted = request.headers.get(DEADLINE_HEADER)
        if wanted is None:
            return self.deadline_seconds
        try:
            seconds = float(wanted)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= DEADLINE_LIMIT:
            raise wire.BadRequest(f"{DEADLINE_HEADER} must lie between 0 and {DEADLINE_LIMIT:g} seconds.")
        return seconds


def build(host: Host, *, names: tuple[str, ...] = LOOPBACK_NAMES) -> Starlette:
    """Return the ASGI application; it starts the lanes and stops them.

    `names` are the Host headers that are answered: a web page must not reach the model by having
    its own name point at this machine.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        host.chat.start()
        host.embeddings.start()
        yield
        host.chat.stop()
        host.embeddings.stop()

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v1/chat/completions", answer_chat, methods=["POST"]),
            Route("/v1/embeddings", answer_embeddings, methods=["POST"]),
            Route("/v1/models", list_models),
            Route("/v1/models/load", load_model, methods=["POST"]),
            Route("/health", tell_health),
            Route("/metrics", tell_metrics),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(names), www_redirect=False)],
        exception_handlers={
            **dict.fromkeys(_REFUSALS, _refuse),
            ClientDisconnect: _leave,
            Exception: _fail,
        },
    )
    app.state.host = host
    return app


async def answer_chat(request: Request) -> Response:
    """POST /v1/chat/completions."""
    host, body = _host(request), await _body(request)
    wanted = wire.read_chat(body)
    answer = Answer(wanted.model or host.chat.default.name)
    job = host.chat.submit(
        wanted.prompt,
        answer.tally,
        seconds=host.seconds_for(request),
        model=wanted.model,
        caller=wanted.caller,
    )
    request.state.model = answer.model  # known by now, so that it may be a label
    if wanted.is_stream:
        return await _streamed(request, job, answer)
    async with job:
        text = await _unless_gone(request, _joined(job))
    host.metrics.requests.labels(answer.model, "answered").inc()
    return JSONResponse(answer.whole(text))


async def _joined(job: Job[str]) -> str:
    return "".join([piece async for piece in job])


async def _streamed(request: Request, job: Job[str], answer: "Answer") -> Response:
    """Answer as soon as the first words are there, so that a refusal still has its status."""
    pieces = aiter(job)
    try:
        first = await _unless_gone(request, _first_words(pieces))
    except BaseException:
        job.close()
        raise
    return _EventStream(job, _events(_host(request), pieces, first, answer))


async def _first_words(pieces: AsyncIterator[str]) -> str:
    async for piece in pieces:
        if piece:
            return piece
    return ""


async def _events(host: Host, pieces: AsyncIterator[str], first: str, answer: "Answer") -> AsyncIterator[str]:
    try:
        yield answer.chunk(first)
        async for piece in pieces:
            if piece:
                yield answer.chunk(piece)
        yield answer.chunk("", finish_reason=answer.tally.finish_reason)
        yield "data: [DONE]\n\n"
        host.metrics.requests.labels(answer.model, "answered").inc()
    except (TooLate, NothingFits) as problem:
        refusal = _REFUSALS[type(problem)]
        host.metrics.requests.labels(answer.model, refusal.code).inc()
        yield wire.event(refusal.body(problem))


class _EventStream(StreamingResponse):
    """Server-sent events; however the exchange ends, the job is given up."""

    def __init__(self, job: Job[str], events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self.job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.job:
            await super().__call__(scope, receive, send)


async def answer_embeddings(request: Request) -> Response:
    """POST /v1/embeddings."""
    host, body = _host(request), await _body(request)
    texts = wire.read_embeddings(body)
    job = host.embeddings.submit(lambda model: model.embed(texts), seconds=host.seconds_for(request))
    async with job:
        vectors = await _unless_gone(request, _gathered(job))
    host.metrics.embedded_texts.inc(len(vectors))
    return JSONResponse(wire.embeddings(EMBEDDER_NAME, vectors))


async def _gathered(job: Job[list[list[float]]]) -> list[list[float]]:
    return [vector async for batch in job for vector in batch]


async def list_models(request: Request) -> Response:
    """GET /v1/models: every model that may be named, and the embedder."""
    host = _host(request)
    names = await asyncio.to_thread(host.chat.names)
    if host.embeddings.engine is not None:
        names.append((host.embeddings.engine.name, True))
    models = [
        {"id": name, "object": "model", "owned_by": "eyecare", "loaded": is_loaded}
        for name, is_loaded in names
    ]
    return JSONResponse({"object": "list", "data": models})


async def load_model(request: Request) -> Response:
    """POST /v1/models/load: answers once the model is ready to be asked."""
    host, body = _host(request), await _body(request)
    name = wire.read_name(body)
    await _unless_gone(request, host.chat.load(name))
    return JSONResponse({"id": name, "object": "model", "status": "loaded"})


async def tell_health(request: Request) -> Response:
    """GET /health: 200 when the model of the settings answers, 503 before or without it, with the details."""
    host = _host(request)
    lanes = {"chat": _chat_health(host.chat), "embeddings": _lane_health(host.embeddings)}
    status = 200 if host.chat.state is State.READY else 503
    return JSONResponse({"status": host.chat.state, **lanes}, status_code=status)


def _chat_health(chat: Scheduler) -> dict[str, Any]:
    entry = chat.entry
    return _queue_health(chat) | (
        {"problem": chat.problem} if entry is None else {"model": entry.name, "sha256": entry.base_sha256}
    )


def _lane_health(lane: Lane[Any]) -> dict[str, Any]:
    engine = lane.engine
    return _queue_health(lane) | (
        {"problem": lane.problem} if engine is None else {"model": engine.name, "sha256": engine.sha256}
    )


def _queue_health(queue: Scheduler | Lane[Any]) -> dict[str, Any]:
    return {
        "state": queue.state,
        "loaded": queue.state is State.READY,
        "queue_depth": queue.depth,
        "queue_limit": queue.limit,
    }


async def tell_metrics(request: Request) -> Response:
    """GET /metrics, in Prometheus' text format."""
    host = _host(request)
    host.metrics.queue.labels("chat").set(host.chat.depth)
    host.metrics.queue.labels("embeddings").set(host.embeddings.depth)
    return Response(host.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@dataclass
class Answer:
    """One answer on its way out: who it is from, and what it costs."""

    model: str
    tally: Tally = field(default_factory=Tally)
    identity: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, text: str) -> dict[str, Any]:
        return wire.completion(self.identity, self.created, self.model, text, self.tally)

    def chunk(self, text: str, finish_reason: str | None = None) -> str:
        return wire.chunk(self.identity, self.created, self.model, text, finish_reason)


@dataclass(frozen=True)
class _Refusal:
    """How a kind of problem is told."""

    status: int
    kind: str
    code: str
    retry_after: int | None = None

    def body(self, problem: Exception) -> dict[str, Any]:
        code = getattr(problem, "code", self.code)
        field = getattr(problem, "field", None)
        return wire.error(str(problem), kind=self.kind, code=code, field=field)


_REFUSALS: dict[type[Exception], _Refusal] = {
    wire.BadRequest: _Refusal(400, "invalid_request_error", "invalid_request"),
    wire.WrongKey: _Refusal(401, "authentication_error", "invalid_api_key"),
    UnknownModel: _Refusal(404, "invalid_request_error", "model_not_found"),
    ModelMissing: _Refusal(422, "invalid_request_error", "model_unusable"),
    ModelUnusable: _Refusal(422, "invalid_request_error", "model_unusable"),
    GrammarRefused: _Refusal(400, "invalid_request_error", "invalid_grammar"),
    PromptTooLong: _Refusal(400, "invalid_request_error", "context_length_exceeded"),
    NothingFits: _Refusal(422, "invalid_request_error", "grammar_cannot_be_met"),
    QueueFull: _Refusal(429, "rate_limit_error", "queue_full", retry_after=1),
    NotReady: _Refusal(503, "server_error", "model_not_ready", retry_after=5),
    TooLate: _Refusal(504, "server_error", "deadline_exceeded"),
}


async def _refuse(request: Request, problem: Exception) -> Response:
    refusal = _REFUSALS[type(problem)]
    _host(request).metrics.requests.labels(getattr(request.state, "model", ""), refusal.code).inc()
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else None
    return JSONResponse(refusal.body(problem), status_code=refusal.status, headers=headers)


async def _fail(request: Request, problem: Exception) -> Response:
    """Answer a fault of ours; what was asked stays out of the log."""
    logger.error("%s failed: %s", request.url.path, type(problem).__name__)
    body = wire.error("The model host failed.", kind="server_error", code="internal_error")
    return JSONResponse(body, status_code=500)


async def _leave(request: Request, problem: Exception) -> Response:
    """Close the books on a caller who is gone; nobody reads this."""
    _host(request).metrics.abandoned.inc()
    return Response(status_code=499)


def _host(request: Request) -> Host:
    host: Host = request.app.state.host
    return host


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent; raises BadRequest."""
    _check_caller(request)
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > BODY_LIMIT:
            raise wire.BadRequest(f"The request is larger than {BODY_LIMIT} bytes.", code="too_large")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise wire.BadRequest("The request is not JSON.") from error
    if not isinstance(body, dict):
        raise wire.BadRequest("The request must be a JSON object.")
    return body


def _check_caller(request: Request) -> None:
    """Refuse a form that a web page could send across sites, and a caller without the key."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise wire.BadRequest("The content type must be application/json.")
    key = _host(request).api_key
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if key and not hmac.compare_digest(given.encode(), key.encode()):
        raise wire.WrongKey("The API key is missing or wrong.")


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Await the work; raises ClientDisconnect when the caller hangs up first."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_hang_up(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
