"""What the factory asks of the model host: have a model ready, and hear how it would answer."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

from django.conf import settings

from chatbot import assistants, backends, engines
from chatbot.backends.base import ModelRefused, ModelUnavailable
from chatbot.modelhost import catalogue
from chatbot.models import Assistant
from workshop import gate
from workshop.models import ModelVersion
from workshop.refusals import BadModel, HostRefused, HostUnreachable, NoRoom

PATIENCE_SECONDS = 60.0
"""How long one answer may take while models are compared: the machine may be busy, which is no fault."""


def model_of(assistant: Assistant) -> str:
    """Return the name that the host knows the assistant's model by."""
    return assistant.model_name or settings.LLM_MODEL


def style_of(assistant: Assistant) -> str:
    return assistant.prompt_style or settings.LLM_PROMPT_STYLE


def make_ready(version: ModelVersion) -> None:
    """List a version for the host and have it loaded; returns when it can answer.

    Raises HostRefused when its files cannot serve, HostUnreachable when nobody is there to load them.
    """
    _list(version)
    load(version.name)


def load(name: str) -> None:
    """Have the host load a model that it knows; raises HostRefused, HostUnreachable."""
    try:
        backends.chat_backend().load(name)
    except ModelRefused as error:
        raise HostRefused(f"The model host cannot serve {name}: {error}") from error
    except ModelUnavailable as error:
        raise HostUnreachable("The model host cannot be reached. Nothing was changed.") from error


def hear(
    assistant: Assistant,
    held_against: Sequence[gate.Case],
    model_name: str,
    prompt_style: str,
    *,
    beat: Callable[[], object],
) -> gate.Score:
    """Score a model as this assistant would be with it; nobody's assistant is changed.

    Raises HostUnreachable when it does not answer.
    """
    heard_as = assistants.as_if(assistant, model_name=model_name, prompt_style=prompt_style)
    ask = partial(
        engines.understand,
        tools=assistants.toolbox(heard_as).outlines(),
        engine="model",
        assistant=heard_as,
        deadline_seconds=PATIENCE_SECONDS,
    )
    try:
        return gate.score(ask, held_against, beat=beat)
    except gate.Unanswered as silence:
        raise HostUnreachable(f"{model_name}: {silence} There are no figures.") from silence


@dataclass
class Shelved:
    """A file of weights where the host finds them, until it has a lasting name under one of the moment."""

    file: Path
    is_ours: bool

    def named(self, name: str) -> Path:
        """Give it its lasting name; one that lay there before keeps its own."""
        if self.is_ours:
            self.file, self.is_ours = self.file.rename(self.file.with_name(f"{name}.gguf")), False
        return self.file


@contextmanager
def shelved(weights: Path) -> Iterator[Shelved]:
    """Bring weights to the models' folder; they are removed again if they get no name. Raises NoRoom."""
    shelf = Path(settings.MODELS_DIR)
    if weights.resolve().is_relative_to(shelf.resolve()):
        yield Shelved(weights.resolve(), is_ours=False)
        return
    brought = Shelved(shelf / f".{uuid4()}.gguf", is_ours=True)
    try:
        _bring(weights, brought.file)
        yield brought
    finally:
        if brought.is_ours:
            brought.file.unlink(missing_ok=True)


def _bring(weights: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _link_or_copy(weights, target)
    except OSError as error:
        raise NoRoom("The model could not be kept: the disk is full.") from error


def _link_or_copy(weights: Path, target: Path) -> None:
    try:
        os.link(weights, target)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(weights, target)


def _list(version: ModelVersion) -> None:
    is_adapter = version.kind == ModelVersion.Kind.ADAPTER
    try:
        entry = catalogue.describe(
            version.name,
            base=Path(version.base_file if is_adapter else version.file),
            adapter=Path(version.file) if is_adapter else None,
            context_tokens=version.context_tokens,
            prompt_style=version.prompt_style,
        )
        _check(entry, version)
        catalogue.write(Path(settings.MODELS_DIR), entry)
    except (catalogue.EntryRefused, OSError) as error:
        raise HostRefused(f"{version.name} cannot be listed for the model host: {error}") from error


def _check(entry: catalogue.Entry, version: ModelVersion) -> None:
    """Refuse files that are no longer those that were trained."""
    is_adapter = version.kind == ModelVersion.Kind.ADAPTER
    found = entry.adapter_sha256 if is_adapter else entry.base_sha256
    if found != version.sha256 or (is_adapter and entry.base_sha256 != version.base_sha256):
        raise BadModel(f"The files of {version.name} are not those that were trained: a checksum differs.")
