"""Copies of a GGUF with its weights in another precision, for the quantization report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray

from finetune.data import DataRefused
from finetune.weights.quantize import Quantization, quantize

Numbers = NDArray[Any]

NF4_BLOCK = 64
"""Weights that share a scale, as in the QLoRA paper (arXiv 2305.14314)."""


class Unavailable(RuntimeError):
    """A variant that cannot be made here; the text says why."""


@dataclass(frozen=True)
class Variant:
    """A file to measure, how large its weights would be where they are served, and whether as this file."""

    name: str
    path: Path
    size_mb: float
    is_served: bool = True
    """False for NF4: bitsandbytes serves it, so llama.cpp's speed and memory would tell nothing."""


def make(name: str, source: Path, folder: Path) -> Variant:
    """Return the variant, made of the source unless it lies there; raises Unavailable."""
    target = folder / f"{source.stem}-{name.lower()}.gguf"
    if name == "NF4":
        return _nf4(source, target)
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        if name == "fp16":
            _rewrite(
                source, target, lambda _, numbers: numbers.astype(np.float16) if numbers.ndim > 1 else numbers
            )
        else:
            quantize(source, target, Quantization(name))
    return Variant(name, target, target.stat().st_size / 1e6)


def precision(source: Path) -> str:
    """Return how the source's matrices are written; raises DataRefused for one that is quantized already."""
    kinds = {tensor.tensor_type for tensor in gguf.GGUFReader(source).tensors if len(tensor.shape) > 1}
    if Kind.F32 in kinds:
        return "fp32"
    if kinds <= {Kind.F16, Kind.BF16}:
        return "fp16"
    raise DataRefused(
        f"{source.name} is quantized already.", hint="Give the fp32 or fp16 file that it was made of."
    )


def _nf4(source: Path, target: Path) -> Variant:
    """Send the projections' weights through NF4 with double quantization and back, as QLoRA holds a base."""
    try:
        from bitsandbytes import functional
    except ImportError as error:
        raise Unavailable("bitsandbytes is not installed") from error
    import torch

    saved = 0  # bytes less than in 16 bits; each scale has one, and 256 scales share four more

    def there_and_back(name: str, numbers: Numbers) -> Numbers:
        nonlocal saved
        if numbers.ndim < 2 or not name.startswith("blk."):
            return numbers
        weights = torch.from_numpy(np.array(numbers, dtype=np.float32))
        packed, state = functional.quantize_4bit(
            weights, blocksize=NF4_BLOCK, compress_statistics=True, quant_type="nf4"
        )
        saved += 2 * weights.numel() - packed.numel() - state.absmax.numel() * 260 // 256
        return functional.dequantize_4bit(packed, state).numpy()

    _rewrite(source, target, there_and_back)
    half = sum(2 * int(tensor.n_elements) for tensor in gguf.GGUFReader(source).tensors)
    return Variant("NF4", target, (half - saved) / 1e6, is_served=False)


def _rewrite(source: Path, target: Path, change: Callable[[str, Numbers], Numbers]) -> None:
    """Copy a GGUF, each tensor as fp32 through `change`; the file gets its name when it is whole."""
    reader = gguf.GGUFReader(source)
    unfinished = target.with_suffix(".unfinished")
    writer = gguf.GGUFWriter(unfinished, reader.fields[gguf.Keys.General.ARCHITECTURE].contents())
    for field in reader.fields.values():
        if field.name == gguf.Keys.General.ARCHITECTURE or field.name.startswith("GGUF."):
            continue
        inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, change(tensor.name, gguf.dequantize(tensor.data, tensor.tensor_type)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    unfinished.replace(target)
