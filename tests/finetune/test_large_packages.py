"""The two ways of training, each with its own packages, ask the installed versions what they take."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from finetune.large import packages, unsloth
from finetune.large.packages import PackagesMissing, offered
from finetune.large.recipe import read

PLAIN, UNSLOTH = Path("finetune/requirements-plain.txt"), Path("finetune/requirements-unsloth.txt")


def pins(path: Path) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    wanted = [Requirement(line) for line in lines if line]
    return {each.name.replace("_", "-").lower(): str(each.specifier) for each in wanted}


@pytest.mark.parametrize("path", [PLAIN, UNSLOTH])
def test_every_package_has_one_exact_version(path):
    assert all(re.fullmatch(r"==[0-9][0-9a-z.]*", version) for version in pins(path).values())


@pytest.mark.parametrize("path", [PLAIN, UNSLOTH])
def test_what_the_training_imports_is_listed(path):
    assert {*packages.PLAIN, "torch", "tensorboard", "llama-cpp-python", "gguf"} <= pins(path).keys()


def test_both_ways_share_what_they_can():
    """Only what unsloth holds back differs, so that both read each other's adapters and checkpoints."""
    plain, other = pins(PLAIN), pins(UNSLOTH)
    differing = {name for name in plain.keys() & other.keys() if plain[name] != other[name]}
    assert differing == {"transformers", "trl", "datasets"}


def test_the_plain_way_fits_into_the_projects_own_environment():
    constraints = pins(Path("constraints.txt"))
    plain = pins(PLAIN)
    assert {name: plain[name] for name in plain.keys() & constraints.keys()} == {
        name: constraints[name] for name in plain.keys() & constraints.keys()
    }


def test_unsloth_is_kept_within_what_it_takes():
    """From the requirements of unsloth 2026.10.9."""
    other = pins(UNSLOTH)
    for wanted in ("trl<=1.15.0", "transformers<=5.17.0", "datasets<5.0.0,!=4.4.*,!=4.5.0"):
        taken = Requirement(wanted)
        assert taken.specifier.contains(other[taken.name].removeprefix("=="))


def test_missing_packages_are_named_with_how_to_install_them(monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "trl" else object())
    with pytest.raises(PackagesMissing, match=r"needs trl\.$") as refused:
        packages.check_plain()
    assert "finetune/requirements-plain.txt" in refused.value.hint


def test_arguments_go_by_the_names_that_the_installed_version_knows():
    def older(*, max_seq_length, tokenizer): ...

    def newer(*, max_length, processing_class, dataset_kwargs): ...

    wanted = {"max_length": 512, "processing_class": "t", "dataset_kwargs": {}}
    assert offered(older, wanted) == {"max_seq_length": 512, "tokenizer": "t"}
    assert offered(newer, wanted) == wanted


def test_unsloth_is_given_the_recipes_numbers():
    """Against the signatures of unsloth 2026.10.9; nothing of the recipe may get lost on the way."""

    def from_pretrained(
        model_name, max_seq_length, dtype, load_in_4bit, use_exact_model_name, random_state, **kwargs
    ): ...

    def get_peft_model(
        model, r, target_modules, lora_alpha, lora_dropout, bias, use_gradient_checkpointing, random_state,
        max_seq_length, **kwargs,
    ): ...  # fmt: skip

    recipe = read(Path("finetune/recipes/llama3-8b-medical.toml"))
    loading = offered(from_pretrained, unsloth.loading(Path("base"), recipe))
    adapting = offered(get_peft_model, unsloth.adapting(recipe))
    assert (loading["load_in_4bit"], loading["max_seq_length"]) == (True, 512)
    assert (adapting["r"], adapting["lora_alpha"], adapting["lora_dropout"]) == (16, 32, 0.05)
    assert adapting["target_modules"] == list(recipe.adapter.targets)


def test_versions_of_what_is_installed_are_told():
    assert packages.versions()["torch"] == metadata.version("torch")
