"""Brings a model onto the shelf: checked against its hash, tried out in another process, then loaded."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from chatbot.modelhost import catalogue, probe
from chatbot.modelhost.answers import ModelMissing, ModelUnusable
from chatbot.modelhost.catalogue import Entry
from chatbot.modelhost.shelf import Shelf

ROOM_SECONDS = 60.0
"""How long loading waits for answers to end before it is refused for want of memory."""

Result = TypeVar("Result")
Post = Callable[[Callable[[], None]], None]
"""Has the decoding thread call something between two steps."""


class Loader:
    """Works in a thread of its own; whatever touches the shelf is done by the decoding thread."""

    def __init__(self, shelf: Shelf, post: Post) -> None:
        self.shelf = shelf
        self._post = post

    def load_default(self, path: Path, name: str, context_tokens: int) -> Entry:
        """Load the model of the settings, whatever its hash and size; raises as `load` does."""
        if not path.is_file():
            raise ModelMissing(f"There is no model file at {path}.")
        entry = catalogue.describe(name, base=path, context_tokens=context_tokens)
        self._load_base(entry)
        return entry

    def load(self, entry: Entry) -> None:
        """Load what is missing of the entry. Raises ModelMissing or ModelUnusable."""
        _check(entry.base, entry.base_sha256)
        if entry.adapter:
            _check(entry.adapter, str(entry.adapter_sha256))
        needs = probe.try_out(Path(entry.base), Path(entry.adapter) if entry.adapter else None)
        if entry.base_sha256 not in self.shelf.bases:
            cells = self.shelf.limits.cells(entry.context_tokens)
            self._make_room(entry, needs.weights_bytes + cells * needs.cell_bytes)
            self._load_base(entry)
        if entry.adapter and self.shelf.find(entry) is None:
            self._make_room(entry, Path(entry.adapter).stat().st_size)
            self._decoder(lambda: self.shelf.put_adapter(entry))

    def _load_base(self, entry: Entry) -> None:
        batch = self.shelf.build(Path(entry.base), entry.context_tokens)
        self._decoder(lambda: self.shelf.put(entry.base_sha256, batch))

    def _make_room(self, entry: Entry, size_bytes: int) -> None:
        """Wait until so much memory is free; raises ModelUnusable where it will not be."""
        limit = self.shelf.limits.memory_bytes
        refusal = f"{entry.name} needs {size_bytes // 10**6} MB; all models may take {limit // 10**6} MB."
        if size_bytes > limit:
            raise ModelUnusable(refusal)
        until, pause = time.monotonic() + ROOM_SECONDS, threading.Event()
        while not self._decoder(lambda: self.shelf.make_room(size_bytes, spared=entry.base_sha256)):
            if time.monotonic() > until or not self.shelf.running():
                raise ModelUnusable(f"{refusal} The others are in use.")
            pause.wait(0.05)

    def _decoder(self, work: Callable[[], Result]) -> Result:
        """Have the decoding thread do something, and return what came of it."""
        done: Future[Result] = Future()

        def do() -> None:
            try:
                done.set_result(work())
            except Exception as problem:  # noqa: BLE001 - raised again in the loading thread
                done.set_exception(problem)

        self._post(do)
        return done.result()


def _check(path: str, sha256: str) -> None:
    """Raise ModelMissing or ModelUnusable unless the file is the one that was listed."""
    if not Path(path).is_file():
        raise ModelMissing(f"There is no model file at {path}.")
    if catalogue.sha256(Path(path)) != sha256:
        raise ModelUnusable(f"{Path(path).name} is not the file that was listed: its SHA-256 differs.")
