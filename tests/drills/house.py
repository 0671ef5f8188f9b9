"""A whole house on free ports, over a folder of its own: started, broken and cleared away by a drill."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
from django.conf import settings
from django.utils import timezone

from chatbot.models import ChatMessage
from eyecare import cast
from tests.servers import free_port

Found = TypeVar("Found")

STARTS_WITHIN = 120.0
STOPS_WITHIN = 15.0
COMES_BACK_WITHIN = 90.0
"""Seconds that a busy machine may take; nothing waits longer than it has to."""

KEEPER = ["-m", "eyecare.keep"]


def until(look: Callable[[], Found], what: str, seconds: float = COMES_BACK_WITHIN) -> Found:
    """Look again and again until there is something to see; TimeoutError names what never came."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.2)):
        if found := look():
            return found
        pause.wait(0.2)
    raise TimeoutError(f"after {seconds:.0f} s: {what}")


@dataclass
class House:
    """What `manage.py start` runs, and the ways in which it is broken here.

    Its processes are known by the VAR_DIR in their environment, whoever their parent has become.
    """

    folder: Path
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Settings that differ: a database or a queue that is a server."""

    def __post_init__(self) -> None:
        self.web, self.model, self.vectors = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.web}"
        self.database_url = self.environment["DATABASE_URL"]

    @property
    def environment(self) -> dict[str, str]:
        model = f"http://127.0.0.1:{self.model}/v1"
        return {
            **os.environ,
            "DEMO": "1",
            "VAR_DIR": str(self.folder),
            "DATABASE_URL": f"sqlite:///{self.folder / 'eyecare.sqlite3'}",
            "CELERY_BROKER_URL": "filesystem://localhost//",
            "CACHE_URL": "",
            "LLM_BASE_URL": model,
            "EMBEDDINGS_BASE_URL": model,
            "CHROMA_URL": f"http://127.0.0.1:{self.vectors}",
            **self.elsewhere,
        }

    def manage(self, *arguments: str) -> list[str]:
        return [sys.executable, "manage.py", *arguments]

    def start(self) -> None:
        """Start everything and wait until all of it answers."""
        self.log = (self.folder / "house.log").open("ab")
        self.roof = subprocess.Popen(
            self.manage("start", "--port", str(self.web)),
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        until(self.is_whole, "the house is whole", STARTS_WITHIN)

    def interrupt(self) -> int:
        """Press Ctrl-C as a terminal does, and return the exit code as a shell does."""
        os.killpg(self.roof.pid, signal.SIGINT)
        code = self.roof.wait(timeout=STOPS_WITHIN)
        return code if code >= 0 else 128 - code

    def clear_away(self) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.processes(), "nothing is left running")

    def run(self, script: str) -> str:
        """Run a few lines inside the house, where its database and its queue are; return what they print."""
        done = subprocess.run(
            self.manage("shell", "-v", "0", "-c", script),
            cwd=settings.BASE_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def said(self) -> str:
        """Return everything that the programs have printed."""
        return (self.folder / "house.log").read_text(errors="replace")

    def health(self) -> dict[str, str]:
        with suppress(httpx.TransportError):
            state: dict[str, str] = httpx.get(f"{self.url}/health/", timeout=10, trust_env=False).json()
            return state
        return {}

    def is_whole(self) -> bool:
        return self.health().get("status") == "ok"

    def processes(self) -> dict[int, list[str]]:
        """Return the command lines of this house's living processes, by their ids."""
        ours = f"VAR_DIR={self.folder}".encode()
        found: dict[int, list[str]] = {}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended, or it is somebody else's
                if ours in (process / "environ").read_bytes().split(b"\0"):
                    found[int(process.name)] = (process / "cmdline").read_text().split("\0")[:-1]
        return found

    def keeper(self, name: str) -> int:
        """Return the process that starts a program again: "runmodel", "runchroma", "worker", "beat"."""
        lines = self.processes().items()
        return next(pid for pid, line in lines if line[1:3] == KEEPER and name in line)

    def kept(self, name: str) -> int | None:
        """Return the program itself, or None while there is none."""
        keeper = self.keeper(name)
        return next((pid for pid in self.processes() if _parent(pid) == keeper), None)

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Kill -9 a program and keep it from coming back until the block ends; then it must."""
        keeper = self.keeper(name)
        killed = until(lambda: self.kept(name), f"{name} runs")
        os.kill(keeper, signal.SIGSTOP)
        try:
            os.kill(killed, signal.SIGKILL)
            yield
        finally:
            os.kill(keeper, signal.SIGCONT)
        until(lambda: self.kept(name) not in (None, killed), f"{name} was started again")

    def patient(self, role: str) -> "Visitor":
        """Return somebody of the cast who has signed in."""
        visitor = Visitor(self, role)
        visitor.sign_in()
        return visitor

    def stranger(self) -> "Visitor":
        """Return somebody who has opened the portal and not signed in."""
        visitor = Visitor(self, "stranger")
        visitor.browser.get("/chat/")
        return visitor


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


class Visitor:
    """A patient in front of the portal: pages, forms with their CSRF token, the chat."""

    def __init__(self, house: House, role: str) -> None:
        self.role = role
        self.browser = httpx.Client(
            base_url=house.url,
            follow_redirects=True,
            timeout=30,
            trust_env=False,
            headers={"Referer": house.url},
        )

    def sign_in(self) -> None:
        member = cast.MEMBERS[self.role]
        self.browser.get("/account/login/")
        page = self.post("/account/login/", login=member.email, password=cast.PASSWORD)
        assert page.url.path == "/", page.text

    def post(self, path: str, **fields: str) -> httpx.Response:
        token = self.browser.cookies.get("csrftoken", "")
        return self.browser.post(path, data=fields | {"csrfmiddlewaretoken": token})

    def pages(self) -> dict[str, int]:
        """Open every main page; return the status of each."""
        paths = ["/", "/appointments/", "/appointments/book/exam/", "/orders/", "/dues/", "/chat/"]
        return {path: self.browser.get(path).status_code for path in paths}

    def book(self) -> str:
        """Book the first free exam on the portal's pages; return the path of the visit."""
        answer = self.try_to_book()
        assert answer.status_code == 200, answer.text
        return str(answer.url.path)

    def try_to_book(self) -> httpx.Response:
        """Go through the booking pages; the answer is the visit's page, or whatever came instead."""
        times = self.browser.get("/appointments/book/exam/")
        slots = re.findall(r'name="slot" value="([^"]+)"', times.text)
        held = self.post("/appointments/book/exam/", slot=slots[0]) if slots else times
        key = re.search(r'name="key" value="([^"]+)"', held.text)
        return self.post(held.url.path, key=key[1], note="") if key else held

    def say(self, text: str) -> ChatMessage:
        """Write to the assistant without JavaScript; return its reply as it is stored."""
        asked_at = timezone.now()
        page = self.post("/chat/messages/", text=text)
        assert page.status_code == 200, page.text
        replies = ChatMessage.objects.using("house").filter(
            author=ChatMessage.Author.ASSISTANT,
            conversation__account__email=cast.MEMBERS[self.role].email,
            created_at__gte=asked_at,
        )
        return replies.latest("id")
