"""A host serves several models at once: each by its name, none at another's cost."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatbot.modelhost import catalogue
from chatbot.modelhost.app import Host
from chatbot.modelhost.catalogue import Entry
from chatbot.modelhost.lane import Lane
from chatbot.modelhost.scheduler import Default, Scheduler
from chatbot.modelhost.shelf import Limits
from tests.chatbot import serving
from tests.chatbot.serving import Pace, ask, health
from tests.chatbot.tiny_gguf import WIDTH, write_tiny_adapter, write_tiny_gguf

WORD = {"grammar": 'root ::= "w"', "max_tokens": 1}
WORDS = {"grammar": 'root ::= "www"', "max_tokens": 3}
PLENTY = Limits(memory_bytes=10**9, parallel=2, threads=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def host(tiny_gguf: Path, folder: Path) -> Iterator[str]:
    with serve(tiny_gguf, folder) as (url, _):
        yield url


@contextmanager
def serve(default: Path, folder: Path, limits: Limits = PLENTY) -> Iterator[tuple[str, Scheduler]]:
    chat = Scheduler(Default(default, 256, "default"), limit=8, limits=limits, folder=folder)
    embeddings = Lane("embedder", serving.WordEngine, limit=1)
    with serving.listening(Host(chat, embeddings, deadline_seconds=30)) as url:  # type: ignore[arg-type]
        yield url, chat


def add(folder: Path, name: str, base: Path, adapter: Path | None = None) -> Entry:
    entry = catalogue.describe(name, base=base, adapter=adapter, context_tokens=256)
    catalogue.write(folder, entry)
    return entry


def load(url: str, name: str) -> httpx.Response:
    return httpx.post(f"{url}/v1/models/load", json={"name": name}, timeout=60)


def listed(url: str) -> dict[str, bool]:
    models = httpx.get(f"{url}/v1/models").json()["data"]
    return {model["id"]: model["loaded"] for model in models}


def said(response: httpx.Response) -> str:
    response.raise_for_status()
    return str(response.json()["choices"][0]["message"]["content"])


def test_a_request_picks_its_model_which_is_loaded_when_it_is_first_asked(
    host: str, folder: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    add(folder, "other@1", write_tiny_gguf(tmp_path / "other.gguf", seed=1))
    assert listed(host) == {"default": True, "other@1": False, "words": True}
    default, other = ask(host, max_tokens=20), ask(host, model="other@1", max_tokens=20)
    assert other.json()["model"] == "other@1"
    assert said(default) == said(ask(host, model="default", max_tokens=20)) != said(other)
    assert listed(host)["other@1"] is True


def test_adapters_lie_on_one_base_and_answer_side_by_side(
    host: str, folder: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    for seed in (1, 2):
        add(folder, f"adapted@{seed}", tiny_gguf, write_tiny_adapter(tmp_path / f"{seed}.gguf", seed=seed))
    names = ["default", "adapted@1", "adapted@2"]
    alone = [said(ask(host, model=name, max_tokens=20)) for name in names]
    with ThreadPoolExecutor(3) as callers:
        together = list(callers.map(lambda name: said(ask(host, model=name, max_tokens=20)), names * 3))
    assert together == alone * 3
    assert len(set(alone)) == 3
    metrics = httpx.get(f"{host}/metrics").text
    assert 'eyecare_model_loaded{kind="base"} 1.0' in metrics
    assert 'eyecare_model_loaded{kind="adapter"} 2.0' in metrics


def test_a_model_nobody_listed_is_not_found(host: str) -> None:
    for refused in (ask(host, model="nobody@1"), ask(host, model="../../etc/passwd"), load(host, "nobody@1")):
        assert refused.status_code == 404
        assert refused.json()["error"]["code"] == "model_not_found"


def test_loading_ahead_answers_once_the_model_is_ready(host: str, folder: Path, tmp_path: Path) -> None:
    add(folder, "ahead@1", write_tiny_gguf(tmp_path / "ahead.gguf", seed=3))
    for _ in range(2):
        assert load(host, "ahead@1").json() == {"id": "ahead@1", "object": "model", "status": "loaded"}
    assert listed(host)["ahead@1"] is True


def cut(path: Path, base: Path) -> tuple[Path, Path | None]:
    path.write_bytes(base.read_bytes()[:-4000])
    return path, None


def garbage(path: Path, base: Path) -> tuple[Path, Path | None]:
    path.write_bytes(b"not a model at all" * 100)
    return path, None


def of_another_base(path: Path, base: Path) -> tuple[Path, Path | None]:
    return base, write_tiny_adapter(path, seed=1, width=2 * WIDTH)


def cut_adapter(path: Path, base: Path) -> tuple[Path, Path | None]:
    whole = write_tiny_adapter(path, seed=1).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return base, path


def deadly(path: Path, base: Path) -> tuple[Path, Path | None]:
    return base, write_tiny_adapter(path, seed=1, alpha="four")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (cut, "is not within the file bounds"),
        (garbage, "llama.cpp cannot load bad.gguf"),
        (of_another_base, "The adapter bad.gguf does not go on .*wrong base model"),
        (cut_adapter, "The adapter bad.gguf does not go on"),
        (deadly, "bad.gguf is damaged: it ends the program that reads it."),
    ],
)
def test_a_bad_file_is_refused_with_a_reason_and_everything_else_is_served(
    host: str, folder: Path, tiny_gguf: Path, tmp_path: Path, spoil: Any, reason: str
) -> None:
    base, adapter = spoil(tmp_path / "bad.gguf", tiny_gguf)
    add(folder, "bad@1", base, adapter)
    add(folder, "good@1", tiny_gguf, write_tiny_adapter(tmp_path / "good.gguf", seed=5))
    for refused in (load(host, "bad@1"), ask(host, model="bad@1")):
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "model_unusable")
        assert_says(refused, reason)
    assert said(ask(host, **WORD)) == said(ask(host, model="good@1", **WORD)) == "w"


def assert_says(refused: httpx.Response, reason: str) -> None:
    with pytest.raises(RuntimeError, match=reason):
        raise RuntimeError(refused.json()["error"]["message"])


def test_a_file_that_was_changed_or_removed_after_it_was_listed_is_not_loaded(
    host: str, folder: Path, tmp_path: Path
) -> None:
    path = write_tiny_gguf(tmp_path / "changed.gguf", seed=6)
    add(folder, "changed@1", path)
    write_tiny_gguf(path, seed=7)
    assert_says(load(host, "changed@1"), r"changed.gguf is not the file that was listed: its SHA-256 differs")
    path.unlink()
    assert_says(load(host, "changed@1"), "There is no model file at")


def test_the_model_that_was_idle_longest_makes_room_for_another(
    tiny_gguf: Path, folder: Path, tmp_path: Path
) -> None:
    for seed in (1, 2, 3):
        add(folder, f"model@{seed}", write_tiny_gguf(tmp_path / f"{seed}.gguf", seed=seed))
    with serve(tiny_gguf, folder) as (url, chat):
        ask(url, **WORD).raise_for_status()
        one = chat.shelf.used_bytes()
    limits = Limits(memory_bytes=int(2.5 * one), parallel=2, threads=1)
    with serve(tiny_gguf, folder, limits) as (url, _):
        first = [said(ask(url, model=f"model@{seed}", max_tokens=8)) for seed in (1, 2, 1, 3)]
        assert listed(url) == {
            "default": False,
            "model@1": True,
            "model@2": False,
            "model@3": True,
            "words": True,
        }
        assert said(ask(url, model="model@2", max_tokens=8)) == first[1]
        assert said(ask(url, **WORD)) == "w"


def test_a_model_larger_than_the_memory_is_refused_and_nothing_makes_room_for_it(
    tiny_gguf: Path, folder: Path, tmp_path: Path
) -> None:
    add(folder, "large@1", write_tiny_gguf(tmp_path / "large.gguf", seed=1))
    with serve(tiny_gguf, folder, Limits(memory_bytes=100_000, parallel=2, threads=1)) as (url, _):
        assert_says(load(url, "large@1"), "large@1 needs . MB; all models may take 0 MB.")
        assert listed(url)["default"] is True


def test_a_model_is_loaded_while_another_one_is_speaking(
    tiny_gguf: Path, folder: Path, tmp_path: Path
) -> None:
    add(folder, "next@1", write_tiny_gguf(tmp_path / "next.gguf", seed=4))
    with serve(tiny_gguf, folder) as (url, _), ThreadPoolExecutor(1) as callers:
        alone = said(ask(url, max_tokens=200))
        speaking = callers.submit(ask, url, max_tokens=200)
        load(url, "next@1").raise_for_status()
        assert said(speaking.result()) == alone


def test_a_busy_caller_does_not_keep_others_out(tiny_gguf: Path) -> None:
    chat = serving.scheduler(tiny_gguf, limit=4, parallel=2)
    pace = Pace(chat)
    host = Host(chat, Lane("embedder", serving.WordEngine, limit=1), 20)  # type: ignore[arg-type]
    with serving.listening(host) as url, ThreadPoolExecutor(8) as callers:
        busy = [callers.submit(ask, url, f"busy {n}", user="busy", **WORDS) for n in range(3)]
        while health(url)["chat"]["queue_depth"] < 2:
            pass
        assert ask(url, "busy 4", user="busy").status_code == 429
        other = callers.submit(ask, url, "other", user="other", **WORDS)
        while health(url)["chat"]["queue_depth"] < 3:
            pass
        pace.may_step.release()
        while "other" not in pace.started:
            pass
        assert [text.split()[0] for text in pace.started] == ["busy", "other"]
        pace.may_step.release(20)
        assert [said(answer.result()) for answer in [*busy, other]] == ["www"] * 4


def test_requests_of_nobody_in_particular_are_all_let_in(tiny_gguf: Path) -> None:
    chat = serving.scheduler(tiny_gguf, parallel=4)
    pace = Pace(chat)
    host = Host(chat, Lane("embedder", serving.WordEngine, limit=1), 20)  # type: ignore[arg-type]
    with serving.listening(host) as url, ThreadPoolExecutor(4) as callers:
        answers = [callers.submit(ask, url, str(n), max_tokens=3) for n in range(4)]
        pause = threading.Event()
        while len(pace.started) < 4:
            pace.may_step.release()
            pause.wait(0.01)
        pace.may_step.release(50)
        assert all(answer.result().is_success for answer in answers)


def test_no_word_of_a_patient_is_in_the_figures(host: str) -> None:
    ask(host, "my secret is glaucoma", user="Mrs Miller", **WORD).raise_for_status()
    ask(host, "my secret is glaucoma", model="Mr Secret").json()
    metrics = httpx.get(f"{host}/metrics").text
    assert 'eyecare_model_requests_total{model="default",outcome="answered"} 1.0' in metrics
    assert 'eyecare_model_requests_total{model="",outcome="model_not_found"} 1.0' in metrics
    assert 'eyecare_model_prompt_tokens_total{kind="evaluated"}' in metrics
    assert "eyecare_model_first_token_seconds_count 1.0" in metrics
    for word in ("secret", "Secret", "glaucoma", "Miller"):
        assert word not in metrics


@pytest.mark.parametrize("body", [{"user": 5}, {"user": "x" * 300}, {"model": ["default"]}])
def test_a_name_that_is_no_short_text_is_refused(host: str, body: dict[str, Any]) -> None:
    refused = ask(host, **body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, next(iter(body)))


def test_loading_wants_a_name(host: str) -> None:
    assert httpx.post(f"{host}/v1/models/load", json={}).json()["error"]["param"] == "name"
