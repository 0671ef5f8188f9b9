"""A recipe from lessons to a served file on a tiny stand-in: whole, stopped and gone on with, or refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from finetune.data import DataRefused
from finetune.large import bases, memory, packages, pipeline, rehearse
from finetune.large.bases import BaseMissing
from finetune.large.lessons import gather
from finetune.large.pipeline import NothingFits, Pipeline
from finetune.large.recipe import BadRecipe, read
from finetune.large.texts import Encoder
from finetune.large.training import looks, total_steps, train
from finetune.progress import Cancelled, Journal, Silent
from finetune.run import REFUSED, Order
from finetune.run import main as run_main
from finetune.weights import metadata
from tests.finetune import standins

RECIPES = Path("finetune/recipes")


@pytest.fixture
def recipe():
    return rehearse.shortened(read(RECIPES / "mistral-7b-command.toml"), steps=2)


@pytest.fixture(scope="module")
def plain():
    try:
        packages.check_plain()
    except packages.PackagesMissing as missing:
        pytest.skip(f"{missing} {missing.hint}")


def test_the_held_out_part_is_looked_at_five_times_and_at_the_end():
    assert sorted(looks(450, 5)) == [90, 180, 270, 360, 450]
    assert sorted(looks(7, 5)) == [1, 3, 4, 6, 7]
    assert sorted(looks(3, 5)) == [1, 2, 3]


def test_steps_are_counted_from_examples_batches_and_epochs(recipe):
    medical = read(RECIPES / "llama3-8b-medical.toml")
    assert total_steps(medical, 900) == 450
    assert total_steps(medical.with_settings({"epochs": "1.5"}), 900) == 675
    assert total_steps(recipe, 900) == 2


def test_a_command_recipe_learns_from_the_practice_first_and_fills_up_from_the_corpus(recipe, tmp_path):
    trees = ("ash", "birch", "cedar", "elm", "fir", "hazel", "maple", "oak", "pine", "willow", "yew", "larch")
    asked = {"commands": [{"name": "ask_practice", "arguments": {}}], "licence": "own"}
    rows = [{"text": f"can i park under the {tree}", "conversation": tree, **asked} for tree in trees]
    table = tmp_path / "own.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    lessons = gather(recipe, [table], tmp_path)
    assert {origin.name for origin in lessons.origins} > {"own.jsonl"}
    assert lessons.licences == ("Apache-2.0", "own")
    assert all(case.source == "own.jsonl" for case in lessons.cases)
    assert (tmp_path / "held_out.jsonl").is_file()
    assert len(lessons.train) <= recipe.data.examples


def test_a_medical_recipe_wants_one_table_of_dialogues(tmp_path):
    medical = rehearse.shortened(read(RECIPES / "llama3-8b-medical.toml"), steps=2)
    with pytest.raises(DataRefused, match="0 files were given"):
        gather(medical, [], tmp_path)
    table = rehearse.dialogues(tmp_path / "dialogues.csv")
    lessons = gather(medical, [table], tmp_path)
    assert lessons.train
    assert lessons.held_out
    assert lessons.train[0].messages[0]["role"] == "user"


def test_a_base_that_is_not_there_is_refused(tmp_path, monkeypatch):
    with pytest.raises(BaseMissing, match="There is no folder"):
        bases.find(str(tmp_path / "gone"))
    with pytest.raises(BaseMissing, match="holds no model"):
        bases.find(str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BaseMissing, match="could not be fetched from the hub"):
        bases.find("somebody/some-model-that-nobody-has")


def test_a_base_tells_its_own_numbers():
    shape = bases.architecture(standins.model())
    assert (shape.model_type, shape.layers, shape.hidden, shape.vocabulary) == ("mistral", 2, 256, 32000)


def test_a_sequence_too_short_for_every_example_is_refused(recipe, tmp_path):
    short = replace(recipe, training=replace(recipe.training, sequence_tokens=50))
    lessons = rehearse.lessons(short, tmp_path)
    line = Pipeline(short, standins.model(), lessons, tmp_path, Silent())
    with pytest.raises(NothingFits, match="No example fits into 50 tokens"):
        line._fitting(line._encoder(standins.model()), lessons.train)


def test_a_recipe_runs_from_lessons_to_files_that_are_served(plain, tmp_path):
    said = json.loads(rehearse.main("mistral-7b-command", tmp_path, tiny=True, steps=1).read_text())
    files = set(said["files"])
    assert files == {
        "adapter.gguf",
        *(f"Mistral-7B-eyecare-command-{kind}.gguf" for kind in ("Q4_K_M", "Q5_K_M", "Q8_0")),
    }
    assert all(found["holds"] for found in said["parity"].values())
    assert said["parity"].keys() == {"BF16", "Q4_K_M", "Q5_K_M", "Q8_0", "adapter"}
    assert 0 <= said["metrics"]["held_out_exact"] <= 1
    assert said["metrics"]["held_out_loss"] > 0
    run = tmp_path / "run"
    left = {path.name for path in run.iterdir() if not path.name.endswith(".json")}
    assert left == {*files, "adapter", "checkpoints", "importance.gguf", "vocabulary.gguf"}
    inside = metadata.read(run / "Mistral-7B-eyecare-command-Q8_0.gguf")
    assert (inside["eyecare.prompt_style"], inside["general.license"]) == ("full", "Apache-2.0")


def test_a_training_that_was_stopped_goes_on_from_its_checkpoint(plain, recipe, tmp_path):
    from finetune.large import plain as way

    class Stopping(Silent):
        def stop_if_cancelled(self):
            raise Cancelled

    def go(progress):
        model, tokenizer = way.load(standins.model(), recipe)
        encoded = [Encoder(tokenizer).encode(each) for each in rehearse.lessons(recipe, tmp_path).train[:2]]
        return train(model, tokenizer, encoded, [], recipe=recipe, folder=tmp_path, progress=progress)

    with pytest.raises(Cancelled):
        go(Stopping())
    assert [path.name for path in (tmp_path / "checkpoints").glob("checkpoint-*")] == ["checkpoint-1"]
    assert not (tmp_path / "adapter").exists()
    done = go(Silent())
    assert done.metrics().keys() == {"train_loss"}  # nothing was held out
    state = json.loads((tmp_path / "checkpoints" / "checkpoint-1" / "trainer_state.json").read_text())
    assert (state["global_step"], done.steps) == (1, 2)
    assert (done.adapter / "adapter_model.safetensors").is_file()


def test_a_machine_too_small_is_refused_before_the_base_is_fetched(tmp_path, monkeypatch):
    large = rehearse.shortened(read(RECIPES / "llama3-8b-command.toml"), steps=2)
    order = Order("llama3-8b-command", "a" * 64, tmp_path, None, (), (), {}, Journal(tmp_path))
    monkeypatch.setattr(memory, "room", lambda: memory.Room(2 * memory.GIB, "this machine", is_gpu=False))
    monkeypatch.setattr(bases, "find", None)  # would not be callable
    with pytest.raises(memory.TooBig, match=r"this machine has 2\.0 GiB free"):
        pipeline.run(large, order)
    assert not list(tmp_path.glob("*.gguf"))


def test_a_recipe_made_here_is_not_rehearsed(tmp_path):
    with pytest.raises(BadRecipe, match="there is nothing to rehearse"):
        rehearse.main("command-small", tmp_path, tiny=True)


def test_a_refused_run_says_why_and_what_would_help(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "room", lambda: memory.Room(2 * memory.GIB, "this machine", is_gpu=False))
    folder = tmp_path / "run"
    arguments = ["--recipe", "llama3-1b-command", "--folder", str(folder), "--set", "corpus_turns=30"]
    assert run_main(arguments) == REFUSED
    said = json.loads((folder / "progress.jsonl").read_text().splitlines()[-1])
    assert "takes about 4.6 GiB of memory; this machine has 2.0 GiB free" in said["error"]
    assert "The recipe of the small model" in said["hint"]
    assert not (folder / "result.json").exists()


def test_a_base_of_another_family_is_refused(tmp_path):
    """The licence and the name of the recipe would be wrong for it."""
    arguments = ["--recipe", "llama3-1b-command", "--folder", str(tmp_path), "--base", str(standins.model())]
    assert run_main(arguments) == REFUSED
    said = json.loads((tmp_path / "progress.jsonl").read_text().splitlines()[-1])
    assert said["error"] == "This recipe is for a llama model; model is a mistral one."
