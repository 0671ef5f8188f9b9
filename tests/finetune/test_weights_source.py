"""llama.cpp's source comes from one known package, and nothing of another is unpacked or run."""

import io
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from finetune.weights import source as sources
from finetune.weights.source import SourceMissing, source, unpack

VERSION = metadata.version("llama-cpp-python")


def package(folder: Path, *names: str) -> Path:
    path = folder / sources.package_name(VERSION)
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"hi"))
    return path


def test_the_checksum_of_the_installed_version_is_known():
    assert VERSION in sources.SHA256


def test_a_cached_source_is_returned_without_asking_pip(tmp_path, monkeypatch):
    (tmp_path / f"llama.cpp-{VERSION}").mkdir()
    monkeypatch.setattr(sources.subprocess, "run", None)  # would not be callable
    assert source(tmp_path) == tmp_path / f"llama.cpp-{VERSION}"


def test_a_package_laid_into_the_cache_is_unpacked_without_asking_pip(tmp_path, monkeypatch):
    laid = package(tmp_path, f"llama_cpp_python-{VERSION}/vendor/llama.cpp/convert_hf_to_gguf.py")
    monkeypatch.setitem(sources.SHA256, VERSION, sources.hashlib.sha256(laid.read_bytes()).hexdigest())
    monkeypatch.setattr(sources.subprocess, "run", None)
    folder = source(tmp_path)
    assert (folder / "convert_hf_to_gguf.py").read_text() == "hi"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([folder.name, laid.name])


def test_a_package_with_another_checksum_is_refused_and_nothing_is_unpacked(tmp_path):
    package(tmp_path, f"llama_cpp_python-{VERSION}/vendor/llama.cpp/convert_hf_to_gguf.py")
    with pytest.raises(SourceMissing, match="not the known source package"):
        source(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [sources.package_name(VERSION)]


def test_a_version_with_no_known_checksum_is_refused(tmp_path, monkeypatch):
    monkeypatch.delitem(sources.SHA256, VERSION)
    with pytest.raises(SourceMissing, match="checksum of its source package is not known"):
        source(tmp_path)


def test_without_cache_and_index_it_says_what_would_help(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(SourceMissing, match=f"put {sources.package_name(VERSION)} into"):
        source(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["../vendor/llama.cpp/escaped", "/vendor/llama.cpp/escaped", "x/vendor/llama.cpp/../../../../escaped"],
)
def test_a_package_cannot_write_outside_its_folder(tmp_path, name):
    inside = tmp_path / "cache" / "inside"
    inside.mkdir(parents=True)
    with pytest.raises(SourceMissing):
        unpack(package(tmp_path, name), inside)
    assert all(inside in path.parents for path in tmp_path.rglob("escaped"))


def test_a_package_without_llama_cpp_is_refused(tmp_path):
    with pytest.raises(SourceMissing, match="holds no llama"):
        unpack(package(tmp_path, "llama_cpp_python-0/README.md"), tmp_path / "inside")


def test_a_broken_package_is_refused(tmp_path):
    broken = tmp_path / "llama_cpp_python-0.tar.gz"
    broken.write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(SourceMissing, match="could not be unpacked"):
        unpack(broken, tmp_path / "inside")
