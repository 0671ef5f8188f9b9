"""What a file of weights says of itself: name, licence, lineage, checksums, in the file and beside it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import gguf

PREFIX = "eyecare."
PROMPT_STYLE = f"{PREFIX}prompt_style"


class Tampered(ValueError):
    """The file is not the one that its manifest describes."""


class NotGguf(ValueError):
    """The file cannot be read as GGUF."""


@dataclass(frozen=True)
class Lineage:
    """Where a model comes from, and what may be done with it."""

    name: str
    licence: str
    recipe: str
    recipe_sha256: str
    base: str
    base_sha256: str
    data_sha256: str
    data_licences: tuple[str, ...] = ()
    quantization: str = ""
    prompt_style: str = "full"
    description: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what is written into the GGUF, by its key there."""
        yield gguf.Keys.General.NAME, self.name
        yield gguf.Keys.General.LICENSE, self.licence
        yield gguf.Keys.General.DESCRIPTION, self.description
        yield f"{PREFIX}data_licences", ", ".join(self.data_licences)
        for name in ("recipe", "recipe_sha256", "base", "base_sha256", "data_sha256", "prompt_style"):
            yield f"{PREFIX}{name}", getattr(self, name)


def manifest_path(weights: Path) -> Path:
    """Return where the manifest of a file of weights lies."""
    return weights.with_name(f"{weights.name}.manifest.json")


def inscribe(weights: Path, lineage: Lineage) -> Path:
    """Write the lineage into a GGUF and a manifest with its SHA-256 beside it; returns the manifest.

    The tensors are copied as they are; the file is replaced when the new one is whole.
    """
    unfinished = weights.with_suffix(".unfinished")
    facts = {key: value for key, value in lineage.facts() if value}
    try:
        _copy(_open(weights), unfinished, facts)
        unfinished.replace(weights)
    finally:
        unfinished.unlink(missing_ok=True)
    return write_manifest(weights, lineage)


def write_manifest(weights: Path, lineage: Lineage) -> Path:
    """Write the manifest alone, for a file that is not GGUF or was inscribed before."""
    manifest = manifest_path(weights)
    said = {
        "file": weights.name,
        "sha256": sha256(weights),
        "size_bytes": weights.stat().st_size,
        **asdict(lineage),
    }
    unfinished = manifest.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return unfinished.replace(manifest)


def verify(weights: Path) -> dict[str, Any]:
    """Return the manifest of a file; raises Tampered when the file is another one or has none."""
    manifest = manifest_path(weights)
    try:
        said: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Tampered(f"{weights.name} has no readable manifest beside it.") from error
    if not weights.is_file() or sha256(weights) != said.get("sha256"):
        raise Tampered(f"{weights.name} is not the file that its manifest describes.")
    return said


def read(weights: Path) -> dict[str, str]:
    """Return the texts of a GGUF's metadata, by key; raises NotGguf."""
    fields = _open(weights).fields.values()
    texts = [found for found in fields if found.types == [gguf.GGUFValueType.STRING]]
    return {found.name: found.contents() for found in texts if not found.name.startswith("tokenizer.")}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """Return one checksum of a Hugging Face model: its weights, config and tokenizer."""
    patterns = ("*.safetensors", "config.json", "tokenizer*", "*.model")
    files = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    return text_sha256(f"{path.name} {sha256(path)}" for path in files)


def text_sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _open(weights: Path) -> gguf.GGUFReader:
    try:
        return gguf.GGUFReader(weights)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise NotGguf(f"{weights.name} is not a readable GGUF file.") from error


def _copy(reader: gguf.GGUFReader, target: Path, facts: dict[str, str]) -> None:
    writer = gguf.GGUFWriter(target, reader.fields[gguf.Keys.General.ARCHITECTURE].contents())
    written_by_itself = {gguf.Keys.General.ARCHITECTURE}
    for found in reader.fields.values():
        if found.name in written_by_itself | set(facts) or found.name.startswith("GGUF."):
            continue
        inner = found.types[-1] if found.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(found.name, found.contents(), found.types[0], sub_type=inner)
    for key, value in facts.items():
        writer.add_string(key, value)
    _copy_tensors(reader.tensors, writer, reader.endianess)


def _copy_tensors(tensors: Sequence[Any], writer: gguf.GGUFWriter, endianess: Any) -> None:
    for tensor in tensors:
        numbers = tensor.data
        writer.add_tensor_info(tensor.name, numbers.shape, numbers.dtype, numbers.nbytes, tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        writer.write_tensor_data(tensor.data, tensor_endianess=endianess)
    writer.close()
