"""A model is held against the machine before anybody waits for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from workshop import sizing
from workshop.sizing import Machine, Shape

GIGABYTE = 1_000_000_000
SHIPPED = Path(__file__).parents[2] / "finetune" / "shipped" / "eyecare-command.gguf"
LLAMA_8B = Shape(
    name="Llama 3.1 8B Instruct",
    architecture="llama",
    parameters=8_030_000_000,
    size_bytes=4_920_000_000,
    layers=32,
    kv_width=1024,
    trained_context=131_072,
    vocabulary=128_256,
    licence="llama3.1",
)
LAPTOP = Machine(memory=14 * GIGABYTE, cores=4)
SMALL = Machine(memory=3 * GIGABYTE, cores=2)
CLOUD = Machine(memory=60 * GIGABYTE, cores=16, gpu_memory=23 * GIGABYTE, gpu_name="NVIDIA L4")


def test_the_shipped_model_fits_everywhere():
    shape = sizing.read(SHIPPED)
    assert shape.size_bytes < 25_000_000
    assert sizing.advise(shape, Machine(memory=GIGABYTE, cores=1)).fits


def test_an_8b_on_a_laptop_gets_the_largest_context_that_four_conversations_fit_in():
    advice = sizing.advise(LLAMA_8B, LAPTOP)
    assert (advice.fits, advice.context_tokens, advice.threads) == (True, 8192, 4)
    assert advice.settings == {
        "LLM_CONTEXT_TOKENS": "8192",
        "LLM_THREADS": "4",
        "LLM_PROMPT_STYLE": "full",
    }


def test_its_needs_are_weights_cache_scores_and_the_host():
    cache = 2 * 2 * 32 * 1024 * 4096 * 4
    assert LLAMA_8B.needs(4096, 4) == 4_920_000_000 + cache + 4 * 128_256 * 128 + sizing.HOST_BYTES


def test_what_does_not_fit_names_what_would():
    advice = sizing.advise(LLAMA_8B, SMALL)
    assert not advice.fits
    assert advice.smaller == "a model of at most 2.0B parameters as Q4_K_M"
    sixteen_bits = replace(LLAMA_8B, size_bytes=16_060_000_000)
    assert sizing.advise(sixteen_bits, LAPTOP).smaller == "the same model as Q8_0 (8.5 GB)"


def test_a_gpu_is_measured_by_its_own_memory():
    assert sizing.advise(LLAMA_8B, CLOUD).room == int(0.8 * 23 * GIGABYTE)


FILES = {
    "llama-8b-F16.gguf": 16_060_000_000,
    "llama-8b-Q8_0.gguf": 8_540_000_000,
    "llama-8b-Q4_K_M.gguf": 4_920_000_000,
    "llama-8b-Q3_K_M.gguf": 4_020_000_000,
    "mmproj-llama-8b.gguf": 900_000_000,
}


@pytest.mark.parametrize(
    ("machine", "chosen"),
    [(CLOUD, "llama-8b-Q8_0.gguf"), (LAPTOP, "llama-8b-Q4_K_M.gguf"), (SMALL, "")],
    ids=["cloud GPU", "laptop", "small"],
)
def test_of_several_files_the_best_that_the_machine_carries_is_taken(machine, chosen):
    assert sizing.best_of(FILES, machine) == chosen


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF\x03\0\0\0" + b"\xff" * 64, b"<html>no</html>"])
def test_what_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(sizing.NotAModel, match="no GGUF file, or only a part"):
        sizing.read(path)


def test_half_a_model_is_refused(tmp_path):
    path = tmp_path / "half.gguf"
    path.write_bytes(SHIPPED.read_bytes()[:3_000_000])
    with pytest.raises(sizing.NotAModel):
        sizing.read(path)
