"""The clients speak to any OpenAI-shaped server, and turn its troubles into two errors of ours."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from chatbot import backends
from chatbot.backends.base import ModelRefused, ModelUnavailable
from chatbot.backends.memory import ScriptedBackend, WordEmbedder
from chatbot.backends.openai import OpenAIBackend, OpenAIEmbedder
from chatbot.modelhost.app import Host
from chatbot.modelhost.lane import Lane
from tests.chatbot import serving

HELLO = [{"role": "user", "content": "hello"}]
NOBODY = "http://127.0.0.1:9/v1"
SCHEMA = {"type": "object", "properties": {"ok": {"const": True}}, "required": ["ok"]}


@pytest.fixture
def backend(tiny_host: str, settings: Settings) -> OpenAIBackend:
    settings.LLM_DEADLINE_SECONDS = 20.0
    return OpenAIBackend(f"{tiny_host}/v1")


@pytest.fixture
def silent_host(tiny_gguf: Path) -> Iterator[str]:
    """A host whose model never says a word."""
    chat = serving.scheduler(tiny_gguf, limit=0)
    pace = serving.Pace(chat)
    host = Host(
        chat=chat,
        embeddings=Lane("embedder", serving.WordEngine, limit=0),  # type: ignore[arg-type]
        deadline_seconds=20,
    )
    with serving.listening(host) as url:
        yield f"{url}/v1"
        pace.may_step.release(1000)


def test_the_grammar_is_sent_where_the_server_reads_grammars(
    backend: OpenAIBackend, settings: Settings
) -> None:
    settings.LLM_CONSTRAINT = "grammar"
    assert backend.complete(HELLO, schema=SCHEMA, grammar='root ::= "by grammar"') == "by grammar"


def test_the_schema_is_sent_where_the_server_reads_schemas(
    backend: OpenAIBackend, settings: Settings
) -> None:
    settings.LLM_CONSTRAINT = "json_schema"
    answer = backend.complete(HELLO, schema=SCHEMA, grammar='root ::= "by grammar"')
    assert json.loads(answer) == {"ok": True}


def test_a_streamed_answer_comes_in_pieces_that_make_the_whole(backend: OpenAIBackend) -> None:
    pieces = list(backend.stream(HELLO, grammar='root ::= "in pieces"'))
    assert len(pieces) > 1
    assert "".join(pieces) == "in pieces"


def test_vectors_come_in_the_order_of_the_texts(tiny_host: str) -> None:
    texts = [f"text number {number}" for number in range(70)]
    assert OpenAIEmbedder(f"{tiny_host}/v1").embed(texts, deadline_seconds=20) == [
        pytest.approx(vector) for vector in WordEmbedder().embed(texts)
    ]


def test_a_host_that_is_down_is_unavailable() -> None:
    with pytest.raises(ModelUnavailable) as caught:
        OpenAIBackend(NOBODY).complete(HELLO)
    assert caught.value.reason == "down"
    with pytest.raises(ModelUnavailable):
        list(OpenAIBackend(NOBODY).stream(HELLO))
    with pytest.raises(ModelUnavailable):
        OpenAIEmbedder(NOBODY).embed(["hello"])


def test_a_model_that_is_late_is_unavailable(silent_host: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        OpenAIBackend(silent_host).complete(HELLO, deadline_seconds=0.05)
    assert caught.value.reason == "late"
    with pytest.raises(ModelUnavailable) as caught:
        list(OpenAIBackend(silent_host).stream(HELLO, deadline_seconds=0.05))
    assert caught.value.reason == "late"


def test_a_grammar_that_the_server_refuses_is_refused_not_retried(
    backend: OpenAIBackend, settings: Settings
) -> None:
    settings.LLM_CONSTRAINT = "grammar"
    with pytest.raises(ModelRefused, match="begins with itself"):
        backend.complete(HELLO, grammar="root ::= root")


def test_settings_choose_the_backend(settings: Settings) -> None:
    settings.LLM_BACKEND = "chatbot.backends.memory.ScriptedBackend"
    settings.EMBEDDINGS_BACKEND = "chatbot.backends.memory.WordEmbedder"
    assert isinstance(backends.chat_backend(), ScriptedBackend)
    assert isinstance(backends.embedder(), WordEmbedder)


def test_a_scripted_backend_plays_its_script_and_remembers() -> None:
    script: list[Any] = ["one", ModelUnavailable("busy", reason="busy"), "two words"]
    backend = ScriptedBackend(answers=script)
    assert backend.complete(HELLO, max_tokens=5) == "one"
    with pytest.raises(ModelUnavailable):
        backend.complete(HELLO)
    assert list(backend.stream(HELLO)) == ["two ", "words"]
    with pytest.raises(ModelUnavailable, match="script has ended"):
        backend.complete(HELLO)
    assert [asked.max_tokens for asked in backend.history] == [5, 96, 96, 96]


@pytest.fixture
def listener() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers "ok" to everything, and keeps what it was asked."""
    heard: list[dict[str, Any]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = json.dumps({"choices": [{"message": {"content": "ok"}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", heard
        server.shutdown()


def test_a_request_names_its_model_and_whom_it_is_for(
    listener: tuple[str, list[dict[str, Any]]],
) -> None:
    url, heard = listener
    assert OpenAIBackend(url).complete(HELLO, model="ours@2", user="talk-7") == "ok"
    assert (heard[0]["model"], heard[0]["user"]) == ("ours@2", "talk-7")


def test_a_request_that_names_nothing_is_for_the_usual_model(
    listener: tuple[str, list[dict[str, Any]]], settings: Settings
) -> None:
    url, heard = listener
    OpenAIBackend(url).complete(HELLO)
    assert heard[0]["model"] == settings.LLM_MODEL
    assert "user" not in heard[0]


def test_a_model_is_loaded_before_it_is_asked(backend: OpenAIBackend, settings: Settings) -> None:
    backend.load(settings.LLM_MODEL)
    with pytest.raises(ModelRefused, match="There is no model called 'nobody@1'"):
        backend.load("nobody@1")
    with pytest.raises(ModelRefused, match="There is no model called 'nobody@1'"):
        backend.complete(HELLO, model="nobody@1")


def test_a_server_without_a_way_to_load_models_has_nothing_to_load(tiny_host: str) -> None:
    OpenAIBackend(f"{tiny_host}/elsewhere").load("any model")
