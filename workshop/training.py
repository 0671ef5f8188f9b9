"""The training program as a process of its own: started once in a folder, watched through its files.

A training must neither slow down nor take down the worker that started it, and must not outlive its
being cancelled. Who works in a folder holds its lock: the file descriptor is handed down to the
program, so the lock stands exactly as long as the program does, also when its worker was killed.
"""

import errno
import fcntl
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings

REFUSED, CANCELLED = 2, 130
"""Exit codes of the program: it cannot do this; it was told to stop and can go on later."""

FULL = {errno.ENOSPC, errno.EDQUOT}

GRACE_SECONDS = 45.0
"""How long a program may take to write its checkpoint after it was told to stop."""

MOST_STEPS = 2**31 - 1

KEPT = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "USER"}
KEPT_PREFIXES = ("CUDA", "HF_", "MKL_", "NVIDIA_", "OMP_", "PYTHON", "TORCH", "WANDB_", "XDG_")
"""Of the worker's environment: the training needs no database and no key of a payment service."""


class StillAtWork(Exception):
    """Another program works in this folder and does not stop."""


@dataclass(frozen=True)
class Sign:
    """One line of what the program says about itself."""

    step: str = ""
    done: int = 0
    total: int = 0
    loss: float | None = None
    note: str = ""
    error: str = ""
    hint: str = ""


class Training:
    """A running program; `listen` and `wait` are called again and again."""

    progress: Sign | None = None
    """How far it said it was, last."""

    complaint: Sign | None = None
    """Why it said it could not go on."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], since: int) -> None:
        self.folder, self.process = folder, process
        self._since = since

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self, seconds: float) -> int | None:
        """Return its exit code as soon as it has ended; None when it works on after so long."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def listen(self) -> None:
        """Take in what it said since the last time."""
        for line in _whole_lines(_said(self.folder, self._since)):
            self._since += len(line)
            sign = _read(line)
            if sign and sign.error:
                self.complaint = sign
            elif sign and sign.step:
                self.progress = sign

    def tell_to_stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def end(self) -> int:
        """Stop it, by force if it takes too long; return its exit code."""
        self.tell_to_stop()
        try:
            return self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def last_words(self) -> str:
        """Return the last line that it wrote to its log."""
        log = self.folder / "run.log"
        with log.open("rb") as lines:
            lines.seek(max(0, log.stat().st_size - 4_000))
            tail = lines.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(tail) if line.strip()), "")


def start(arguments: Sequence[str], folder: Path, *, left_by: int | None = None) -> Training:
    """Start the program in a folder. `left_by` is the process that a dead worker may have left there.

    Raises StillAtWork when that one cannot be stopped, and OSError when the disk will not take a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock, (folder / "run.log").open("ab") as log:
        _take(lock, left_by)
        since = _size(folder / "progress.jsonl")
        process = subprocess.Popen(  # noqa: S603 - our own command line; every value in it was checked
            [*_nicely(), *command(), *arguments],
            cwd=settings.BASE_DIR,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock.fileno()],
        )
    return Training(folder, process, since)


def command() -> list[str]:
    return list(getattr(settings, "FINE_TUNE_COMMAND", None) or [sys.executable, "-m", "finetune", "run"])


def end_what_was_left(folder: Path, pid: int | None) -> None:
    """Stop the program that a dead worker left in a folder of this machine, if there is one."""
    if (folder / "lock").exists():
        with (folder / "lock").open("w") as lock:
            _take(lock, pid)


def _take(lock: IO[str], left_by: int | None) -> None:
    """Lock the folder; whoever holds it is stopped first: the lock proves that the process is still ours."""
    for number, wait in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 5.0)):
        if _locked(lock):
            return
        if left_by:
            _signal(left_by, number)
        give_up_at = time.monotonic() + (wait if left_by else 0)
        while time.monotonic() < give_up_at:
            if _locked(lock):
                return
            time.sleep(0.1)
    raise StillAtWork


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _nicely() -> list[str]:
    """Return what lets the portal go before the training, where the system has it."""
    nice = shutil.which("nice")
    return [nice, "-n", "10"] if nice else []


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _is_kept(name: str) -> bool:
    return name in KEPT or name.startswith(KEPT_PREFIXES)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _said(folder: Path, since: int) -> bytes:
    path = folder / "progress.jsonl"
    if _size(path) <= since:
        return b""
    with path.open("rb") as lines:
        lines.seek(since)
        return lines.read()


def _whole_lines(said: bytes) -> Iterator[bytes]:
    """Yield the lines that are written to their end; the rest is read next time."""
    yield from (line for line in said.splitlines(keepends=True) if line.endswith(b"\n"))


def _read(line: bytes) -> Sign | None:
    """Return what a line says; None for one that is not of the protocol, such as half of one."""
    try:
        fields = json.loads(line)
        return _sign(fields)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _sign(fields: dict[str, Any]) -> Sign:
    return Sign(
        step=str(fields.get("step") or "")[:20],
        done=_count(fields.get("done")),
        total=_count(fields.get("total")),
        loss=_loss(fields.get("loss")),
        note=str(fields.get("note") or "")[:200],
        error=str(fields.get("error") or "")[:300],
        hint=str(fields.get("hint") or "")[:300],
    )


def _count(number: Any) -> int:
    return min(max(0, int(number or 0)), MOST_STEPS)


def _loss(number: Any) -> float | None:
    """Return a loss that can be shown; a training that went astray says NaN."""
    return None if number is None or not math.isfinite(number) else float(number)
