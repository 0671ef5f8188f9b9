"""Whether a model fits is said before anything is downloaded, with what would fit instead."""

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from finetune.large import memory
from finetune.large.memory import GIB, Room, TooBig, check, check_disk, estimate, weight_bytes
from finetune.large.recipe import read

RECIPES = Path("finetune/recipes")


def gpu(size: float) -> Room:
    return Room(int(size * GIB), "the GPU (a test)", is_gpu=True)


@pytest.fixture
def large():
    return read(RECIPES / "llama3-8b-command.toml")


def test_the_weights_of_llama_3_8b_take_what_the_literature_says(large):
    """8.03 billion: 6.98 in layers at 4.127 bits, two tables of 0.525 at 16."""
    assert weight_bytes(large.architecture) / GIB == pytest.approx(5.31, abs=0.02)


def test_the_adapter_has_as_many_numbers_as_peft_counts(large):
    """peft prints 41,943,040 trainable parameters for r=16 on the seven projections of Llama 3 8B."""
    assert memory.adapter_parameters(large.architecture, 16, large.adapter.targets) == 41_943_040


def test_an_8b_model_trains_on_a_gpu_of_12_gib(large):
    assert check(large, gpu(11.5)).total < 11.5 * GIB


def test_too_little_memory_is_refused_with_the_figures_and_smaller_recipes(large):
    with pytest.raises(TooBig) as refused:
        check(large, gpu(8))
    assert "takes about 9.4 GiB of memory; the GPU (a test) has 8.0 GiB free" in str(refused.value)
    assert "mistral-7b-command or llama3-1b-command" in refused.value.hint


def test_the_hint_names_only_what_would_fit(large):
    batched = replace(large, training=replace(large.training, batch=8))
    with pytest.raises(TooBig) as refused:
        check(batched, gpu(10))
    assert refused.value.hint.startswith("With batch=1 and accumulation=64 it would fit")
    with pytest.raises(TooBig) as refused:
        check(large, gpu(2))
    assert refused.value.hint == "The recipe of the small model needs no GPU and 2 GiB."


def test_the_medical_recipe_is_offered_a_shorter_sequence():
    medical = read(RECIPES / "llama3-8b-medical.toml")
    with pytest.raises(TooBig) as refused:
        check(medical, gpu(7.7))
    assert refused.value.hint.startswith("With sequence_tokens=256 it would fit")


def test_less_of_everything_takes_less_memory(large):
    whole = estimate(large, is_gpu=True).total
    for part, change in (("training", {"sequence_tokens": 512}), ("adapter", {"r": 4})):
        smaller = replace(large, **{part: replace(getattr(large, part), **change)})
        assert estimate(smaller, is_gpu=True).total < whole


def test_a_full_disk_is_refused_before_anything_is_written(large, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, 10 * GIB))
    with pytest.raises(TooBig, match=r"writes about 53\.8 GiB into .*; 10\.0 GiB are free there"):
        check_disk(large, tmp_path)
    assert list(tmp_path.iterdir()) == []
