"""Tells how far a run is: a bar on the terminal, a line in progress.jsonl, a figure for the tracker.

It is also where a run learns that it was asked to stop.
"""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Protocol

from tqdm import tqdm

FILE = "progress.jsonl"

EVERY_SECONDS = 1.0
"""A step's lines are at least so far apart; its last one is always written."""


class Cancelled(Exception):
    """Somebody asked the run to stop. What was reached is kept, and the same command goes on."""


class Progress(Protocol):
    def report(self, step: str, done: int, total: int, loss: float | None = None, note: str = "") -> None:
        """Say that `done` of `total` parts of a step are done."""

    def stop_if_cancelled(self) -> None:
        """Raise Cancelled when the run was asked to stop."""


class Silent:
    """Progress that nobody looks at."""

    def report(self, step: str, done: int, total: int, loss: float | None = None, note: str = "") -> None:
        return

    def stop_if_cancelled(self) -> None:
        return


class Figures(Protocol):
    """Who keeps the curves of a run (`finetune.tracking`)."""

    def log(self, step: int, figures: dict[str, float]) -> None: ...


@dataclass
class Journal:
    """Progress of the run in one folder."""

    folder: Path
    figures: Figures | None = None
    _cancelled: bool = False
    _bar: tqdm | None = None
    _step: str = ""
    _written: float = field(default=0.0)

    def report(self, step: str, done: int, total: int, loss: float | None = None, note: str = "") -> None:
        if loss is not None and self.figures:
            self.figures.log(done, {f"{step}/loss": loss})
        self._show(step, done, total, loss)
        now = time.monotonic()
        if step == self._step and done < total and not note and now - self._written < EVERY_SECONDS:
            return
        self._step, self._written = step, now
        figures = {} if loss is None else {"loss": round(loss, 5)}
        self._write({"step": step, "done": done, "total": total, **figures, "note": note})

    def fail(self, error: str, hint: str = "") -> None:
        """Write why the run ends without a result: one sentence, and what would help."""
        print(error, hint, file=sys.stderr)
        with suppress(OSError):  # on a full disk the log is all there is
            self._write({"step": self._step or "data", "error": error, "hint": hint})

    def stop_if_cancelled(self) -> None:
        if self._cancelled:
            raise Cancelled

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as a wish to stop at the next good moment."""
        wishes = (signal.SIGTERM, signal.SIGINT)
        before = {wish: signal.signal(wish, self._cancel) for wish in wishes}
        try:
            yield
        finally:
            for wish, answer in before.items():
                signal.signal(wish, answer)
            self._close()

    def _cancel(self, wish: int, frame: FrameType | None) -> None:
        self._cancelled = True

    def _write(self, line: dict[str, object]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / FILE).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **line}) + "\n")

    def _show(self, step: str, done: int, total: int, loss: float | None) -> None:
        if self._bar is None or self._bar.desc != f"{step}: ":
            self._close()
            self._bar = tqdm(total=total, desc=step, initial=done, mininterval=5, dynamic_ncols=True)
        self._bar.update(done - self._bar.n)
        if loss is not None:
            self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
