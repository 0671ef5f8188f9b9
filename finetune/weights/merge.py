"""Adds a LoRA adapter to its 16-bit base, file by file: 8 GiB of memory merge an 8B model.

Into the 16-bit weights, not into the 4-bit ones that it was trained on: those would round it away.
"""

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

PREFIX = "base_model.model."
BESIDE = ("config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json", "*.jinja")


class MergeRefused(ValueError):
    """The adapter cannot be added to this base; the text says why."""

    hint = "Train the adapter again on this base, or take the base that it was trained on."


@dataclass(frozen=True)
class Lora:
    """An adapter of peft: for each matrix that it changes, the two factors of the change."""

    factors: dict[str, tuple[Tensor, Tensor]]
    scale: float

    def change(self, name: str) -> Tensor | None:
        """Return what is added to a tensor of the base, in fp32; None for one that stays."""
        if name not in self.factors:
            return None
        narrow, wide = self.factors[name]
        return (wide.float() @ narrow.float()) * self.scale


def read_adapter(folder: Path) -> Lora:
    """Read a plain LoRA adapter; raises MergeRefused for any other kind, and for a damaged one."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise MergeRefused(f"{folder.name} holds no readable adapter.") from error
    _check_kind(config)
    root = math.sqrt(config["r"]) if config.get("use_rslora") else config["r"]
    return Lora(_pairs(tensors), scale=config["lora_alpha"] / root)


def _check_kind(config: dict[str, Any]) -> None:
    """Refuse what would be merged otherwise than it was trained."""
    if config.get("peft_type") != "LORA":
        raise MergeRefused("Only LoRA adapters are merged.")
    for setting in ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "fan_in_fan_out"):
        if config.get(setting):
            raise MergeRefused(f"An adapter with {setting} is not merged here; use peft's merge_and_unload.")
    if config.get("bias", "none") != "none":
        raise MergeRefused("An adapter that trained biases is not merged here.")


def _pairs(tensors: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    found = {}
    for name, narrow in tensors.items():
        if not name.endswith(".lora_A.weight"):
            continue
        matrix = name.removeprefix(PREFIX).removesuffix(".lora_A.weight")
        found[f"{matrix}.weight"] = (narrow, tensors[name.replace("lora_A", "lora_B")])
    if len(tensors) != 2 * len(found):
        raise MergeRefused("The adapter holds more than LoRA's two factors for each matrix.")
    return found


def merge(base: Path, adapter: Path, target: Path) -> Path:
    """Write base plus adapter to `target`, a Hugging Face folder in the base's own precision.

    Raises MergeRefused when the two do not belong together, or disk or adapter are damaged.
    """
    lora, shards = read_adapter(adapter), _shards(base)
    _check_fit(lora, shards)
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _check_disk(shards, unfinished)
    for shard in shards:
        save_file(dict(_merged(shard, lora)), unfinished / shard.name, metadata={"format": "pt"})
    _copy_rest(base, adapter, unfinished)
    shutil.rmtree(target, ignore_errors=True)
    return unfinished.rename(target)


def _shards(base: Path) -> list[Path]:
    shards = sorted(base.glob("*.safetensors"))
    if not shards:
        raise MergeRefused(f"{base.name} holds no weights (*.safetensors).")
    return shards


def _check_fit(lora: Lora, shards: list[Path]) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    for shard in shards:
        with safe_open(shard, framework="pt") as file:
            shapes |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    for name, (narrow, wide) in lora.factors.items():
        if shapes.get(name) != (wide.shape[0], narrow.shape[1]):
            raise MergeRefused(f"The adapter was trained on another base: {name} has another shape here.")


def _check_disk(shards: list[Path], folder: Path) -> None:
    wanted, free = sum(shard.stat().st_size for shard in shards), shutil.disk_usage(folder).free
    if wanted > free:
        folder.rmdir()
        raise MergeRefused(
            f"The merged model takes {wanted / 2**30:.1f} GiB of disk; {free / 2**30:.1f} GiB are free."
        )


def _merged(shard: Path, lora: Lora) -> Iterator[tuple[str, Tensor]]:
    with safe_open(shard, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 (not a dict)
            weights = file.get_tensor(name)
            change = lora.change(name)
            yield name, weights if change is None else (weights.float() + change).to(weights.dtype)


def _copy_rest(base: Path, adapter: Path, target: Path) -> None:
    """Copy config and tokenizer; the adapter's own tokenizer files, where it has some, hold its template."""
    for folder in (base, adapter):
        for pattern in (*BESIDE, "model.safetensors.index.json", "tokenizer.model"):
            for path in folder.glob(pattern):
                shutil.copyfile(path, target / path.name)
