"""The queue of files hands every message on once and whole, even when its folder is wiped."""

import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from kombu import Connection, Queue

from eyecare import celery  # noqa: F401 - the transport is known from there on

WORK = Queue("work", routing_key="work")
"""Reached by its name alone, as Celery's are: that needs no table of exchanges."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "queue"


def connect(folder: Path) -> Connection:
    places = {f"data_folder_{way}": str(folder / "messages") for way in ("in", "out")}
    return Connection("filesystem://", transport_options=places | {"control_folder": str(folder / "control")})


def test_messages_come_out_in_order_and_leave_nothing_behind(folder: Path) -> None:
    with connect(folder) as queue, queue.SimpleQueue(WORK) as work:
        for number in range(5):
            work.put(number)
        taken = [work.get(timeout=5) for _ in range(5)]
        for message in taken:
            message.ack()
    assert [message.payload for message in taken] == [0, 1, 2, 3, 4]
    assert list((folder / "messages").iterdir()) == []


def test_a_wiped_folder_is_made_again(folder: Path) -> None:
    with connect(folder) as queue, queue.SimpleQueue(WORK) as work:
        work.put("lost")
        shutil.rmtree(folder)
        with pytest.raises(work.Empty):
            work.get_nowait()
        shutil.rmtree(folder)
        work.put("found")
        assert work.get(timeout=5).payload == "found"


def test_two_readers_beside_two_writers_get_every_message_whole_and_once(folder: Path) -> None:
    got: list[int] = []
    ends_at = time.monotonic() + 30

    def write(numbers: range) -> None:
        with connect(folder) as queue, queue.SimpleQueue(WORK) as work:
            for number in numbers:
                work.put(number)

    def read() -> None:
        with connect(folder) as queue, queue.SimpleQueue(WORK) as work:
            while len(got) < 200 and time.monotonic() < ends_at:
                with suppress(work.Empty):
                    message = work.get(timeout=0.2)
                    message.ack()
                    got.append(message.payload)

    threads = [threading.Thread(target=write, args=[range(start, start + 100)]) for start in (0, 100)]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(200))
