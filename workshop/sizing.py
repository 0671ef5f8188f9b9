"""What a model needs, what this machine has, and the settings that follow: the sizing guide as code.

Bytes everywhere; a "B" of parameters is a thousand million.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import gguf
import psutil

from eyecare.errors import Refusal

BITS_PER_WEIGHT = {"Q8_0": 8.5, "Q6_K": 6.56, "Q5_K_M": 5.69, "Q4_K_M": 4.89, "Q4_0": 4.66}
"""Of a Llama 8B (llama.cpp, tools/quantize/README), best quality first."""

SHARE_OF_MEMORY = 0.8
"""Of what is free; the rest is for the web server, the database and a busy afternoon."""

HOST_BYTES = 600_000_000
"""The model host without a chat model: Python, llama.cpp's buffers, the embedder."""

CONTEXTS = (8192, 4096, 2048, 1024)
CONVERSATIONS = 4
"""Whose caches are to fit beside the weights."""

PROCESSOR_BYTES = 5_200_000_000
"""A processor reads the whole file for every token, so a larger one is slow however much memory there is:
an 8B as Q4_K_M lies just under it."""

COMMAND_CONTEXT = 1024
"""Tokens that a model of ours needs; a general model is shown instructions and every tool."""


class NotAModel(Refusal):
    """The file is no GGUF that can hold a conversation."""


@dataclass(frozen=True)
class Shape:
    """What a GGUF says of itself."""

    name: str
    architecture: str
    parameters: int
    size_bytes: int
    layers: int
    kv_width: int
    """Numbers of keys, and as many of values, in a layer for each token."""
    trained_context: int
    vocabulary: int
    licence: str
    prompt_style: str = "full"
    """How messages are put to it: models of ours say so in the file, all others need instructions."""

    @property
    def is_ours(self) -> bool:
        return self.prompt_style != "full"

    @property
    def billions(self) -> float:
        return self.parameters / 1e9

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.size_bytes / self.parameters

    def needs(self, context: int, conversations: int = 1) -> int:
        """Return the bytes for weights, 16-bit keys and values, one row of scores, and the host itself."""
        cache = 2 * 2 * self.layers * self.kv_width * context * conversations
        return self.size_bytes + cache + 4 * self.vocabulary * 128 + HOST_BYTES


@dataclass(frozen=True)
class Machine:
    """What is there: free memory of the processor and of the GPU, and cores that are real."""

    memory: int
    cores: int
    gpu_memory: int = 0
    gpu_name: str = ""

    @property
    def room(self) -> int:
        return int(SHARE_OF_MEMORY * (self.gpu_memory or self.memory))


@dataclass(frozen=True)
class Advice:
    """Settings for one model on one machine; `smaller` names what would fit when it does not."""

    fits: bool
    needs: int
    room: int
    context_tokens: int
    threads: int
    prompt_style: str
    smaller: str = ""

    @property
    def settings(self) -> dict[str, str]:
        return {
            "LLM_CONTEXT_TOKENS": str(self.context_tokens),
            "LLM_THREADS": str(self.threads),
            "LLM_PROMPT_STYLE": self.prompt_style,
        }


def read(path: Path) -> Shape:
    """Return what a GGUF says of itself; raises NotAModel."""
    try:
        fields = gguf.GGUFReader(path)
        return _shape(fields, path)
    except NotAModel:
        raise
    except (ValueError, KeyError, IndexError, OSError, TypeError, MemoryError) as error:
        raise NotAModel(f"{path.name} is no GGUF file, or only a part of one.") from error


def _shape(file: gguf.GGUFReader, path: Path) -> Shape:
    def value(key: str, default: object = None) -> object:
        found = file.fields.get(key)
        if found is None and default is None:
            raise NotAModel(f"{path.name} does not say its {key}: it is no language model for llama.cpp.")
        return found.contents() if found else default

    architecture = str(value("general.architecture"))
    if value("general.type", "model") != "model":
        raise NotAModel(f"{path.name} is an adapter; it is served on its base, not by itself.")
    if not value("tokenizer.chat_template", ""):
        raise NotAModel(f"{path.name} carries no chat template: it is no chat model.")
    heads = int(str(value(f"{architecture}.attention.head_count")))
    kv_heads = int(str(value(f"{architecture}.attention.head_count_kv", heads)))
    width = int(str(value(f"{architecture}.embedding_length")))
    head_width = int(str(value(f"{architecture}.attention.key_length", width // heads)))
    return Shape(
        name=str(value("general.name", path.stem)),
        architecture=architecture,
        parameters=sum(int(tensor.n_elements) for tensor in file.tensors),
        size_bytes=path.stat().st_size,
        layers=int(str(value(f"{architecture}.block_count"))),
        kv_width=kv_heads * head_width,
        trained_context=int(str(value(f"{architecture}.context_length"))),
        vocabulary=len(file.fields["tokenizer.ggml.tokens"].data),
        licence=str(value("general.license", "")),
        prompt_style=str(value("eyecare.prompt_style", "full")),
    )


def this_machine() -> Machine:
    """Return what this machine has free now, a container's limit included."""
    name, free = _gpu()
    return Machine(min(psutil.virtual_memory().available, _container_limit()), _cores(), free, name)


def _cores() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(psutil.cpu_count(logical=False) or allowed, allowed)


def _container_limit() -> int:
    """Return the memory that cgroup v2 leaves this process; without a limit, more than there is."""
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    try:
        return int(limit.read_text()) - int(used.read_text())
    except (OSError, ValueError):
        return 1 << 62


def _gpu() -> tuple[str, int]:
    """Return name and free bytes of the first NVIDIA GPU; none on others, whose memory is the processor's."""
    asked = ["nvidia-smi", "--query-gpu=name,memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
        name, free = told.stdout.splitlines()[0].rsplit(",", 1)
        return name.strip(), int(free) * 1024 * 1024
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return "", 0


def advise(shape: Shape, machine: Machine) -> Advice:
    """Return settings with the largest context that fits, or what would fit instead of this file."""
    wanted = (COMMAND_CONTEXT,) if shape.is_ours else CONTEXTS
    contexts = [min(context, shape.trained_context) for context in wanted]
    fitting = [context for context in contexts if shape.needs(context, CONVERSATIONS) <= machine.room]
    context = (fitting or contexts[-1:])[0]
    return Advice(
        fits=bool(fitting),
        needs=shape.needs(context, CONVERSATIONS),
        room=machine.room,
        context_tokens=context,
        threads=machine.cores,
        prompt_style=shape.prompt_style,
        smaller="" if fitting else _smaller(shape, machine, context),
    )


def _smaller(shape: Shape, machine: Machine, context: int) -> str:
    left = machine.room - (shape.needs(context, CONVERSATIONS) - shape.size_bytes)
    for name, bits in BITS_PER_WEIGHT.items():
        size = int(shape.parameters * bits / 8)
        if size <= left and size < shape.size_bytes:
            return f"the same model as {name} ({size / 1e9:.1f} GB)"
    billions = 8 * max(left, 0) / BITS_PER_WEIGHT["Q4_K_M"] / 1e9
    return f"a model of at most {billions:.1f}B parameters as Q4_K_M" if billions >= 0.1 else "more memory"


def best_of(sizes: dict[str, int], machine: Machine) -> str:
    """Return which of several files to take, by name and size; empty when none fits.

    The largest with room to talk: the header is unknown before a file is here, so half as much again as
    its size, and the host, must fit. Without a GPU none over `PROCESSOR_BYTES`, unless all are.
    """
    room = machine.room - HOST_BYTES
    fitting = {name: size for name, size in sizes.items() if 1.5 * size <= room and _is_sensible(name)}
    quick = {name: size for name, size in fitting.items() if machine.gpu_memory or size <= PROCESSOR_BYTES}
    if fitting and not quick:
        return min(fitting, key=fitting.__getitem__)
    return max(quick, key=quick.__getitem__, default="")


def _is_sensible(name: str) -> bool:
    """Return whether a name promises weights worth their size: 16 bits are no better than 8 in a chat."""
    return not any(mark in name.upper() for mark in ("F16", "F32", "FP16", "MMPROJ", "IMATRIX"))
