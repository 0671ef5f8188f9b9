"""The swap of servers is one setting: fifty prompts are the same commands on llama.cpp's own server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from chatbot import backends, prompt
from chatbot.backends.openai import OpenAIBackend
from chatbot.commands import Command
from chatbot.grammar import command_grammar, command_schema
from chatbot.modelhost.app import Host
from chatbot.modelhost.lane import Lane
from chatbot.tools import registry
from finetune.corpus.cases import DEVELOPMENT, read_cases
from tests.chatbot import serving

BUILT = Path(os.environ.get("LLAMA_SERVER", "var/cache/llama-server/llama-server")).absolute()
TURNS = [case.turn for case in read_cases(DEVELOPMENT)][:50]

pytestmark = [
    pytest.mark.llama_server,
    pytest.mark.skipif(not BUILT.is_file(), reason="`make llama-server` has not built llama.cpp's server"),
]


@pytest.fixture(scope="module")
def model() -> Path:
    return Path(__file__).parents[2] / "finetune" / "shipped" / "eyecare-command.gguf"


@pytest.fixture(scope="module")
def ours(model: Path) -> Iterator[str]:
    host = Host(
        chat=serving.scheduler(model, context_tokens=512),
        embeddings=Lane("embedder", serving.WordEngine, limit=1),  # type: ignore[arg-type]
        deadline_seconds=60,
    )
    with serving.listening(host) as url:
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def theirs(model: Path) -> Iterator[str]:
    with serving.llama_server(BUILT, model, "-c", "2048", "-t", "2") as (url, _):
        yield url


def understood(turn: prompt.Turn, style: prompt.Style) -> list[Command] | None:
    """Return what the server of the settings makes of a turn, as the assistant would read it."""
    tools = registry.outlines()
    said = backends.chat_backend().complete(
        prompt.render(turn, tools, style),
        schema=command_schema(tools),
        grammar=command_grammar(tools, turn.message),
        deadline_seconds=60,
        max_tokens=200,
    )
    try:
        return prompt.read(said, message=turn.message, tools=tools)
    except prompt.Unreadable:
        return None


@pytest.mark.parametrize("constraint", ["grammar", "json_schema"])
def test_fifty_prompts_are_the_same_commands_on_both_servers(
    ours: str, theirs: str, settings: Settings, constraint: str
) -> None:
    settings.LLM_CONSTRAINT = constraint
    style = prompt.Style(settings.LLM_PROMPT_STYLE)
    commands = {}
    for url in (ours, theirs):
        settings.LLM_BASE_URL = url
        commands[url] = [understood(turn, style) for turn in TURNS]
    assert len(commands[ours]) == 50
    assert commands[ours] == commands[theirs]
    assert constraint == "json_schema" or None not in commands[ours]


def test_a_server_of_one_model_has_nothing_to_load(theirs: str) -> None:
    OpenAIBackend(theirs).load("any model")
