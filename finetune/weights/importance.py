"""Which columns of each matrix the practice's own texts use most: llama.cpp keeps those more exactly.

The measure is llama.cpp's own, the mean square of what flows into a matrix, taken in PyTorch where the
model is loaded anyway. The file is llama.cpp's, too: its `llama-quantize --imatrix` reads it.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LAYERS_AT_MOST = 512


class NoImportance(ValueError):
    """The file holds no importance matrix."""


class Importance:
    """Sums up squares while a model reads."""

    def __init__(self) -> None:
        self.squares: dict[str, Tensor] = {}
        self.tokens: dict[str, int] = {}

    def watch(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        """Return a hook that counts what flows into a module, under this name."""

        def count(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            rows = inputs[0].detach().reshape(-1, inputs[0].shape[-1]).float()
            self.squares[name] = self.squares.get(name, 0.0) + rows.square().sum(0).cpu()
            self.tokens[name] = self.tokens.get(name, 0) + len(rows)

        return count

    def means(self) -> dict[str, NDArray[np.float32]]:
        """Return the mean squares by the tensors' names in the GGUF."""
        return {name: (total / self.tokens[name]).numpy() for name, total in self.squares.items()}


def measure(model: nn.Module, texts: Iterable[Sequence[int]]) -> Importance:
    """Let the model read token ids, and return what flowed through its matrices.

    Works on a plain transformers model, on a 4-bit one, and under an adapter of peft.
    """
    found = Importance()
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with ExitStack() as hooks, torch.no_grad():
        for name, matrix in matrices(model):
            handle = matrix.register_forward_pre_hook(found.watch(name))
            hooks.callback(handle.remove)
        for ids in texts:
            model(input_ids=torch.tensor([list(ids)], device=device))
    model.train(was_training)
    return found


def matrices(model: nn.Module) -> Iterable[tuple[str, nn.Module]]:
    """Yield the model's matrices by their names in the GGUF; an adapter's own are left out."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, LAYERS_AT_MOST)
    for path, module in model.named_modules():
        if not isinstance(module, nn.Linear) or ".lora_" in path:
            continue
        known = names.get_name(path.removeprefix("base_model.model.").removesuffix(".base_layer"))
        if known:
            yield f"{known}.weight", module


def write(importance: Importance, path: Path, *, source: str) -> Path:
    """Write llama.cpp's file; it gets its name when it is whole."""
    unfinished = path.with_suffix(".unfinished")
    writer = gguf.GGUFWriter(unfinished, "", use_temp_file=False)
    writer.add_type(gguf.GGUFType.IMATRIX)
    writer.add_array(gguf.Keys.IMatrix.DATASETS, [source])
    writer.add_uint32(gguf.Keys.IMatrix.CHUNK_COUNT, 1)
    writer.add_uint32(gguf.Keys.IMatrix.CHUNK_SIZE, max(importance.tokens.values(), default=0))
    for name, squares in sorted(importance.squares.items()):
        writer.add_tensor(f"{name}.in_sum2", squares.numpy()[None, :])
        writer.add_tensor(f"{name}.counts", np.array([[importance.tokens[name]]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return unfinished.replace(path)


def read(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the mean squares of a file, by tensor; raises NoImportance."""
    try:
        tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
        return {
            name.removesuffix(".in_sum2"): _mean(data, tensors[name.replace(".in_sum2", ".counts")])
            for name, data in tensors.items()
            if name.endswith(".in_sum2")
        }
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise NoImportance(f"{path.name} holds no importance matrix.") from error


def _mean(squares: NDArray[np.float32], counts: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(squares, np.float32).reshape(-1) / float(np.asarray(counts).reshape(-1)[0])
