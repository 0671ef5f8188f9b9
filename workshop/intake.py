"""Takes in what somebody uploaded: read, cleaned, freed of personal data, counted; never run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from django.conf import settings

from finetune.data import DataRefused, labelled, prepare
from finetune.examples import Example
from workshop import gate
from workshop.refusals import BadFile, NoRoom

LARGEST_BYTES = 20 * 1024 * 1024
FORMATS = {".csv": "table", ".tsv": "table", ".jsonl": "JSON Lines", ".ndjson": "JSON Lines"}


class Uploaded(Protocol):
    """What a browser or another program sends: Django's UploadedFile, or anything that gives chunks."""

    @property
    def name(self) -> str | None: ...

    def chunks(self) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class Arrived:
    """A file on its way in: still as it was sent, in a place that nobody is served from."""

    path: Path
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Cleaned:
    """What a model may learn from, and what became of the rest."""

    format: str
    examples: tuple[Example, ...]
    rows: int
    dropped: dict[str, int]
    report: dict[str, Any]

    def write(self, path: Path) -> None:
        """Keep the examples in the exchange format; raises NoRoom."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            labelled.write(path, self.examples)
        except OSError as error:
            raise NoRoom("The examples could not be kept: the disk is full.") from error


@contextmanager
def arriving(file: Uploaded) -> Iterator[Arrived]:
    """Hold an upload for as long as it is looked at; it is gone afterwards. Raises BadFile, NoRoom."""
    path = _folder() / f"{uuid4()}{_suffix(file.name or '')}"
    try:
        yield _received(file, path)
    finally:
        path.unlink(missing_ok=True)


def clean(arrived: Arrived, *, name: str, licence: str) -> Cleaned:
    """Return the examples of a file without personal data and repetitions; raises BadFile, with the line."""
    try:
        source = prepare.open_source(arrived.path, licence=licence)
        prepared = prepare.prepare([replace(source, name=name)], seed=0)
    except DataRefused as refusal:
        # it speaks of the file by the name that it has here
        sentence = str(refusal).replace(arrived.path.name, "The file")
        raise BadFile(" ".join(filter(None, (sentence, refusal.hint)))) from refusal
    report, examples = prepared.report, (*prepared.train, *prepared.held_out)
    to_learn = tuple(example for example in examples if not gate.knows(example.turn.message))
    if not to_learn:
        raise BadFile("Every message in the file is one that models are tried on. Please write your own.")
    repeated = {"said twice": report.duplicates, "said nearly the same": report.near_duplicates}
    repeated["the same words with another meaning"] = report.contradictions
    repeated["one that models are tried on"] = len(examples) - len(to_learn)
    return Cleaned(
        FORMATS[arrived.path.suffix],
        to_learn,
        report.read,
        {reason: count for reason, count in {**report.dropped, **repeated}.items() if count},
        asdict(report),
    )


def _received(file: Uploaded, path: Path) -> Arrived:
    digest, size = sha256(), 0
    try:
        with path.open("wb") as kept:
            for chunk in file.chunks():
                size += len(chunk)
                if size > LARGEST_BYTES:
                    raise BadFile(f"The file is larger than {LARGEST_BYTES // 2**20} MB. Please split it.")
                digest.update(chunk)
                kept.write(chunk)
    except OSError as error:
        raise NoRoom("The file could not be kept: the disk is full.") from error
    return Arrived(path, digest.hexdigest(), size)


def _suffix(name: str) -> str:
    suffix = Path(name.replace("\0", "")).suffix.lower()
    if suffix not in FORMATS:
        raise BadFile("Please upload a CSV table (.csv) or JSON Lines (.jsonl).")
    return suffix


def _folder() -> Path:
    folder = Path(settings.VAR_DIR) / "workshop" / "arriving"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
