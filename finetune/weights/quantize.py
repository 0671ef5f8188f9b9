"""Makes a GGUF smaller through llama.cpp; an importance matrix tells it which columns matter most."""

import ctypes
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from numpy.typing import NDArray

from finetune.weights.runtime import Runtime

__all__ = ["Quantization", "QuantizationRefused", "Runtime", "quantize", "size_after"]

Importance = Mapping[str, NDArray[np.float32]]
"""By a tensor's name in the GGUF: how much each of its input columns is used (mean square)."""

ROOM_PER_STEP = 512 * 2**20
"""Bytes of rows that llama.cpp may hold at once; its own choice, 8 GiB, is more than a small machine has."""


class Quantization(StrEnum):
    """How small the weights are made; figures for Llama 3 8B from llama.cpp's own table."""

    Q8_0 = "Q8_0"
    """8.5 bits a weight: no loss to speak of; what small models want."""

    Q5_K_M = "Q5_K_M"
    """5.7 bits a weight."""

    Q4_K_M = "Q4_K_M"
    """4.9 bits a weight: what 7B and larger are served with."""

    Q4_0 = "Q4_0"
    """4.5 bits a weight, the fastest on some processors and the least exact."""

    @property
    def bits(self) -> float:
        return {"Q8_0": 8.5, "Q5_K_M": 5.7, "Q4_K_M": 4.9, "Q4_0": 4.6}[self.value]


class QuantizationRefused(RuntimeError):
    """The file cannot be made smaller here; the text says why, `hint` what would help."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def quantize(
    source: Path,
    target: Path,
    quantization: Quantization = Quantization.Q8_0,
    *,
    importance: Importance | None = None,
    threads: int = 2,
) -> Path:
    """Write `source` (fp32, fp16 or bf16) to `target` with smaller weights.

    The file gets its name when it is whole. Raises QuantizationRefused.
    """
    if not source.is_file():
        raise QuantizationRefused(f"There is no file {source.name} to make smaller.")
    _check_disk(source, target, quantization)
    unfinished = target.with_suffix(".unfinished")
    settings = _settings(quantization, threads)
    if importance:
        numbers = {name: np.ascontiguousarray(used, np.float32) for name, used in importance.items()}
        rows = _rows(numbers)
        settings.imatrix = ctypes.cast(rows, ctypes.POINTER(llama_cpp.llama_model_imatrix_data))
    try:
        _run(source, unfinished, settings)
        unfinished.replace(target)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    return target


def size_after(source: Path, quantization: Quantization) -> int:
    """Return about how many bytes the quantized file will have, on the careful side."""
    bits_before = 16 if _is_half(source) else 32  # also refuses what is no GGUF
    return int(source.stat().st_size * min(1.0, quantization.bits * 1.15 / bits_before)) + 2**20


def _is_half(source: Path) -> bool:
    """Say whether the file's large tensors have 16 bits; the smallest answer is the careful one."""
    try:
        tensors = gguf.GGUFReader(source).tensors
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise QuantizationRefused(f"{source.name} is not a readable GGUF file.") from error
    kinds = {tensor.tensor_type for tensor in tensors if len(tensor.shape) > 1}
    return gguf.GGMLQuantizationType.F32 not in kinds


def _check_disk(source: Path, target: Path, quantization: Quantization) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted, free = size_after(source, quantization), shutil.disk_usage(target.parent).free
    if wanted > free:
        raise QuantizationRefused(
            f"{target.name} takes about {wanted / 2**30:.1f} GiB of disk; {free / 2**30:.1f} are free.",
            hint="Free some disk, or choose another folder.",
        )


def _settings(quantization: Quantization, threads: int) -> llama_cpp.llama_model_quantize_params:
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{quantization}")
    settings.nthread = threads
    settings.max_buf_size = ROOM_PER_STEP
    return settings


def _rows(numbers: Mapping[str, NDArray[np.float32]]) -> ctypes.Array[llama_cpp.llama_model_imatrix_data]:
    """Return the matrix as llama.cpp reads it: name, numbers, length; an empty row ends it.

    The rows point into `numbers`: keep those until llama.cpp is done.
    """
    rows = (llama_cpp.llama_model_imatrix_data * (len(numbers) + 1))()
    for row, (name, used) in zip(rows, numbers.items(), strict=False):
        row.name = name.encode()
        row.data = used.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        row.size = len(used)
    return rows


def _run(source: Path, target: Path, settings: llama_cpp.llama_model_quantize_params) -> None:
    del _told[:]
    llama_cpp.llama_log_set(_note, ctypes.c_void_p(0))
    paths = [os.fsencode(path) for path in (source, target)]
    code = llama_cpp.llama_model_quantize(*paths, ctypes.byref(settings))
    if code:
        raise QuantizationRefused(
            f"llama.cpp could not make {source.name} smaller: {_reason()}",
            hint="Take a file in 16 or 32 bits that is not damaged.",
        )


_ERROR = 4
"""ggml's number for lines that say what went wrong (ggml.h)."""

_told: list[str] = []
"""Those lines, of the last call."""


@llama_cpp.llama_log_callback
def _note(level: int, text: bytes, user_data: ctypes.c_void_p) -> None:
    if level >= _ERROR:
        _told.append(text.decode(errors="replace").strip())


def _reason() -> str:
    return next((line.split("error")[-1].strip(" :") for line in reversed(_told) if line), "no reason given")[
        :300
    ]
