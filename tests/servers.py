"""A PostgreSQL and a Redis of the tests' own: made for the occasion, killed at will, thrown away."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


class Postgres:
    """A cluster in a folder; PostgreSQL refuses to run as root, so then it runs as another user."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.user = _unprivileged_user() if os.geteuid() == 0 else None
        if self.user:
            folder.chmod(0o700)
            shutil.chown(folder, self.user)
        self.url = f"postgres://eyecare@127.0.0.1:{self.port}/postgres"
        self._call("initdb", "-A", "trust", "-U", "eyecare", "-E", "UTF8", "--locale=C.UTF-8")

    @staticmethod
    def programs() -> Path | None:
        """Return the folder of initdb and pg_ctl, the newest where there are several; None: not installed."""
        if found := shutil.which("initdb"):
            return Path(found).resolve().parent
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        return folders[-1] if folders else None

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=120"
        self._call("pg_ctl", "-l", f"{self.folder}/log", "-w", "-o", options, "start")

    def crash(self) -> None:
        """Stop at once, as if the power had gone."""
        self._call("pg_ctl", "-m", "immediate", "stop")

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [f"{self.programs()}/{program}", "-D", f"{self.folder}/cluster", *arguments],
            stdout=subprocess.DEVNULL,
            user=self.user,
            cwd=self.folder,
            check=True,
        )


class Redis:
    """A server that keeps nothing on disk: started again it is empty."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"

    @staticmethod
    def program() -> str | None:
        return shutil.which("redis-server")

    def start(self) -> None:
        options = ["--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.server = subprocess.Popen([str(self.program()), *options], stdout=subprocess.DEVNULL)
        give_up_at = time.monotonic() + 10
        while not listens(self.port):
            if time.monotonic() > give_up_at:
                raise TimeoutError("Redis does not answer")

    def crash(self) -> None:
        self.server.send_signal(signal.SIGKILL)
        self.server.wait(timeout=10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _unprivileged_user() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise SystemExit("PostgreSQL cannot run as root and there is no other user to run it as.")
