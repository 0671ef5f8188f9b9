"""What a run leaves behind, and the refusals that any kind of run may end with."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FILE = "result.json"
HELD_OUT = "held_out.jsonl"
PACKAGES = ("torch", "gguf", "llama-cpp-python", "sentencepiece", "sentence-transformers", "numpy")


class Refused(ValueError):
    """This run cannot be done: one sentence that a manager understands, and what would help."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.hint = hint


class DiskFull(Refused):
    """The next file would not fit."""


@dataclass(frozen=True)
class Result:
    """`result.json`; `file` lies in the same folder."""

    recipe: str
    recipe_sha256: str
    kind: str
    """ "adapter" for one that is laid on its base, or "model" for a whole one."""
    file: str
    sha256: str
    size_bytes: int
    base: Mapping[str, str]
    data: Mapping[str, Any]
    quantization: str
    metrics: Mapping[str, float]
    parity: Mapping[str, Any]
    licences: tuple[str, ...]
    seed: int
    seconds: float
    versions: Mapping[str, str] = field(default_factory=lambda: versions(PACKAGES))

    def write(self, folder: Path) -> Path:
        """Write it last of all; an unfinished one never has the name."""
        path = folder / FILE
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return unfinished.replace(path)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the installed ones with their versions."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Raise DiskFull when a file of that size would not fit, with some room left for everybody else."""
    free = shutil.disk_usage(folder).free
    wanted = needed_bytes + SPARE_BYTES
    if free < wanted:
        raise DiskFull(
            f"The disk is nearly full: {free / 1e6:.0f} MB are free, {wanted / 1e6:.0f} MB are needed.",
            "Delete old models or job folders, then start the training again: it goes on where it was.",
        )


SPARE_BYTES = 200_000_000
"""What a run leaves free: the portal's database and logs grow on the same disk."""
