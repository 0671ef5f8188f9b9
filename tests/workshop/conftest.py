"""A workshop with a model that serves, a file of examples, and a training that takes no time."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from django.conf import settings as portal
from django.core.files.uploadedfile import SimpleUploadedFile

from chatbot import backends, prompt
from chatbot.backends.base import ModelRefused, ModelUnavailable
from chatbot.commands import Command
from chatbot.models import Assistant
from patients.models import Account
from tests import factories
from workshop import gate, jobs, recipes, services, serving
from workshop.models import Dataset, Evaluation, FineTuneJob, ModelVersion

FAKE = Path(__file__).with_name("fake_run.py")
OWN = (
    ("any chance of a pressure check this week", "book_appointment", {"slot": "this week"}),
    ("how much is my bill at the moment", "balance", {}),
    ("are my specs in yet", "order_status", {"order": "specs"}),
    ("please call off my friday visit", "cancel_appointment", {"appointment": "friday visit"}),
)


@pytest.fixture(autouse=True)
def workplace(settings, tmp_path, monkeypatch) -> Path:
    """A var folder of the test's own, a base model in it, and trainings by a stand-in."""
    settings.VAR_DIR = tmp_path
    settings.MODELS_DIR = tmp_path / "models"
    settings.LLM_MODEL_PATH = str(tmp_path / "base.gguf")
    (tmp_path / "base.gguf").write_bytes(b"GGUF that ships with the project")
    monkeypatch.setenv("XDG_FAKE_BASE", settings.LLM_MODEL_PATH)
    monkeypatch.setattr(jobs, "LOOKS_EVERY_SECONDS", 0.02)
    written = _recipes(tmp_path / "recipes")
    monkeypatch.setattr(recipes, "folder", lambda: written)
    settings.FINE_TUNE_COMMAND = [sys.executable, str(FAKE), "trains"]
    return tmp_path


def _recipes(folder: Path) -> Path:
    folder.mkdir()
    (folder / "small.toml").write_text(
        'title = "Small"\nabout = "Learns your words."\n[fine_tune]\nepochs = 3\nlearning_rate = 2e-4\n'
    )
    (folder / "from-scratch.toml").write_text("seed = 1\n")
    (folder / "dialogues.toml").write_text(
        '[fine_tune]\nepochs = 1\nlearning_rate = 2e-4\ntakes = "dialogues"\n'
    )
    return folder


@pytest.fixture
def behave(settings) -> Callable[[str], None]:
    """Say how the next training goes."""

    def behave(how: str) -> None:
        settings.FINE_TUNE_COMMAND = [sys.executable, str(FAKE), how]

    return behave


@pytest.fixture
def assistant(db) -> Assistant:
    return Assistant.objects.get(is_default=True)


@pytest.fixture
def builder(practice) -> Account:
    """Somebody who builds models, and is no administrator."""
    return factories.AccountFactory(email="mo@example.com", is_staff=True)


@pytest.fixture
def dataset(db) -> Dataset:
    return services.upload(file=examples_file(), licence=Dataset.Licence.OWN, name="Our words")


@pytest.fixture
def job(assistant, dataset) -> FineTuneJob:
    return started(assistant, dataset)


def started(assistant: Assistant, dataset: Dataset, **changes: object) -> FineTuneJob:
    asked = {"recipe": "small", "epochs": 3, "learning_rate": 2e-4} | changes
    return jobs.start(assistant=assistant, dataset=dataset, **asked)


def examples_file(count: int = 24, name: str = "words.jsonl") -> SimpleUploadedFile:
    """Return an upload of labelled messages, no two alike."""
    lines = [json.dumps(_example(number)) for number in range(count)]
    return SimpleUploadedFile(name, "\n".join(lines).encode())


TAILS = ["kindly", "today", "again", "maybe", "soon", "quickly", "before lunch", "after work", "by then"]


def _example(number: int) -> dict[str, object]:
    text, command, arguments = OWN[number % len(OWN)]
    tail = " ".join(TAILS[(number * 5 + step * 7) % len(TAILS)] for step in range(3 + number % 4))
    return {"text": f"{text} {tail}", "commands": [{"name": command, "arguments": arguments}]}


@pytest.fixture
def host(monkeypatch) -> "FakeHost":
    """A model host that loads whatever it is asked for, and can be switched off."""
    host = FakeHost()
    monkeypatch.setattr(backends, "chat_backend", lambda: host)
    return host


class FakeHost:
    """Answers as the model host would: every message of the gate rightly, but for what a model `misses`."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.asked: list[str] = []
        self.is_down = False
        self.refuses = ""
        self.misses: dict[str, set[str]] = {}
        self.right = {prompt.normalise(case.turn.message): case for case in gate.cases()}

    def load(self, name: str) -> None:
        if self.is_down:
            raise ModelUnavailable("nobody there")
        if self.refuses:
            raise ModelRefused(self.refuses)
        self.loaded.append(name)

    def complete(self, messages: Sequence[Mapping[str, str]], *, model: str = "", **asked: object) -> str:
        if self.is_down:
            raise ModelUnavailable("nobody there")
        self.asked.append(model)
        case = self.right.get(messages[-1]["content"].rpartition("patient: ")[2])
        if case is None or case.kind in self.misses.get(model, ()):
            return prompt.answer([Command("thanks")])
        return prompt.answer(case.commands or [Command(name) for name in case.must or ("unclear",)])


def candidate(assistant: Assistant, **changes: object) -> ModelVersion:
    """Write a version whose file is there, as a training would leave it."""
    number = assistant.versions.count() + 1
    weights = f"GGUF adapter {number} of {assistant.slug}".encode()
    file = Path(portal.MODELS_DIR) / f"{assistant.slug}-{number}.gguf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(weights)
    base = Path(portal.LLM_MODEL_PATH)
    fields = {
        "number": number,
        "name": f"{assistant.slug}-{number}@{number:08d}",
        "kind": ModelVersion.Kind.ADAPTER,
        "file": str(file),
        "sha256": hashlib.sha256(weights).hexdigest(),
        "size_bytes": len(weights),
        "base_name": "base",
        "base_file": str(base),
        "base_sha256": hashlib.sha256(base.read_bytes()).hexdigest(),
        "prompt_style": "compact",
    }
    return ModelVersion.objects.create(assistant=assistant, **fields | changes)


def scored(version: ModelVersion, *, against: str = "", **figures: tuple[int, int]) -> ModelVersion:
    """Give a version figures as the gate would: `name=(right now, right before)` of a hundred each."""
    usual = dict.fromkeys(gate.LABELS, (90, 90)) | figures
    now = {name: gate.Figure(right, 100) for name, (right, _) in usual.items()}
    before = {name: gate.Figure(right, 100) for name, (_, right) in usual.items()}
    findings = gate.verdict(now, before)
    version.evaluation = Evaluation.objects.create(
        version=version,
        against=against or serving.model_of(version.assistant),
        figures={name: {"right": figure.right, "total": 100} for name, figure in now.items()},
        against_figures={name: {"right": figure.right, "total": 100} for name, figure in before.items()},
        findings=[finding.as_json() for finding in findings],
        is_passed=not any(finding.objection for finding in findings),
        gate_sha256=gate.fingerprint(),
    )
    version.state = ModelVersion.State.EVALUATED
    version.save()
    return version
