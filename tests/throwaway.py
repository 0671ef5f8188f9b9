"""Runs the suite on SQLite, then on a PostgreSQL and Redis made for the occasion and thrown away.

`python -m tests.throwaway [pytest arguments]`. Where a server's programs are not installed, one
line says so and its part is left out.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "auto"]


def main(arguments: list[str]) -> int:
    print("── The suite on SQLite", flush=True)
    on_sqlite = _pytest([*arguments], {})
    with ExitStack() as servers:
        elsewhere: dict[str, str] = {}
        if programs := _postgres_programs():
            elsewhere["DATABASE_URL"] = servers.enter_context(_postgres(programs))
        else:
            print("── PostgreSQL is not installed: the suite on it, races included, is SKIPPED", flush=True)
        if redis := shutil.which("redis-server"):
            elsewhere["TEST_REDIS_URL"] = servers.enter_context(_redis(redis))
        else:
            print("── Redis is not installed: the tests on it are SKIPPED", flush=True)
        if not elsewhere:
            return on_sqlite
        print(f"── The suite on {' and '.join(elsewhere)}", flush=True)
        only = [] if "DATABASE_URL" in elsewhere else ["-m", "redis"]
        return on_sqlite or _pytest([*only, *arguments], elsewhere)


def _pytest(arguments: list[str], servers: dict[str, str]) -> int:
    marks = [] if "-m" in arguments else ["-m", "not browser and not drill"]
    return subprocess.call([*PYTEST, *marks, *arguments], env=os.environ | servers)


def _postgres_programs() -> Path | None:
    """Return the folder of initdb and pg_ctl, the newest where there are several."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return folders[-1] if folders else None


@contextmanager
def _postgres(programs: Path) -> Iterator[str]:
    """Yield the URL of a new cluster; PostgreSQL refuses to run as root, so then it runs as another."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="eyecare-pg-") as folder:
        user = _unprivileged_user() if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user)
        cluster = f"{folder}/cluster"
        options = f"-p {port} -k {folder} -c fsync=off -c listen_addresses=127.0.0.1 -c max_connections=120"
        quiet = {"stdout": subprocess.DEVNULL, "user": user, "cwd": folder, "check": True}
        subprocess.run(
            [
                programs / "initdb",
                "-D",
                cluster,
                "-A",
                "trust",
                "-U",
                "eyecare",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ],
            **quiet,
        )
        subprocess.run(
            [programs / "pg_ctl", "-D", cluster, "-l", f"{folder}/log", "-w", "-o", options, "start"], **quiet
        )
        try:
            yield f"postgres://eyecare@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([programs / "pg_ctl", "-D", cluster, "-m", "immediate", "stop"], **quiet)


def _unprivileged_user() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise SystemExit("PostgreSQL cannot run as root and there is no other user to run it as.")


@contextmanager
def _redis(program: str) -> Iterator[str]:
    port = _free_port()
    server = subprocess.Popen([program, "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
