"""A practice's words on a tiny base: taught, cancelled, killed, refused, and the same in llama.cpp."""

import errno
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import gguf
import pytest
import torch

from chatbot.prompt import Style, Turn
from finetune import recipe, result, run
from finetune.base import adapter, parity, shipped
from finetune.base.adapter import Lesson, Teaching
from finetune.base.batches import Encoded
from finetune.base.export import export
from finetune.data import labelled
from finetune.examples import Example
from finetune.progress import Cancelled
from finetune.recipe import BadRecipe, FineTune
from finetune.weights.quantize import quantize
from finetune.weights.runtime import Runtime

SETTINGS = FineTune(
    epochs=3, learning_rate=2e-2, r=4, alpha=8, dropout=0.1, replay=60, batch_tokens=512, warmup=2
)
AWKWARD = (
    "",
    "naïve café 👍🏽 — “ok”?",
    "3:30pm/4pm  w/ Dr. O'Brien",
    "task: none yes,no;set",
    "Ж字 ¿mañana?",
)


@pytest.fixture
def hinted(model, tokenizer, tmp_path: Path) -> Path:
    return export(model, tokenizer, tmp_path / "base.gguf", name="tiny", licence="none", style=Style.HINTED)


# A base out of its GGUF


def test_a_base_is_read_back_as_it_was_written(model, tokenizer, hinted, examples):
    read = shipped.load(hinted)
    assert (read.name, read.style, read.model.shape) == ("tiny", Style.HINTED, model.shape)
    for name, weights in model.state_dict().items():
        assert torch.equal(read.model.state_dict()[name], weights), name
    for example in [*examples, *(Example(Turn(message), (), "written") for message in AWKWARD)]:
        text = example.prompt_in(Style.HINTED) + example.answer
        assert read.tokenizer.encode(text) == tokenizer.encode(text)
        assert read.tokenizer.decode(read.tokenizer.encode(text)) == text


def test_a_base_that_was_read_back_is_written_as_the_same_file(hinted, tmp_path):
    read = shipped.load(hinted)
    again = export(
        read.model, read.tokenizer, tmp_path / "again.gguf", name="tiny", licence="none", style=read.style
    )
    assert again.read_bytes() == hinted.read_bytes()


def test_quantized_weights_are_read_to_within_their_rounding(model, hinted, tmp_path):
    read = shipped.load(quantize(hinted, tmp_path / "small.gguf"))
    for name, weights in model.state_dict().items():
        assert torch.allclose(read.model.state_dict()[name], weights, atol=0.002), name


def test_a_file_that_is_no_model_of_ours_is_refused(tmp_path, model, tokenizer, monkeypatch):
    nothing = tmp_path / "nothing.gguf"
    nothing.write_bytes(b"not a model")
    with pytest.raises(shipped.NotOurs, match="not a readable GGUF"):
        shipped.load(nothing)
    other = export(model, tokenizer, tmp_path / "other.gguf", name="other", licence="none")
    monkeypatch.setattr(shipped, "symbols", lambda: ["fly_to_the_moon"])
    with pytest.raises(shipped.NotOurs, match="no piece for 'fly_to_the_moon'"):
        shipped.load(other)


# The adapter


@pytest.fixture(scope="module")
def lesson(examples, tokenizer) -> Lesson:
    def encode(some: list[Example]) -> Encoded:
        return Encoded.of(tokenizer.encode_examples(some, Style.HINTED), context=256)

    return Lesson(
        own=encode(examples[:60]),
        replay=encode(examples[100:250]),
        held_out=encode(examples[60:100]),
        replay_held_out=encode(examples[250:300]),
    )


def test_an_untrained_adapter_changes_nothing(model, lesson):
    before = adapter.loss_on(model, lesson.held_out)
    laid = adapter.attach(model, SETTINGS)
    assert len(laid) == 7 * model.shape.layers
    assert adapter.loss_on(model.eval(), lesson.held_out) == before


def test_teaching_learns_the_adapter_and_leaves_the_base(model, lesson):
    weights = model.blk[0].ffn_up.weight.detach().clone()
    outcome = Teaching(model, SETTINGS, lesson, seed=1).teach()
    assert outcome.loss < 0.96 * outcome.loss_before
    assert outcome.replay_loss < outcome.replay_loss_before
    assert torch.equal(model.blk[0].ffn_up.parametrizations.weight.original, weights)


class StopsAt:
    def __init__(self, step: int, error: type[BaseException] = Cancelled) -> None:
        self.left, self.error = step, error

    def report(self, *told: object, **figures: object) -> None:
        return

    def stop_if_cancelled(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error


@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt])
def test_a_stopped_training_goes_on_as_if_it_had_never_stopped(
    model, tokenizer, hinted, lesson, tmp_path, error
):
    whole = Teaching(model, SETTINGS, lesson, seed=1)
    outcome = whole.teach()
    kept = tmp_path / "checkpoint.pt"
    stopped = Teaching(
        shipped.load(hinted).model, SETTINGS, lesson, seed=1, checkpoint=kept, progress=StopsAt(11, error)
    )
    with pytest.raises(error):
        stopped.teach()
    resumed = Teaching(shipped.load(hinted).model, SETTINGS, lesson, seed=1, checkpoint=kept)
    assert 0 < resumed.step <= 11
    assert resumed.teach() == outcome
    for name, change in whole.laid.items():
        assert torch.equal(change.b, resumed.laid[name].b), name


def test_training_stops_when_what_was_held_out_gets_no_better(model, lesson):
    settings = replace(SETTINGS, learning_rate=0.5, epochs=20, evaluations=3, patience=2)
    teaching = Teaching(model, settings, lesson, seed=1)
    outcome = teaching.teach()
    assert outcome.steps < teaching.steps
    assert outcome.loss + outcome.replay_loss <= outcome.loss_before + outcome.replay_loss_before


def test_base_and_adapter_answer_in_llama_cpp_as_they_do_in_training(
    model, tokenizer, hinted, lesson, examples, tmp_path
):
    teaching = Teaching(model, SETTINGS, lesson, seed=1)
    teaching.teach()
    written = adapter.export(
        teaching.laid, tmp_path / "adapter.gguf", settings=SETTINGS, name="tiny-practice", licence="own"
    )
    said = gguf.GGUFReader(written).fields
    assert said["general.type"].contents() == "adapter"
    assert said["adapter.type"].contents() == "lora"
    assert said["adapter.lora.alpha"].contents() == 8.0
    laid_on = Runtime(hinted, adapter=written, threads=1)
    found = parity.largest_difference(model, tokenizer, laid_on, examples[:10], style=Style.HINTED)
    assert found.holds, found
    bare = Runtime(hinted, threads=1)
    without = parity.largest_difference(model, tokenizer, bare, examples[:3], style=Style.HINTED)
    assert without.largest_difference > 0.05


def test_a_merged_adapter_is_a_whole_model_that_answers_the_same(
    model, tokenizer, lesson, examples, tmp_path
):
    Teaching(model, SETTINGS, lesson, seed=1).teach()
    with torch.no_grad():
        before = model(lesson_ids := torch.arange(20)[None])
        merged = adapter.merge(model)
        assert torch.allclose(merged(lesson_ids), before, atol=1e-4)
    whole = export(merged, tokenizer, tmp_path / "merged.gguf", name="merged", licence="own")
    assert parity.compare(merged, tokenizer, whole, examples[:5]).holds


# The run


def _words(examples: list[Example], path: Path, *, licence: str = "own") -> Path:
    unlike = {example.turn.message: replace(example, licence=licence) for example in examples}
    labelled.write(path, unlike.values())
    return path


@pytest.fixture
def tiny_recipe(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    shape = recipe.RECIPES / "command-small.toml"
    told = shape.read_text(encoding="utf-8").split("[fine_tune]")[0]
    told = told.replace("threads = 2", "threads = 1")
    quick = "epochs = 1\nlearning_rate = 1e-2\nr = 4\nalpha = 8\nreplay = 60\nbatch_tokens = 1024\n"
    path.write_text(f"{told}[fine_tune]\n{quick}", encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def _words_as_vectors(monkeypatch):
    """Stand in for the sentence embedder, which takes seconds to load."""
    import numpy as np

    from finetune.base import hints

    monkeypatch.setattr(
        hints,
        "vectors",
        lambda texts, folder, *, progress=None: np.full((len(texts), 4), 0.5, dtype=np.float32),
    )


def _arguments(recipe_path: str, folder: Path, base: Path, words: Path) -> list[str]:
    return ["--recipe", recipe_path, "--folder", str(folder), "--base", str(base), "--data", str(words)]


def _last_line(folder: Path) -> dict[str, object]:
    return json.loads((folder / "progress.jsonl").read_text(encoding="utf-8").splitlines()[-1])


def test_a_run_leaves_a_result_that_can_be_served(tiny_recipe, hinted, examples, tmp_path):
    base, folder = quantize(hinted, tmp_path / "base-q8_0.gguf"), tmp_path / "job"
    words = _words(examples[:150], tmp_path / "words.jsonl")
    arguments = _arguments(tiny_recipe, folder, base, words)
    assert run.main([*arguments, "--set", "epochs=2"]) == 0
    told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert told["kind"] == "adapter"
    assert told["sha256"] == result.sha256(folder / told["file"])
    assert told["size_bytes"] == (folder / told["file"]).stat().st_size
    assert told["base"] == {"name": "base-q8_0", "sha256": result.sha256(base)}
    assert told["data"]["examples"] == told["data"]["train"] + told["data"]["held_out"]
    assert told["licences"] == ["own"]
    assert told["parity"]["F32"]["largest_difference"] <= parity.TOLERANCE
    assert {"held_out_loss", "perplexity", "held_out_exact", "held_out_commands"} <= set(told["metrics"])
    assert len(labelled.read(folder / "held_out.jsonl")) == told["data"]["held_out"]
    steps = [json.loads(line)["step"] for line in (folder / "progress.jsonl").open(encoding="utf-8")]
    assert list(dict.fromkeys(steps)) == ["data", "train", "export", "parity", "evaluate"]


def test_a_run_can_leave_a_whole_model_that_learnt_from_documents_too(
    tiny_recipe, hinted, examples, tmp_path
):
    folder, words = tmp_path / "job", _words(examples[:100], tmp_path / "words.jsonl")
    document = tmp_path / "faq.md"
    document.write_text("## Do you fit scleral lenses?\n\nYes, Dr. Ramos fits them on Thursdays.\n")
    arguments = [*_arguments(tiny_recipe, folder, hinted, words), "--documents", str(document)]
    assert run.main([*arguments, "--set", "merge=1"]) == 0
    told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert (told["kind"], told["quantization"], told["file"]) == ("model", "Q8_0", "model.gguf")
    assert [source["name"] for source in told["data"]["sources"]] == ["words.jsonl", "faq.md"]
    assert shipped.load(folder / "model.gguf").style is Style.HINTED
    assert not list(folder.glob("*f32*"))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--set", "epochs=zero"], "epochs cannot be 'zero'"),
        (["--set", "colour=1"], "no setting 'colour'"),
        (["--base", "/nowhere/model.gguf"], "no model model.gguf"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(
    tiny_recipe, hinted, examples, tmp_path, more, sentence
):
    folder, words = tmp_path / "job", _words(examples[:60], tmp_path / "words.jsonl")
    arguments = ["--recipe", tiny_recipe, "--folder", str(folder), "--base", str(hinted)]
    assert run.main([*arguments, "--data", str(words), *more]) == 2
    assert sentence in _last_line(folder)["error"]
    assert not (folder / "result.json").exists()


def test_data_that_says_nothing_of_its_licence_or_is_too_little_is_refused(
    tiny_recipe, hinted, examples, tmp_path
):
    folder = tmp_path / "job"
    base = ["--recipe", tiny_recipe, "--folder", str(folder), "--base", str(hinted)]
    nameless = _words(examples[:60], tmp_path / "nameless.jsonl", licence="")
    assert run.main([*base, "--data", str(nameless)]) == 2
    assert "licence" in str(_last_line(folder)["error"])
    few = _words(examples[:8], tmp_path / "few.jsonl")
    folder = tmp_path / "other"
    assert run.main(_arguments(tiny_recipe, folder, hinted, few)) == 2
    assert "20 are needed" in str(_last_line(folder)["error"])


def test_a_full_disk_is_told_before_anything_is_written(tiny_recipe, hinted, tmp_path, monkeypatch):
    monkeypatch.setattr("finetune.result.SPARE_BYTES", 10**18)
    folder = tmp_path / "job"
    assert run.main(["--recipe", tiny_recipe, "--folder", str(folder), "--base", str(hinted)]) == 2
    assert "disk is nearly full" in str(_last_line(folder)["error"])
    assert [path.name for path in folder.iterdir()] == ["progress.jsonl"]


@pytest.mark.parametrize(
    ("problem", "is_told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full."),
        (MemoryError("0.1 GB are free."), "There is not enough memory. 0.1 GB are free."),
    ],
)
def test_room_that_runs_out_in_the_midst_is_told_in_a_sentence(
    tiny_recipe, hinted, examples, tmp_path, monkeypatch, problem, is_told
):
    def no_room(self: Teaching) -> None:
        raise problem

    monkeypatch.setattr(Teaching, "_keep", no_room)
    folder, words = tmp_path / "job", _words(examples[:100], tmp_path / "words.jsonl")
    assert run.main(_arguments(tiny_recipe, folder, hinted, words)) == 2
    assert _last_line(folder)["error"] == is_told
    assert not (folder / "result.json").exists()


def test_what_nobody_refuses_is_a_crash(tiny_recipe, hinted, examples, tmp_path, monkeypatch):
    monkeypatch.setattr(Teaching, "_keep", lambda self: 1 / 0)
    words = _words(examples[:100], tmp_path / "words.jsonl")
    with pytest.raises(ZeroDivisionError):
        run.main(_arguments(tiny_recipe, tmp_path / "job", hinted, words))


def test_a_folder_in_which_another_training_was_begun_is_left_alone(tiny_recipe, hinted, examples, tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "run.json").write_text('{"base": "another"}')
    words = _words(examples[:60], tmp_path / "words.jsonl")
    arguments = [
        "--recipe",
        tiny_recipe,
        "--folder",
        str(folder),
        "--base",
        str(hinted),
        "--data",
        str(words),
    ]
    assert run.main(arguments) == 2
    assert "was begun in this folder" in str(_last_line(folder)["error"])


def test_a_run_that_is_told_to_stop_ends_with_130_and_goes_on_later(
    tiny_recipe, hinted, examples, tmp_path, monkeypatch
):
    folder, words = tmp_path / "job", _words(examples[:150], tmp_path / "words.jsonl")
    arguments = [
        "--recipe",
        tiny_recipe,
        "--folder",
        str(folder),
        "--base",
        str(hinted),
        "--data",
        str(words),
    ]
    learn = Teaching._learn

    def learn_and_be_told_to_stop(self: Teaching, batch: object) -> None:
        learn(self, batch)
        if self.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Teaching, "_learn", learn_and_be_told_to_stop)
    assert run.main(arguments) == 130
    assert torch.load(folder / "checkpoint.pt", weights_only=True)["step"] == 3
    assert not (folder / "result.json").exists()
    monkeypatch.setattr(Teaching, "_learn", learn)
    assert run.main(arguments) == 0
    done = [json.loads(line) for line in (folder / "progress.jsonl").open(encoding="utf-8")]
    assert [line["done"] for line in done if line["step"] == "train"][:2] != [1, 1]
    assert (folder / "result.json").exists()


def test_settings_of_a_run_change_the_fine_tuning_alone():
    read = recipe.base("command-small")
    changed = read.with_settings({"epochs": "2", "learning_rate": "0.0005"})
    assert (changed.fine_tune.epochs, changed.fine_tune.learning_rate) == (2.0, 0.0005)
    assert replace(changed, fine_tune=read.fine_tune) == read
    with pytest.raises(BadRecipe, match=r"r cannot be '1\.5'"):
        read.with_settings({"r": "1.5"})
    with pytest.raises(BadRecipe, match="no recipe 'nothing'"):
        recipe.load("nothing")
