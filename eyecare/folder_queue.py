# mypy: disable-error-code="no-untyped-call, override"
"""A queue of files that survives being written, read and wiped at the same moment.

Kombu's own puts a message down in two steps, and a worker that looks in between finds it empty and
ends; and it needs somebody to make its folders. Here a message appears whole, under its final name,
and a folder is made wherever it is missing.
"""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.transport.filesystem import LOCK_EX, lock
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    @property
    def data_folder_in(self) -> str:
        return _made(self.transport_options["data_folder_in"])

    @property
    def data_folder_out(self) -> str:
        return _made(self.transport_options["data_folder_out"])

    @property
    def control_folder(self) -> Path:
        return Path(_made(self.transport_options["control_folder"]))

    def get_table(self, exchange: str) -> Any:
        with self._alone():
            return super().get_table(exchange)

    def _queue_bind(self, *binding: str) -> None:
        with self._alone():
            super()._queue_bind(*binding)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time read or write which queues there are."""
        with (self.control_folder / "lock").open("w") as door:
            lock(door, LOCK_EX)
            yield

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        final = Path(self.data_folder_out, f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg")
        unfinished = final.with_suffix(".part")
        unfinished.write_text(dumps(payload))
        unfinished.rename(final)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for name in sorted(os.listdir(self.data_folder_in)):
            if name.partition(".")[2] == f"{queue}.msg" and (message := self._take(name)):
                return message
        raise Empty

    def _take(self, name: str) -> Any:
        """Return a message and remove it; None where another worker was quicker."""
        waiting = Path(self.data_folder_in, name)
        taken = waiting.with_suffix(".taken")
        try:
            waiting.rename(taken)
            message = loads(taken.read_text())
            taken.unlink()
        except FileNotFoundError:
            return None
        return message


class Transport(filesystem.Transport):
    Channel = Channel


def _made(folder: str) -> str:
    os.makedirs(folder, exist_ok=True)
    return folder
