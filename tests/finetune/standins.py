"""A tiny Mistral with random weights and a real vocabulary, made once for all tests of the weights."""

import functools
import json
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from finetune.large import standin
from finetune.large.recipe import read
from finetune.weights.converter import Precision, convert
from finetune.weights.quantize import Quantization, quantize
from finetune.weights.source import SourceMissing, source

RECIPE = Path("finetune/recipes/mistral-7b-command.toml")


@functools.cache
def model() -> Path:
    """Return the Hugging Face folder; skips, visibly, where llama.cpp's source cannot be had."""
    try:
        source()
    except SourceMissing as missing:
        pytest.skip(str(missing))
    folder = Path(tempfile.mkdtemp(prefix="standin-"))
    return standin.make(folder / "model", read(RECIPE).architecture, standin.TINY)


@functools.cache
def gguf() -> Path:
    """Return the same model in fp32 as GGUF."""
    return convert(model(), model().parent / "tiny.gguf", precision=Precision.F32, name="Tiny")


@functools.cache
def small(kind: Quantization) -> Path:
    """Return it with smaller weights; copy the file to change it."""
    return quantize(gguf(), model().parent / f"tiny-{kind}.gguf", kind)


def adapter(folder: Path, *, r: int = 4, alpha: int = 8, hidden: int = 256, **config: object) -> Path:
    """Write a LoRA adapter, as peft writes it, that changes two matrices."""
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    tensors = {}
    for matrix, out in (("self_attn.q_proj", hidden), ("mlp.up_proj", 512)):
        name = f"base_model.model.model.layers.1.{matrix}"
        tensors[f"{name}.lora_A.weight"] = torch.randn(r, hidden) * 0.05
        tensors[f"{name}.lora_B.weight"] = torch.randn(out, r) * 0.05
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    said = {"peft_type": "LORA", "r": r, "lora_alpha": alpha, "bias": "none", "task_type": "CAUSAL_LM"}
    said |= {"base_model_name_or_path": str(model()), "target_modules": ["q_proj", "up_proj"], **config}
    (folder / "adapter_config.json").write_text(json.dumps(said), encoding="utf-8")
    return folder
