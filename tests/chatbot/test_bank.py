"""The example bank: filled again and again the same, embedded piece by piece, hinting and voting."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from chatbot import backends, bank, engines, examples, retrieval
from chatbot.backends.base import ModelUnavailable
from chatbot.backends.memory import ScriptedBackend, WordEmbedder
from chatbot.commands import ArgumentOutline, Command, ToolOutline
from chatbot.example_tasks import sweep_examples
from chatbot.examples import AlreadyInTheBank, ExampleRefused
from chatbot.labelled import Labelled
from chatbot.models import Assistant, Example
from chatbot.prompt import Style, Turn
from patients.models import Account

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice")]


def outline(name: str, *arguments: str) -> ToolOutline:
    return ToolOutline(name, name, tuple(ArgumentOutline(argument, argument) for argument in arguments))


TOOLS = (outline("balance"), outline("ask_practice", "question"), outline("book_appointment", "slot"))


@pytest.fixture(autouse=True)
def _looking_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every message look whether the bank has changed, and let no other test see this one's."""
    monkeypatch.setattr(bank, "LOOK_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(bank, "_held", bank._Held())


class Down:
    """An embedder that cannot be reached."""

    def __init__(self, base_url: str = "") -> None:
        pass

    def embed(self, texts: Sequence[str], *, deadline_seconds: float | None = None) -> list[list[float]]:
        raise ModelUnavailable("down")


@pytest.fixture
def words(settings: Settings) -> WordEmbedder:
    """An embedder that counts words; `history` holds each text that it was asked for."""
    settings.EMBEDDINGS_BACKEND = "chatbot.backends.memory.WordEmbedder"
    settings.EMBEDDINGS_BASE_URL = "words"
    embedder = backends.embedder()
    assert isinstance(embedder, WordEmbedder)
    embedder.history.clear()
    return embedder


def put(text: str, *names: str, **columns: Any) -> Example:
    """Put a message into the bank; its vector is not there yet."""
    commands = [{"name": name, "arguments": {}} for name in names]
    return Example.objects.create(text=text, commands=commands, **columns)


def near(message: str, **assistant: Any) -> tuple[tuple[str, int], ...]:
    among = {"balance", "ask_practice", "book_appointment"}
    told = bank.told(Turn(message), Style.HINTED, assistant=Assistant(**assistant), among=among)
    return told.near


# Filling


def test_the_shipped_examples_load_and_a_second_time_change_nothing() -> None:
    first = examples.load_shipped()
    assert first.added == Example.objects.count() > 100
    stamps = list(Example.objects.order_by("pk").values_list("pk", "stamp"))
    again = examples.load_shipped()
    assert (again.added, again.changed, again.the_same) == (0, 0, first.added)
    assert list(Example.objects.order_by("pk").values_list("pk", "stamp")) == stamps


def test_no_scoring_case_stands_among_the_shipped_examples() -> None:
    shipped = {json.loads(line)["text"].casefold() for line in examples.SHIPPED.open(encoding="utf-8")}
    for path in Path("tests/assistant").glob("*.jsonl"):
        cases = {json.loads(line)["text"].casefold() for line in path.open(encoding="utf-8")}
        long = {case for case in cases if len(case.split()) > 6}
        assert len(long & shipped) == 0, path.name


def test_a_new_version_takes_out_what_it_no_longer_ships_and_leaves_the_practices_own(
    tmp_path: Path, dana: Account
) -> None:
    lines = [
        {"text": text, "commands": [{"name": "balance"}]} for text in ("what do i owe", "my bill", "dues")
    ]
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text("\n".join(map(json.dumps, lines)))
    examples.load_shipped(old)
    changed = Example.objects.get(text="my bill")
    as_asked = Labelled("my bill", (Command("ask_practice", {"question": "my bill"}),))
    examples.write(example=changed, message=as_asked, actor=dana)
    examples.switch(Example.objects.filter(text="what do i owe"), is_active=False)
    new.write_text("\n".join(map(json.dumps, [lines[0], lines[1]])))
    taken = examples.load_shipped(new)
    assert (taken.added, taken.changed, taken.the_same) == (0, 0, 1)
    kept = {row.text: (row.commands[0]["name"], row.source, row.is_active) for row in Example.objects.all()}
    assert kept == {
        "what do i owe": ("balance", "shipped", False),
        "my bill": ("ask_practice", "practice", True),
    }


def test_a_file_with_a_bad_line_loads_nothing_and_names_the_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(
        '{"text": "what do i owe", "commands": [{"name": "balance"}]}\n{"text": "fly", "commands": []}\n'
    )
    with pytest.raises(CommandError, match="Line 2: A message asks for one to 3 things"):
        call_command("load_examples", bad)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("load_examples", tmp_path / "none.jsonl")
    assert not Example.objects.exists()


def test_a_file_of_the_practices_own_is_added(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("text,command,slot\nbook me friday,book_appointment,friday\n")
    out = io.StringIO()
    call_command("load_examples", own, stdout=out)
    assert out.getvalue() == "Examples: 1 added, 0 changed, 0 as they were.\n"
    row = Example.objects.get()
    assert (row.source, row.commands) == (
        "practice",
        [{"name": "book_appointment", "arguments": {"slot": "friday"}}],
    )


def test_what_is_taken_in_to_score_with_is_not_learned_from_any_more() -> None:
    message = Labelled("what do i owe", (Command("balance"),))
    examples.take_in([message], source="practice")
    taken = examples.take_in([message], source="practice", for_scoring=True)
    assert (taken.added, taken.changed) == (0, 1)
    assert not Example.objects.for_training().exists()
    assert examples.take_in([message], source="practice").the_same == 1
    assert Example.objects.for_evaluation().count() == 1


def test_the_same_message_in_the_same_place_is_refused(dana: Account) -> None:
    message = Labelled("what do i owe", (Command("balance"),))
    examples.write(message=message, actor=dana)
    with pytest.raises(AlreadyInTheBank):
        examples.write(message=message, actor=dana)
    examples.write(message=Labelled("what do i owe", (Command("balance"),), last="balance"), actor=dana)
    examples.write(message=message, actor=dana, assistant=Assistant.objects.get())
    with pytest.raises(ExampleRefused):
        examples.write(message=Labelled("", (Command("balance"),)), actor=dana)
    assert Example.objects.count() == 3


# Vectors


def test_only_what_is_new_or_changed_is_embedded(words: WordEmbedder, dana: Account) -> None:
    first, second = put("what do i owe", "balance"), put("are you open", "ask_practice")
    assert bank.waiting() == 2
    assert bank.sweep() == 2
    assert (bank.sweep(), bank.waiting()) == (0, 0)
    message = Labelled("are you open now", (Command("ask_practice"),))
    examples.write(example=second, message=message, actor=dana)  # the sweep follows at once
    relabelled = Labelled("what do i owe", (Command("unclear"),))
    examples.write(example=first, message=relabelled, actor=dana)
    bank.sweep()
    assert words.history == ["are you open", "what do i owe", "are you open now"]


def test_a_sweep_that_breaks_off_goes_on_where_it_stopped(
    words: WordEmbedder, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank, "BATCH", 2)
    for number in range(5):
        put(f"message {number}", "balance")
    embed, calls = words.embed, []

    def breaks(texts: Sequence[str], *, deadline_seconds: float | None = None) -> list[list[float]]:
        calls.append(texts)
        if len(calls) == 2:
            raise ModelUnavailable("down")
        return embed(texts)

    monkeypatch.setattr(words, "embed", breaks)
    with pytest.raises(ModelUnavailable):
        bank.sweep()
    assert bank.waiting() == 3
    assert bank.sweep() == 3


def test_a_sweep_whose_time_is_up_leaves_the_rest_to_the_next(words: WordEmbedder) -> None:
    put("what do i owe", "balance")
    assert (bank.sweep(seconds=0), bank.waiting()) == (0, 1)
    assert (bank.sweep(), bank.waiting()) == (1, 0)


def test_the_sweep_waits_for_an_embedder_that_is_down(settings: Settings) -> None:
    settings.EMBEDDINGS_BACKEND = f"{__name__}.Down"
    put("what do i owe", "balance")
    sweep_examples()
    assert bank.waiting() == 1


def test_words_that_change_while_they_are_embedded_do_not_get_the_old_vector(words: WordEmbedder) -> None:
    row = put("what do i owe", "balance")
    Example.objects.filter(pk=row.pk).update(text="are you open")
    assert bank._give(row.pk, "what do i owe", [1.0] * 384, "words") == 0
    assert Example.objects.get().vector is None


def test_another_embedder_makes_all_vectors_anew(words: WordEmbedder, settings: Settings) -> None:
    put("what do i owe", "balance")
    bank.sweep()
    settings.EMBEDDINGS_MODEL = "another"
    assert near("what do i owe") == ()
    assert bank.sweep() == 1
    assert near("what do i owe") == (("balance", 9),)


def test_a_vector_is_kept_at_half_precision(words: WordEmbedder) -> None:
    put("what do i owe", "balance")
    bank.sweep()
    stored = np.frombuffer(bytes(Example.objects.get().vector), dtype=np.float16)
    assert stored.tolist() == pytest.approx(words.embed(["what do i owe"])[0], abs=1e-3)


# Hints


def test_the_nearest_examples_are_a_hint(words: WordEmbedder) -> None:
    put("what do i owe", "balance")
    put("what do you cost", "ask_practice")
    put("book me an exam", "book_appointment")
    bank.sweep()
    assert near("what do i owe you") == (("balance", 8), ("ask_practice", 6))
    assert near("xyzzy") == ()


def test_every_change_of_the_bank_is_seen_by_the_next_message(words: WordEmbedder, dana: Account) -> None:
    row = put("what do i owe", "balance")
    bank.sweep()
    assert near("what do i owe") == (("balance", 9),)
    examples.write(example=row, message=Labelled("what do i owe", (Command("ask_practice"),)), actor=dana)
    assert near("what do i owe") == (("ask_practice", 9),)
    examples.switch(Example.objects.all(), is_active=False)
    assert near("what do i owe") == ()
    examples.switch(Example.objects.all(), is_active=True)
    assert near("what do i owe") == (("ask_practice", 9),)
    row.delete()
    assert near("what do i owe") == ()


def test_what_scores_a_model_never_hints(words: WordEmbedder) -> None:
    put("what do i owe", "balance", for_scoring=True)
    bank.sweep()
    assert near("what do i owe") == ()
    assert not Example.objects.for_training().exists()


def test_an_assistants_own_examples_are_for_it_alone(words: WordEmbedder) -> None:
    frames = Assistant.objects.create(slug="frames", name="Frames")
    put("what do i owe", "ask_practice", assistant=frames)
    bank.sweep()
    assert near("what do i owe", pk=frames.pk) == (("ask_practice", 9),)
    assert near("what do i owe") == ()


def test_no_hint_names_a_task_that_is_not_there(words: WordEmbedder) -> None:
    put("what do i owe", "balance")
    bank.sweep()
    told = bank.told(Turn("what do i owe"), Style.HINTED, assistant=Assistant(), among={"ask_practice"})
    assert told.near == ()


def test_a_message_is_checked_against_an_unchanged_bank_by_one_query(
    words: WordEmbedder, django_assert_num_queries: Any
) -> None:
    for number in range(50):
        put(f"message {number}", "balance")
    bank.sweep()
    near("message")
    with django_assert_num_queries(1):
        near("message")


def test_between_two_looks_a_message_costs_no_query(
    words: WordEmbedder, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    row = put("what do i owe", "balance")
    bank.sweep()
    assert near("what do i owe") == (("balance", 9),)
    monkeypatch.setattr(bank, "LOOK_EVERY_SECONDS", 60.0)
    row.delete()
    with django_assert_num_queries(0):
        assert near("what do i owe") == (("balance", 9),)


def test_whoever_comes_while_the_bank_is_read_again_goes_on_with_the_one_before(words: WordEmbedder) -> None:
    put("what do i owe", "balance")
    bank.sweep()
    before = bank.current()
    put("are you open", "ask_practice")
    bank.sweep()
    with bank._looking:
        assert bank.current() is before
    assert len(bank.current().samples) == 2


def test_the_stamp_is_read_from_the_index_alone() -> None:
    if connection.vendor == "sqlite":
        found = Example.objects.banked().embedded("words")
        assert "COVERING INDEX example_bank_stamp" in found.order_by().values("stamp").explain()


# The engines


def test_a_hinted_model_is_told_what_is_near_by_one_request_to_the_embedder(
    words: WordEmbedder, model: ScriptedBackend, settings: Settings
) -> None:
    settings.LLM_PROMPT_STYLE = "hinted"
    put("tell me what i owe", "balance")
    bank.sweep()
    words.history.clear()
    model.answers.append('{"commands":[{"name":"balance","arguments":{}}]}')
    understood = engines.understand(Turn("tell me what i owe you"), TOOLS)
    assert understood == engines.Understood([Command("balance")], "model")
    assert "\nnear: balance 9\n" in model.history[0].messages[0]["content"]
    assert words.history == ["tell me what i owe you"]


def test_a_compact_model_costs_no_vector(
    words: WordEmbedder, model: ScriptedBackend, settings: Settings
) -> None:
    settings.LLM_PROMPT_STYLE = "compact"
    put("tell me what i owe", "balance")
    bank.sweep()
    words.history.clear()
    engines.understand(Turn("tell me what i owe you"), TOOLS)
    assert words.history == []
    assert "near" not in model.history[0].messages[0]["content"]


def test_a_general_model_is_shown_five_examples_at_most(
    words: WordEmbedder, model: ScriptedBackend, settings: Settings
) -> None:
    settings.LLM_PROMPT_STYLE = "full"
    for number in range(8):
        put(f"tell me what i owe {number}", "balance")
    put("book me an exam", "book_appointment")
    bank.sweep()
    engines.understand(Turn("tell me what i owe"), TOOLS)
    _, user = model.history[0].messages
    assert user["content"].count('{"commands":[{"name":"balance","arguments":{}}]}') == 5
    assert "book me an exam" not in user["content"]


def test_without_an_embedder_the_model_answers_without_a_hint(
    words: WordEmbedder, model: ScriptedBackend, settings: Settings
) -> None:
    put("tell me what i owe", "balance")
    bank.sweep()
    settings.LLM_PROMPT_STYLE, settings.EMBEDDINGS_BACKEND = "hinted", f"{__name__}.Down"
    model.answers.append('{"commands":[{"name":"balance","arguments":{}}]}')
    assert engines.understand(Turn("tell me what i owe"), TOOLS).engine == "model"
    assert "\nnear: none\n" in model.history[0].messages[0]["content"]


def test_the_nearest_examples_decide_by_one_request(words: WordEmbedder) -> None:
    put("so what do i owe", "balance")
    put("cancel it", "unclear")
    bank.sweep()
    words.history.clear()
    understood = retrieval.understand(
        Turn("well, so what do i owe? and are there green apples"), TOOLS, assistant=Assistant()
    )
    assert understood == [Command("balance")]
    assert len(words.history) == len(set(words.history)) == 4


def test_what_only_sounds_like_a_request_is_outvoted(words: WordEmbedder) -> None:
    put("tell me a joke about what i owe", "unclear")
    bank.sweep()
    understood = retrieval.understand(
        Turn("tell me a joke about what i owe"), TOOLS[:1], assistant=Assistant()
    )
    assert understood == [Command("unclear")]


def test_an_empty_bank_leaves_the_message_to_the_keywords() -> None:
    assert engines.understand(Turn("what do i owe"), TOOLS, engine="retrieval").engine == "rules"
