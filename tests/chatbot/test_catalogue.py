"""The list of served models takes nothing that is half written, hostile or changed afterwards."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chatbot.modelhost import catalogue
from chatbot.modelhost.catalogue import EntryRefused, UnknownModel


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.gguf"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_a_model_is_read_as_it_was_written(folder: Path, base: Path) -> None:
    entry = catalogue.describe("command@1f3a9c", base=base, adapter=base, context_tokens=512)
    catalogue.write(folder, entry)
    assert catalogue.read(folder, "command@1f3a9c") == entry
    assert entry.base_sha256 == entry.adapter_sha256 == catalogue.sha256(base)
    assert list(catalogue.names(folder)) == ["command@1f3a9c"]
    assert [path.name for path in folder.iterdir()] == ["command@1f3a9c.json"]


def test_the_same_model_may_be_written_twice_but_not_another_under_its_name(folder: Path, base: Path) -> None:
    entry = catalogue.describe("command@1", base=base)
    catalogue.write(folder, entry)
    catalogue.write(folder, entry)
    with pytest.raises(EntryRefused, match="Another model is listed as command@1"):
        catalogue.write(folder, replace(entry, context_tokens=5))
    assert catalogue.read(folder, "command@1") == entry


@pytest.mark.parametrize("name", ["", "../secret", "A", "a/b", ".hidden", "x" * 81, "a\n", "a\0"])
def test_a_name_that_could_lead_out_of_the_folder_is_unknown_and_cannot_be_written(
    folder: Path, base: Path, name: str
) -> None:
    with pytest.raises(UnknownModel):
        catalogue.read(folder, name)
    with pytest.raises(EntryRefused):
        catalogue.write(folder, replace(catalogue.describe("good", base=base), name=name))
    assert list(catalogue.names(folder)) == []


def test_a_missing_file_is_not_listed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EntryRefused, match=r"no model file at .*gone\.gguf"):
        catalogue.describe("gone", base=tmp_path / "gone.gguf")


@pytest.mark.parametrize(
    "damage",
    [
        {"base": "relative.gguf"},
        {"base_sha256": "short"},
        {"adapter": "/adapter.gguf"},
        {"adapter_sha256": "0" * 64},
        {"context_tokens": True},
        {"context_tokens": 0},
        {"prompt_style": "rude"},
        {"name": "somebody-else"},
        {"surprise": 1},
    ],
)
def test_a_damaged_entry_is_told_apart_from_a_missing_one(folder: Path, base: Path, damage: dict) -> None:
    path = catalogue.write(folder, catalogue.describe("good", base=base))
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(EntryRefused):
        catalogue.read(folder, "good")


def test_what_is_no_json_is_a_damaged_entry(folder: Path, base: Path) -> None:
    catalogue.write(folder, catalogue.describe("good", base=base)).write_bytes(b"\xff{")
    with pytest.raises(EntryRefused, match="cannot be read"):
        catalogue.read(folder, "good")
