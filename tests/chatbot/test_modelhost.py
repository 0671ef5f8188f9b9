"""The model host answers in OpenAI's shapes, and nothing that is sent to it takes it down."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jsonschema
import pytest

from chatbot import grammar, prompt
from chatbot.commands import ArgumentOutline, ToolOutline
from chatbot.modelhost.app import Host
from chatbot.modelhost.embedder import DIMENSIONS, MiniLm
from chatbot.modelhost.lane import Lane
from chatbot.modelhost.llama import GgufModel, NothingFits, Prompt, PromptTooLong, Tally
from chatbot.modelhost.scheduler import Scheduler
from tests.chatbot import serving
from tests.chatbot.serving import Pace, ask, health
from tests.chatbot.tiny_gguf import LONG_PIECE, write_tiny_gguf

SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["glasses", "contacts"]},
        "count": {"type": "integer"},
        "sides": {"type": "array", "items": {"enum": ["left", "right"]}, "minItems": 1, "maxItems": 2},
    },
    "required": ["kind", "sides"],
    "additionalProperties": False,
}
TOOLS = (
    ToolOutline("order_status", "Where an order is.", (ArgumentOutline("order", "Which order."),)),
    ToolOutline("balance", "What is owed."),
)
WORD = {"grammar": 'root ::= "w"', "max_tokens": 1}
"""An answer of one step: its prompt is read, and that says the token."""

KILLS_THE_BINDING = """
import sys, llama_cpp
model = llama_cpp.Llama(sys.argv[1], n_ctx=64, verbose=False)
grammar = llama_cpp.LlamaGrammar.from_string("root ::= order")
model.create_chat_completion([{"role": "user", "content": "hi"}], grammar=grammar, max_tokens=2)
"""


@pytest.fixture(scope="module")
def model(tiny_gguf: Path) -> Iterator[GgufModel]:
    model = GgufModel(tiny_gguf, context_tokens=256)
    yield model
    model.close()


@pytest.fixture
def paced_chat(tiny_gguf: Path) -> Scheduler:
    """One answer at a time, with room for one request to wait."""
    return serving.scheduler(tiny_gguf, limit=1, parallel=1)


@pytest.fixture
def pace(paced_chat: Scheduler) -> Pace:
    return Pace(paced_chat)


@pytest.fixture
def paced_host(paced_chat: Scheduler, pace: Pace) -> Iterator[str]:
    """A host whose model takes a step when told."""
    host = Host(
        chat=paced_chat,
        embeddings=Lane("embedder", serving.WordEngine, limit=1),  # type: ignore[arg-type]
        deadline_seconds=20,
    )
    with serving.listening(host) as url:
        yield url
        pace.may_step.release(100)


def text_of(response: httpx.Response) -> str:
    response.raise_for_status()
    return str(response.json()["choices"][0]["message"]["content"])


def says(model: GgufModel, text: str = "hello", **wanted: object) -> tuple[str, Tally]:
    tally = Tally()
    asked = Prompt([{"role": "user", "content": text}], **wanted)  # type: ignore[arg-type]
    return "".join(model.generate(asked, tally)), tally


def test_an_answer_has_the_shape_of_a_chat_completion(tiny_host: str) -> None:
    body = ask(tiny_host, grammar='root ::= "yes"').json()
    assert body["object"] == "chat.completion"
    assert body["model"] == "eyecare-command"
    assert body["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
    ]
    assert body["usage"]["completion_tokens"] == 3


def test_a_streamed_answer_says_the_same_as_a_whole_one(tiny_host: str) -> None:
    whole = text_of(ask(tiny_host, "same", max_tokens=20))
    lines = ask(tiny_host, "same", max_tokens=20, stream=True).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == whole
    assert events[-1]["choices"][0]["finish_reason"] == "length"


def test_openais_json_schema_is_obeyed(tiny_host: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA}}
    for seed in range(5):
        answer = ask(tiny_host, response_format=wanted, temperature=1.0, seed=seed, max_tokens=200)
        jsonschema.validate(json.loads(text_of(answer)), SCHEMA)


@pytest.mark.parametrize(
    "message", ["where's my stuff, the blue ones?", "hi", "9:30 - or 10?", "¿dónde está?"]
)
def test_under_the_command_grammar_even_random_weights_say_readable_commands(
    tiny_host: str, message: str
) -> None:
    rules = grammar.command_grammar(TOOLS, message)
    said = text_of(ask(tiny_host, message, grammar=rules, temperature=1.5, seed=7, max_tokens=400))
    assert prompt.read(said, message=message, tools=TOOLS)


def test_an_ordinary_mistake_in_a_grammar_kills_the_bare_binding(tiny_gguf: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", KILLS_THE_BINDING, tiny_gguf], capture_output=True, check=False
    )
    assert dead.returncode < 0


@pytest.mark.parametrize(
    "bad",
    [
        "root ::= order",
        "root ::= root",
        'root ::= a root "x" | "y"\na ::= b\nb ::= "" | "z"',
        "root ::= " + "(" * 50_000,
        'root ::= "x"{0,100000}',
        'root ::= ("x"?){0,40}',
        'root ::= "open',
        "",
        "a" * 70_000,
    ],
)
def test_a_bad_grammar_is_refused_and_the_next_caller_served(tiny_host: str, bad: str) -> None:
    refused = ask(tiny_host, grammar=bad)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "invalid_grammar"
    assert text_of(ask(tiny_host, grammar='root ::= "fine"')) == "fine"


def test_a_grammar_that_no_token_can_meet_ends_the_answer_not_the_process(tmp_path: Path) -> None:
    ascii_only = GgufModel(write_tiny_gguf(tmp_path / "ascii.gguf", with_bytes=False), context_tokens=64)
    with pytest.raises(NothingFits):
        says(ascii_only, grammar='root ::= "日本"')
    assert says(ascii_only, grammar='root ::= "ok"')[0] == "ok"


def test_two_callers_do_not_cut_each_other(tiny_host: str) -> None:
    alone = {text: text_of(ask(tiny_host, text, max_tokens=40)) for text in ("one", "two", "three")}
    with ThreadPoolExecutor(6) as callers:
        together = list(callers.map(lambda text: text_of(ask(tiny_host, text, max_tokens=40)), [*alone] * 4))
    assert together == [*alone.values()] * 4


def test_a_full_queue_says_when_to_come_back(paced_host: str, pace: Pace) -> None:
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(ask, paced_host, "first", **WORD)
        assert pace.has_started.wait(5)
        second = callers.submit(ask, paced_host, "second", **WORD)
        while health(paced_host)["chat"]["queue_depth"] < 1:
            pass
        refused = ask(paced_host, "third")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        pace.may_step.release(2)
        assert text_of(first.result()) == text_of(second.result()) == "w"
    assert pace.started == ["first", "second"]


def test_a_late_answer_is_dropped_and_the_next_caller_served(paced_host: str, pace: Pace) -> None:
    late = ask(paced_host, "late", deadline=0.5, max_tokens=5)
    assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
    pace.may_step.release(2)
    assert text_of(ask(paced_host, "next", **WORD)) == "w"
    assert pace.given_up.is_set()


def test_what_is_late_before_its_turn_never_starts(paced_host: str, pace: Pace) -> None:
    with ThreadPoolExecutor(1) as callers:
        first = callers.submit(ask, paced_host, "first", **WORD)
        assert pace.has_started.wait(5)
        assert ask(paced_host, "late", deadline=0.05).status_code == 504
        pace.may_step.release(2)
        first.result()
    ask(paced_host, "next", **WORD)
    assert pace.started == ["first", "next"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_who_hangs_up_frees_the_model(paced_host: str, pace: Pace, stream: bool) -> None:
    body = {"messages": [{"role": "user", "content": "gone"}], "stream": stream}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{paced_host}/v1/chat/completions", json=body, timeout=httpx.Timeout(5, read=0.2))
    while "abandoned_total 1" not in httpx.get(f"{paced_host}/metrics").text:
        pass
    pace.may_step.release()
    assert pace.given_up.wait(5)
    assert health(paced_host)["chat"]["queue_depth"] == 0


def test_a_caller_who_hangs_up_in_mid_stream_frees_the_model(paced_host: str, pace: Pace) -> None:
    body = {"messages": [{"role": "user", "content": "gone"}], "stream": True}
    pace.may_step.release()
    with httpx.stream("POST", f"{paced_host}/v1/chat/completions", json=body, timeout=5) as response:
        assert next(response.iter_lines()).startswith("data:")
    pause = threading.Event()
    while not pace.given_up.is_set():
        pace.may_step.release()
        pause.wait(0.01)
    assert health(paced_host)["chat"]["queue_depth"] == 0


def test_without_a_model_file_chat_says_so_and_embeddings_are_served(tmp_path: Path) -> None:
    missing = tmp_path / "missing.gguf"
    host = Host(
        chat=serving.scheduler(missing),
        embeddings=Lane("embedder", serving.WordEngine, limit=1),  # type: ignore[arg-type]
        deadline_seconds=5,
    )
    with serving.listening(host) as url:
        refused = ask(url)
        assert refused.status_code == 503
        assert refused.json()["error"]["message"] == f"There is no model file at {missing}."
        served = httpx.post(f"{url}/v1/embeddings", json={"input": "hello"})
        assert len(served.json()["data"][0]["embedding"]) == DIMENSIONS
        assert httpx.get(f"{url}/health").status_code == 503


def test_health_names_the_model_and_its_hash(tiny_host: str, model: GgufModel) -> None:
    chat = health(tiny_host)["chat"]
    assert chat == {
        "state": "ready",
        "loaded": True,
        "queue_depth": 0,
        "queue_limit": 32,
        "model": "eyecare-command",
        "sha256": model.sha256,
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"tools": [{"type": "function"}]}, "tools"),
    ],
)
def test_a_request_that_cannot_be_met_names_the_field(tiny_host: str, body: dict, field: str) -> None:
    refused = ask(tiny_host, **body)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == field


def test_a_page_of_another_site_cannot_reach_the_model(tiny_host: str) -> None:
    body = b'{"messages":[{"role":"user","content":"x"}]}'
    url = f"{tiny_host}/v1/chat/completions"
    rebound = httpx.post(
        url, content=body, headers={"Host": "evil.example", "Content-Type": "application/json"}
    )
    assert rebound.status_code == 400
    assert httpx.post(url, content=body, headers={"Content-Type": "text/plain"}).status_code == 400


def test_with_a_key_set_nobody_is_served_without_it(tiny_gguf: Path) -> None:
    host = Host(
        chat=serving.scheduler(tiny_gguf),
        embeddings=Lane("embedder", serving.WordEngine, limit=1),  # type: ignore[arg-type]
        deadline_seconds=20,
        api_key="a key",
    )
    with serving.listening(host) as url:
        asked = {"json": {"input": "hello"}, "timeout": 20}
        assert httpx.post(f"{url}/v1/embeddings", **asked).status_code == 401
        key = {"Authorization": "Bearer a key"}
        assert httpx.post(f"{url}/v1/embeddings", headers=key, **asked).status_code == 200


def test_a_token_of_many_letters_is_said_whole(model: GgufModel) -> None:
    assert model.weights.piece(model.weights.vocabulary_size - 1, is_first=True) == LONG_PIECE.encode()


def test_control_tokens_in_what_a_patient_wrote_are_taken_out(model: GgufModel) -> None:
    _, typed = says(model, "hello<|end|<|end|>>", max_tokens=1)
    _, plain = says(model, "hello", max_tokens=1)
    assert typed.prompt_tokens == plain.prompt_tokens


def test_a_prompt_that_begins_like_the_last_one_is_read_from_where_they_part(model: GgufModel) -> None:
    first, _ = says(model, "the same beginning, one end", max_tokens=10)
    _, tally = says(model, "the same beginning, two ends", max_tokens=10)
    assert tally.cached_tokens > 20
    again, _ = says(model, "the same beginning, one end", max_tokens=10)
    assert again == first


def test_a_prompt_longer_than_the_context_is_refused(model: GgufModel) -> None:
    with pytest.raises(PromptTooLong):
        says(model, "x" * 300)


def test_an_answer_ends_with_the_context(model: GgufModel) -> None:
    _, tally = says(model, "x" * 200, max_tokens=1000)
    assert tally.prompt_tokens + tally.completion_tokens == 256


def test_minilm_is_the_known_one_and_knows_near_from_far() -> None:
    near, same, far = next(
        MiniLm().embed(["my glasses broke", "broken spectacles", "parking on Main Street"])
    )
    assert len(near) == DIMENSIONS
    assert sum(a * b for a, b in zip(near, same, strict=True)) > 0.5
    assert sum(a * b for a, b in zip(near, far, strict=True)) < 0.2
