"""The models that may be asked for by name: one small file each, written once and never changed.

    from chatbot.modelhost import catalogue
    catalogue.write(settings.MODELS_DIR, catalogue.describe("command@1f3a9c", base=gguf, adapter=lora))

A new version is a new name, so nothing that was read ever has to be read again.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,79}")
PROMPT_STYLES = ("compact", "hinted", "full")
HASH = re.compile(r"[0-9a-f]{64}")


class EntryRefused(ValueError):
    """A model cannot be listed like this; the text says why."""


class UnknownModel(LookupError):
    """No model goes by this name."""


@dataclass(frozen=True)
class Entry:
    """A served model: a base, perhaps with an adapter on it, and how it is to be spoken to."""

    name: str
    base: str
    base_sha256: str
    adapter: str | None = None
    adapter_sha256: str | None = None
    context_tokens: int = 1024
    prompt_style: str = "compact"


def describe(
    name: str,
    *,
    base: Path,
    adapter: Path | None = None,
    context_tokens: int = 1024,
    prompt_style: str = "compact",
) -> Entry:
    """Return the entry for these files as they are now; raises EntryRefused where one is missing."""
    return Entry(
        name=name,
        base=str(base.absolute()),
        base_sha256=sha256(base),
        adapter=str(adapter.absolute()) if adapter else None,
        adapter_sha256=sha256(adapter) if adapter else None,
        context_tokens=context_tokens,
        prompt_style=prompt_style,
    )


def write(folder: Path, entry: Entry) -> Path:
    """List the model; writing the same entry again is fine. Raises EntryRefused."""
    _check(entry)
    place = _place(folder, entry.name)
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{entry.name}.{uuid.uuid4().hex}"
    beside.write_text(json.dumps(asdict(entry), indent=1) + "\n")
    try:
        os.link(beside, place)  # fails where the name is taken, in one step
    except FileExistsError as error:
        if read(folder, entry.name) != entry:
            raise EntryRefused(f"Another model is listed as {entry.name}.") from error
    finally:
        beside.unlink()
    return place


def read(folder: Path, name: str) -> Entry:
    """Return the model of this name; raises UnknownModel, or EntryRefused for a damaged entry."""
    try:
        written = _place(folder, name).read_bytes()
    except (OSError, ValueError) as error:
        raise UnknownModel(f"There is no model called {name[:80]!r}.") from error
    try:
        entry = Entry(**json.loads(written))
    except (ValueError, TypeError) as error:
        raise EntryRefused(f"The entry of {name} cannot be read.") from error
    if entry.name != name:
        raise EntryRefused(f"The entry of {name} is about {entry.name}.")
    _check(entry)
    return entry


def names(folder: Path) -> Iterator[str]:
    """Yield the listed names, in order."""
    yield from sorted(file.stem for file in folder.glob("*.json") if NAME.fullmatch(file.stem))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file; raises EntryRefused where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EntryRefused(f"There is no model file at {path}.") from error


def _place(folder: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise EntryRefused(
            "A model's name is 1 to 80 small letters, digits, dots, hyphens, underscores and @, "
            "and begins with a letter or digit."
        )
    return folder / f"{name}.json"


def _check(entry: Entry) -> None:
    files: tuple[tuple[Any, Any], ...] = ((entry.base, entry.base_sha256),)
    if entry.adapter is not None or entry.adapter_sha256 is not None:
        files += ((entry.adapter, entry.adapter_sha256),)
    for path, digest in files:
        if not isinstance(path, str) or not Path(path).is_absolute():
            raise EntryRefused("A model's files are named by their whole path.")
        if not isinstance(digest, str) or not HASH.fullmatch(digest):
            raise EntryRefused("A model's file is listed with its SHA-256.")
    if type(entry.context_tokens) is not int or entry.context_tokens < 1:
        raise EntryRefused("context_tokens must be a whole number above zero.")
    if entry.prompt_style not in PROMPT_STYLES:
        raise EntryRefused(f"prompt_style must be one of {', '.join(PROMPT_STYLES)}.")
