"""Recipes for models from the hub: every number is read from the file, and nothing else is taken."""

import tomllib
from pathlib import Path

import pytest

from finetune.large.recipe import BadRecipe, Task, read

RECIPES = Path("finetune/recipes")
LARGE = ("llama3-8b-medical", "llama3-8b-command", "mistral-7b-command", "llama3-1b-command")


@pytest.fixture
def medical():
    return read(RECIPES / "llama3-8b-medical.toml")


def test_the_medical_recipe_has_the_published_numbers(medical):
    assert medical.task is Task.MEDICAL
    assert (medical.adapter.r, medical.adapter.alpha, medical.adapter.dropout) == (16, 32, 0.05)
    assert sorted(medical.adapter.targets) == sorted(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    )
    assert (medical.training.optimizer, medical.fine_tune.learning_rate) == ("paged_adamw_32bit", 2e-4)
    assert (medical.training.warmup_steps, medical.training.sequence_tokens) == (10, 512)
    assert (medical.training.batch, medical.training.accumulation, medical.fine_tune.epochs) == (1, 2, 1)
    assert (medical.data.examples, medical.data.shuffle_seed, medical.data.held_out) == (1000, 65, 0.1)
    assert medical.training.evaluations == 5


@pytest.mark.parametrize("name", LARGE)
def test_every_recipe_tells_the_admin_what_it_does_and_needs(name):
    written = tomllib.loads((RECIPES / f"{name}.toml").read_text(encoding="utf-8"))
    assert written["kind"] == "large"
    assert written["title"]
    assert written["about"]
    assert written["fine_tune"].keys() == {"epochs", "learning_rate", "needs", "takes"}


@pytest.mark.parametrize("name", LARGE)
def test_a_model_built_with_llama_is_named_so(name):
    recipe = read(RECIPES / f"{name}.toml")
    assert ("Llama" in recipe.licence) == recipe.model_name.startswith("Llama")


def test_the_sizes_are_those_of_the_published_models():
    billions = {name: read(RECIPES / f"{name}.toml").architecture.parameters / 1e9 for name in LARGE}
    assert billions["llama3-8b-medical"] == pytest.approx(8.03, abs=0.01)
    assert billions["mistral-7b-command"] == pytest.approx(7.25, abs=0.01)
    assert billions["llama3-1b-command"] == pytest.approx(1.24, abs=0.01)


def test_settings_change_numbers_by_their_names(medical):
    changed = medical.with_settings({"epochs": "3", "learning_rate": "1e-4", "r": "8", "base": "/somewhere"})
    assert (changed.fine_tune.epochs, changed.fine_tune.learning_rate, changed.adapter.r) == (3, 1e-4, 8)
    assert changed.base == "/somewhere"
    assert changed.with_settings({"quantizations": "Q8_0,Q4_0"}).export.quantizations == ("Q8_0", "Q4_0")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "many"),
        ("epochs", "nan"),
        ("epochs", "inf"),
        ("r", "-2"),
        ("epochz", "3"),
        ("licence", "MIT"),
    ],
)
def test_a_setting_with_a_wrong_name_or_value_is_refused(medical, name, value):
    with pytest.raises(BadRecipe, match=name):
        medical.with_settings({name: value})


@pytest.mark.parametrize("text", ["kind = 'large'\ntitel = 'x'", "kind = ", "kind = 'large'"])
def test_a_recipe_that_cannot_be_read_is_refused_by_name(tmp_path, text):
    path = tmp_path / "broken.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadRecipe, match=r"^broken\.toml: "):
        read(path)
