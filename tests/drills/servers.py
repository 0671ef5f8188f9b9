"""A PostgreSQL and a Redis of a drill's own, to be killed and started again."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import redis

from tests.drills.house import free_port, until
from tests.throwaway import _postgres_programs, _unprivileged_user


class Postgres:
    """A cluster in a folder; PostgreSQL refuses to run as root, so then it runs as another user."""

    programs = _postgres_programs()

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.user = _unprivileged_user() if os.geteuid() == 0 else None
        if self.user:
            folder.chmod(0o700)
            shutil.chown(folder, self.user)
        self.url = f"postgres://eyecare@127.0.0.1:{self.port}/postgres"
        self._call("initdb", "-A", "trust", "-U", "eyecare", "-E", "UTF8", "--locale=C.UTF-8")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self._call("pg_ctl", "-l", f"{self.folder}/log", "-w", "-o", options, "start")

    def crash(self) -> None:
        """Stop at once, as if the power had gone."""
        self._call("pg_ctl", "-m", "immediate", "stop")

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [f"{self.programs}/{program}", "-D", f"{self.folder}/cluster", *arguments],
            stdout=subprocess.DEVNULL,
            user=self.user,
            cwd=self.folder,
            check=True,
        )


class Redis:
    """A server that keeps nothing on disk: started again it is empty."""

    program = shutil.which("redis-server")

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        options = ["--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.server = subprocess.Popen([str(self.program), *options], stdout=subprocess.DEVNULL)
        until(self.answers, "Redis answers")

    def answers(self) -> bool:
        try:
            return bool(redis.Redis.from_url(self.url).ping())
        except redis.ConnectionError:
            return False

    def crash(self) -> None:
        self.server.send_signal(signal.SIGKILL)
        self.server.wait(timeout=10)
