"""Hugging Face models and adapters as GGUF, by llama.cpp's own converter, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from finetune.weights.source import source

__all__ = ["ConversionRefused", "Precision", "UnknownTokenizer", "convert", "convert_adapter", "source"]


class Precision(StrEnum):
    """How the converter writes the weights; what makes them smaller is `quantize`."""

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"


class ConversionRefused(RuntimeError):
    """The converter does not take this model; the text says why, `hint` what would help."""

    hint = "Take a base that llama.cpp knows: Llama, Mistral, Qwen, Gemma, Phi."


class UnknownTokenizer(ConversionRefused):
    """llama.cpp does not know how this tokenizer cuts text, and would tokenize otherwise."""

    hint = "Use a base whose tokenizer it knows: Llama 3, Mistral, or a SentencePiece model."


def convert(model: Path, target: Path, *, precision: Precision = Precision.BF16, name: str = "") -> Path:
    """Write the model of a Hugging Face folder (config, weights, tokenizer) to `target`.

    Raises ConversionRefused, or SourceMissing when there is no converter.
    """
    if not (model / "config.json").is_file():
        raise ConversionRefused(f"{model} holds no model: there is no config.json in it.")
    named = ["--model-name", name] if name else []
    return _run("convert_hf_to_gguf.py", [str(model), *named], target, precision)


def convert_vocabulary(model: Path, target: Path) -> Path:
    """Write only the tokenizer of a Hugging Face folder; raises as `convert` does."""
    return _run("convert_hf_to_gguf.py", [str(model), "--vocab-only"], target, Precision.F16)


def convert_adapter(adapter: Path, base: Path, target: Path, *, precision: Precision = Precision.F32) -> Path:
    """Write a LoRA adapter of peft to `target`; `base` is the folder of the model that it belongs to.

    Of the base only config and tokenizer are read. Raises ConversionRefused or SourceMissing.
    """
    if not (adapter / "adapter_config.json").is_file():
        raise ConversionRefused(f"{adapter} holds no adapter: there is no adapter_config.json in it.")
    return _run("convert_lora_to_gguf.py", ["--base", str(base), str(adapter)], target, precision)


def _run(script: str, arguments: Sequence[str], target: Path, precision: Precision) -> Path:
    """Run a script of llama.cpp's; the file gets its name when it is whole."""
    folder = source()
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    written_to = ("--outfile", str(unfinished), "--outtype", precision.value)
    told = subprocess.run(
        [sys.executable, str(folder / script), *arguments, *written_to],
        env=_surroundings(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode or not unfinished.is_file():
        unfinished.unlink(missing_ok=True)
        raise _refusal(told.stderr)
    unfinished.replace(target)
    return target


def _surroundings(folder: Path) -> dict[str, str]:
    """Let the converter use the gguf package that it came with, and no network."""
    return os.environ | {
        "PYTHONPATH": str(folder / "gguf-py"),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def _refusal(told: str) -> ConversionRefused:
    """Say in our words what the converter's last lines say in its own."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    if "pre-tokenizer was not recognized" in told:
        return UnknownTokenizer(
            "llama.cpp does not know this model's tokenizer and would cut text otherwise than in training."
        )
    if "No space left on device" in told:
        return ConversionRefused("The disk filled up while the GGUF was written; nothing was kept.")
    if "is not supported" in last:
        return ConversionRefused(
            f"llama.cpp cannot convert this kind of model: {last.split(':')[-1].strip()}"
        )
    return ConversionRefused(f"llama.cpp's converter failed: {last[:300]}")
