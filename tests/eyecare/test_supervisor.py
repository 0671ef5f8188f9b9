"""The programs start together, a dead one comes back, a taken port is named."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from eyecare import supervisor


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_found(taken_port: int) -> None:
    web, *_ = supervisor.programs("127.0.0.1", taken_port)
    assert supervisor.taken_ports([web]) == [web]


def test_start_names_the_taken_port_and_touches_nothing(taken_port: int) -> None:
    with pytest.raises(CommandError, match=f"{taken_port} \\(web\\)"):
        call_command("start", port=taken_port)


def test_only_the_web_server_ends_the_house() -> None:
    essential = [program.name for program in supervisor.programs("127.0.0.1", 8000) if program.essential]
    assert essential == ["web"]


def test_the_clock_of_the_jobs_is_no_child_of_the_worker_that_may_be_killed() -> None:
    jobs = {program.name: program.command for program in supervisor.programs("127.0.0.1", 8000)}
    assert "beat" in jobs["beat"]
    assert "--beat" not in jobs["worker"]


def test_a_program_that_dies_is_started_again_and_stops_when_told(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    script = (
        f"open({str(starts)!r}, 'a').write('x'); print('up', flush=True); import time; time.sleep({{pause}})"
    )
    program = (
        f"import os\nif os.path.exists({str(starts)!r}):\n    exec({script.format(pause=60)!r})\n"
        f"else:\n    exec({script.format(pause=0)!r})"
    )
    keeper = subprocess.Popen(
        [sys.executable, "-m", "eyecare.keep", sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"DEMO": "1"},
    )
    assert keeper.stdout is not None
    lines = [keeper.stdout.readline().strip() for _ in range(3)]
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(timeout=10) == 0
    assert lines[0] == lines[2] == "up"
    assert starts.read_text() == "xx"
