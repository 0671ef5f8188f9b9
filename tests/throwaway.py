"""Runs the suite on SQLite, then on a PostgreSQL and Redis made for the occasion and thrown away.

`python -m tests.throwaway [pytest arguments]`. Where a server's programs are not installed, one
line says so and its part is left out. With arguments, only what they name is run.
"""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import Postgres, Redis

PYTEST = [sys.executable, "-m", "pytest", "-q"]


def main(arguments: list[str]) -> int:
    print("── The suite on SQLite", flush=True)
    failed = _suite(arguments, {})
    with ExitStack() as until_the_end:
        servers = _servers(until_the_end)
        if failed or not servers:
            return failed
        print(f"── The suite with {' and '.join(servers)}", flush=True)
        if "DATABASE_URL" not in servers:
            return _pytest(["-m", "redis", *arguments], servers)
        return _suite(arguments, servers)


def _suite(arguments: list[str], servers: dict[str, str]) -> int:
    """Run the suite on all cores, then the drills one by one: they need the machine for themselves."""
    if arguments:
        return _pytest(arguments, servers)
    return _pytest(["-n", "auto", "-m", "not browser and not drill"], servers) or _pytest(
        ["-m", "drill", "tests/drills"], servers
    )


def _pytest(arguments: list[str], servers: dict[str, str]) -> int:
    return subprocess.call([*PYTEST, *arguments], env=os.environ | servers)


def _servers(until_the_end: ExitStack) -> dict[str, str]:
    """Start what is installed; return the environment that leads the suite there."""
    addresses = {}
    if Postgres.programs():
        folder = until_the_end.enter_context(TemporaryDirectory(prefix="eyecare-pg-"))
        postgres = Postgres(Path(folder))
        postgres.start()
        until_the_end.callback(postgres.crash)
        addresses["DATABASE_URL"] = postgres.url
    else:
        print("── PostgreSQL is not installed: the suite on it, races included, is SKIPPED", flush=True)
    if Redis.program():
        redis = Redis()
        redis.start()
        until_the_end.callback(redis.crash)
        addresses["TEST_REDIS_URL"] = redis.url
    else:
        print("── Redis is not installed: the tests on it are SKIPPED", flush=True)
    return addresses


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
