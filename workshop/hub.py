"""The only file that knows a model hub: which GGUF files a repository holds, and how one of them gets here.

The hub is `HF_ENDPOINT`, as for every program of this kind; a practice behind a wall names its own mirror.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from eyecare.errors import Refusal

DEFAULT_ENDPOINT = "https://huggingface.co"
READ_BYTES = 8 * 1024 * 1024


class HubRefused(Refusal):
    """The hub does not have it, does not give it, or gave something else."""


@dataclass(frozen=True)
class HubFile:
    """A GGUF in a repository, at one commit; `sha256` is what the hub says of its content."""

    repository: str
    path: str
    revision: str
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


def endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or DEFAULT_ENDPOINT


def ggufs(repository: str, *, revision: str = "main") -> list[HubFile]:
    """Return the GGUF files of a repository, smallest first; raises HubRefused.

    Only files with a checksum count, and only whole ones: a file split into parts is left out.
    """
    with _told(repository):
        found = HfApi(endpoint=endpoint()).model_info(repository, revision=revision, files_metadata=True)
    listed = [
        HubFile(repository, file.rfilename, found.sha or revision, file.lfs.size, file.lfs.sha256)
        for file in found.siblings or []
        if file.rfilename.lower().endswith(".gguf") and file.lfs and "-of-" not in file.rfilename
    ]
    return sorted(listed, key=lambda file: file.size_bytes)


def fetch(file: HubFile, folder: Path) -> Path:
    """Bring a file into a folder, with a progress bar, and return where it lies; raises HubRefused.

    What was fetched before is kept beside it under its checksum, and a second call goes on from there:
    `hf_hub_download` begins anew, since its unfinished files belong to one process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, part = folder / file.name, folder / f".{file.sha256[:16]}.part"
    if target.is_file() and sha256_of(target) == file.sha256:
        return target
    _check_room(file, part, folder)
    with _told(file.repository):
        _download(file, part)
    if sha256_of(part) != file.sha256:
        part.unlink()
        raise HubRefused(
            f"{file.name} is not the file the hub names: its checksum differs. It was thrown away; try again."
        )
    return part.replace(target)


def _download(file: HubFile, part: Path) -> None:
    url = hf_hub_url(file.repository, file.path, revision=file.revision, endpoint=endpoint())
    told = get_hf_file_metadata(url, endpoint=endpoint())
    headers = build_hf_headers()
    if urlsplit(told.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # the hub's storage is another host and must not see the token
    with part.open("ab") as content:
        http_get(
            told.location,
            content,
            resume_size=content.tell(),
            headers=headers,
            expected_size=file.size_bytes,
            displayed_filename=file.name,
        )


def _check_room(file: HubFile, part: Path, folder: Path) -> None:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    missing = file.size_bytes - (part.stat().st_size if part.exists() else 0)
    if free < missing * 1.02:
        raise HubRefused(
            f"{file.name} needs {missing / 1e9:.1f} GB more on the disk; {free / 1e9:.1f} GB are free."
        )


def sha256_of(path: Path, seen: Callable[[int], object] = lambda count: None) -> str:
    """Return the checksum of a file; `seen` is told how many bytes were read each time."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(READ_BYTES):
            digest.update(block)
            seen(len(block))
    return digest.hexdigest()


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """Turn the hub's troubles into sentences."""
    try:
        yield
    except HFValidationError as error:
        raise HubRefused(f"{repository!r} is no name of a repository: write owner/name.") from error
    except GatedRepoError as error:
        raise HubRefused(
            f"{repository} asks for an agreement first: accept it on the hub, then set HF_TOKEN."
        ) from error
    except RepositoryNotFoundError as error:
        raise HubRefused(
            f"The hub has no repository {repository}, or it is private: set HF_TOKEN."
        ) from error
    except HfHubHTTPError as error:
        raise HubRefused(f"The hub answered {error.response.status_code} for {repository}.") from error
    except (httpx2.HTTPError, OSError) as error:
        raise HubRefused(
            f"The hub at {urlsplit(endpoint()).netloc} cannot be reached, or broke off. What is here already "
            "is kept; the same command goes on from there."
        ) from error
