"""Which packages are there to train with, and what the installed versions' signatures offer."""

import inspect
from collections.abc import Callable, Mapping
from importlib import metadata
from importlib.util import find_spec
from typing import Any

PLAIN = ("transformers", "peft", "trl", "bitsandbytes", "datasets", "accelerate")

REPORTED = ("torch", *PLAIN, "unsloth", "llama-cpp-python", "gguf")
"""Packages whose versions are written into a result."""

OLDER_NAMES = {
    "max_length": "max_seq_length",
    "processing_class": "tokenizer",
    "eval_strategy": "evaluation_strategy",
    "activation_checkpointing": "gradient_checkpointing",
    "activation_checkpointing_kwargs": "gradient_checkpointing_kwargs",
}
"""What trl and transformers called a setting before."""


class PackagesMissing(RuntimeError):
    """The packages that a way of training needs are not installed."""

    hint = "pip install -r finetune/requirements-plain.txt -c constraints.txt"


def check_plain() -> None:
    """Raise PackagesMissing unless everything for plain QLoRA is installed."""
    missing = [name for name in PLAIN if find_spec(name) is None]
    if missing:
        raise PackagesMissing(f"Training a model from the hub needs {', '.join(missing)}.")


def has_unsloth() -> bool:
    """Say whether unsloth can train here: its package and an NVIDIA GPU."""
    import torch

    return torch.cuda.is_available() and find_spec("unsloth") is not None


def offered(callee: Callable[..., Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the arguments that the installed version takes, under the names it knows."""
    known = inspect.signature(callee).parameters
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in known.values())
    found = {}
    for name, value in wanted.items():
        older = OLDER_NAMES.get(name, name)
        if name in known or (takes_any and older not in known):
            found[name] = value
        elif older in known:
            found[older] = value
    return found


def versions() -> dict[str, str]:
    """Return the installed versions of what made a model."""
    found = {}
    for name in REPORTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
