"""llama.cpp's own source, from the source package of llama-cpp-python: its converter, server and tools.

The wheel that is installed holds none of them, and no other package has the converter.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

PACKAGE = "llama-cpp-python"
CACHE = Path(__file__).parents[2] / "var" / "cache"

SHA256 = {"0.3.36": "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"}
"""Of the source package, by version: nothing else is unpacked, and pip runs nothing of it before."""


class SourceMissing(RuntimeError):
    """llama.cpp's source is neither in the cache nor to be had."""

    hint = "Check the network once; afterwards the source lies in var/cache and none is needed."


def source(cache: Path = CACHE) -> Path:
    """Return the folder of llama.cpp's source, of the version that the installed library was built from.

    Fetched once, through pip; from then on it works without a network. Raises SourceMissing.
    """
    version = metadata.version(PACKAGE)
    folder = cache / f"llama.cpp-{version}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as workplace:
            package = _package(version, cache, Path(workplace))
            _keep(unpack(package, Path(workplace) / "unpacked"), folder)
    return folder


def package_name(version: str) -> str:
    """Return the file name of the source package on the package index."""
    return f"llama_cpp_python-{version}.tar.gz"


def _package(version: str, cache: Path, workplace: Path) -> Path:
    """Return the checked source package: one that was laid into the cache, or one that pip fetches."""
    if version not in SHA256:
        raise SourceMissing(
            f"{PACKAGE} {version} is installed, and the checksum of its source package is not known here "
            f"(known: {', '.join(SHA256)}). Install a known version, or add the checksum."
        )
    laid_down = cache / package_name(version)
    package = laid_down if laid_down.is_file() else _download(version, workplace)
    check(package, SHA256[version])
    return package


def check(package: Path, expected: str) -> None:
    """Raise SourceMissing unless the file is the one whose SHA-256 we know."""
    with package.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise SourceMissing(
            f"{package.name} is not the known source package (SHA-256 {found[:12]}…, not {expected[:12]}…)."
        )


def _download(version: str, workplace: Path) -> Path:
    """Let pip fetch the package from wherever it fetches packages; with a hash it checks before it builds."""
    wanted = workplace / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={version} --hash=sha256:{SHA256[version]}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", PACKAGE, "--require-hashes", "-r", str(wanted), "-d", str(workplace)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    package = workplace / package_name(version)
    if told.returncode or not package.is_file():
        raise SourceMissing(
            f"The source package of {PACKAGE} {version} is not in the cache and could not be fetched "
            f"({_last_line(told.stderr)}). With no network, put {package.name} into {CACHE}."
        )
    return package


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "pip said nothing"


def unpack(package: Path, target: Path) -> Path:
    """Unpack the vendored llama.cpp of a source package and return its folder.

    Raises SourceMissing for a package that would write outside `target` or holds no llama.cpp.
    """
    try:
        with tarfile.open(package) as archive:
            archive.extractall(target, members=_vendored(archive), filter="data")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise SourceMissing(f"{package.name} could not be unpacked: {error}") from error
    folder = next(target.glob("*/vendor/llama.cpp"), None)
    if folder is None:
        raise SourceMissing(f"{package.name} holds no llama.cpp.")
    return folder


def _vendored(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Leave out the binding itself, and the git folders that came along."""
    for member in archive:
        parts = Path(member.name).parts
        if parts[1:3] == ("vendor", "llama.cpp") and ".git" not in parts:
            yield member


def _keep(unpacked: Path, folder: Path) -> None:
    """Give the folder its name in one step, so that it is whole or not there; another may have been first."""
    try:
        unpacked.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(unpacked)
