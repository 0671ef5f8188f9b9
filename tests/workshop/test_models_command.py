"""`manage.py models` brings a model here as a candidate, and never more than that."""

import hashlib
import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from chatbot import assistants
from tests.workshop.stub_hub import StubHub, running
from workshop import sizing
from workshop.models import ModelVersion
from workshop.sizing import Machine

SHIPPED = Path(__file__).parents[2] / "finetune" / "shipped" / "eyecare-command.gguf"
SHA256 = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def practice_machine(db, settings, tmp_path, monkeypatch):
    settings.MODELS_DIR = tmp_path / "models"
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(sizing, "this_machine", lambda: Machine(memory=8_000_000_000, cores=4))


@pytest.fixture
def stub(monkeypatch):
    with running(StubHub({"tiny-Q8_0.gguf": SHIPPED.read_bytes(), "tiny-F16.gguf": b"large"})) as stub:
        monkeypatch.setenv("HF_ENDPOINT", stub.url)
        yield stub


def models(*arguments: str) -> str:
    said = StringIO()
    call_command("models", *arguments, stdout=said)
    return said.getvalue()


def test_a_file_becomes_a_candidate_and_answers_nobody():
    before = assistants.default().model_name
    said = models("add", str(SHIPPED))
    version = ModelVersion.objects.get()
    assert (version.sha256, version.state) == (SHA256, ModelVersion.State.TRAINED)
    assert version.name in said
    assert "LLM_THREADS=4" in said
    assert assistants.default().model_name == before


def test_a_repository_gives_the_file_that_suits_the_machine(stub):
    said = models("add", "eyes/small")
    assert "→ tiny-Q8_0.gguf" in said
    assert ModelVersion.objects.get().sha256 == SHA256


def test_only_looking_changes_nothing(stub, settings):
    models("add", "eyes/small", "--check")
    models("add", str(SHIPPED), "--check")
    assert not ModelVersion.objects.exists()
    assert not (settings.MODELS_DIR / "eyes--small").exists()


def test_the_list_says_whose_each_version_is():
    models("add", str(SHIPPED))
    assert SHA256[:12] in models("list")


def test_the_same_file_is_not_added_twice():
    models("add", str(SHIPPED))
    with pytest.raises(CommandError, match="has this model already"):
        models("add", str(SHIPPED))
    assert ModelVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.gguf"], "There is no file"),
        (["eyes/small", "--file", "other.gguf"], "holds no other.gguf"),
        ([str(SHIPPED), "--sha256", "ab" * 32], "nothing was added"),
        ([str(SHIPPED), "--assistant", "nobody"], "There is no assistant 'nobody'"),
    ],
    ids=["no file", "no such file there", "another checksum", "no such assistant"],
)
def test_what_cannot_be_added_is_told_and_leaves_nothing(stub, arguments, told):
    with pytest.raises(CommandError, match=told):
        models("add", *arguments)
    assert not ModelVersion.objects.exists()


def test_a_model_too_large_for_the_machine_names_what_would_do(monkeypatch):
    monkeypatch.setattr(sizing, "this_machine", lambda: Machine(memory=500_000_000, cores=1))
    with pytest.raises(CommandError, match="does not fit this machine"):
        models("add", str(SHIPPED))
    assert not ModelVersion.objects.exists()


def test_half_a_model_is_refused(tmp_path):
    half = tmp_path / "half.gguf"
    shutil.copyfile(SHIPPED, half)
    with half.open("r+b") as content:
        content.truncate(3_000_000)
    with pytest.raises(CommandError, match="only a part of one"):
        models("add", str(half))
    assert not ModelVersion.objects.exists()
