"""What a training left in its folder, read with suspicion: a program wrote it that may have been killed."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from finetune.data import DataRefused, labelled
from workshop.refusals import BadModel

KINDS = {"adapter", "model"}
MAGIC = b"GGUF"
KNOWN = {
    "kind",
    "file",
    "sha256",
    "size_bytes",
    "base",
    "recipe",
    "recipe_sha256",
    "quantization",
    "metrics",
    "parity",
    "licences",
}


@dataclass(frozen=True)
class Result:
    """A model that is whole: its file has the checksum that was written down for it."""

    kind: str
    file: Path
    sha256: str
    size_bytes: int
    base_name: str = ""
    base_sha256: str = ""
    recipe: str = ""
    recipe_sha256: str = ""
    quantization: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    licences: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)


def read(folder: Path) -> Result:
    """Return what the run in this folder made; raises BadModel when it is not whole."""
    written = _written(folder / "result.json")
    try:
        result = _result(folder, written)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadModel("The training left a result that cannot be read.") from error
    if result.kind not in KINDS:
        raise BadModel("The training left something that is neither a model nor an adapter.")
    check(result.file, result.sha256)
    return result


def held_out(folder: Path, most: int) -> list[dict[str, Any]]:
    """Return the practice's examples that the run kept back; none where it kept none that can be read."""
    path = folder / "held_out.jsonl"
    try:
        kept = labelled.read(path)[:most]
    except DataRefused:
        return []
    return [labelled.row(example) for example in kept]


def check(file: Path, wanted: str = "") -> str:
    """Return the checksum of a GGUF file; raises BadModel when it is none, or not the one wanted."""
    try:
        with file.open("rb") as weights:
            is_gguf = weights.read(4) == MAGIC
            weights.seek(0)
            digest = _digest(weights)
    except OSError as error:
        raise BadModel(f"The model file cannot be read: {error.strerror}.") from error
    if not is_gguf:
        raise BadModel("The file is no GGUF model.")
    if wanted and digest != wanted:
        raise BadModel("The model file is not whole: its checksum is not the one that was written down.")
    return digest


def _digest(weights: Any) -> str:
    digest = sha256()
    while part := weights.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


def _written(path: Path) -> dict[str, Any]:
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadModel("The training ended without a result.") from error
    if not isinstance(written, dict):
        raise BadModel("The training left a result that cannot be read.")
    return written


def _result(folder: Path, written: dict[str, Any]) -> Result:
    base = written.get("base") or {}
    file = folder / str(written["file"])
    if file.resolve().parent != folder.resolve():
        raise BadModel("The training named a file outside its folder.")
    return Result(
        kind=str(written["kind"]),
        file=file,
        sha256=str(written["sha256"]),
        size_bytes=int(written["size_bytes"]),
        base_name=str(base.get("name") or "")[:120],
        base_sha256=str(base.get("sha256") or "")[:64],
        recipe=str(written.get("recipe") or "")[:60],
        recipe_sha256=str(written.get("recipe_sha256") or "")[:64],
        quantization=str(written.get("quantization") or "")[:20],
        metrics=dict(written.get("metrics") or {}),
        parity=dict(written.get("parity") or {}),
        licences=[str(licence) for licence in written.get("licences") or []],
        details={name: value for name, value in written.items() if name not in KNOWN},
    )
