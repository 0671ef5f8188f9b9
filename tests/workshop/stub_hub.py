"""A model hub on this machine: a repository's description, a file's head, the file from any byte on."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass
class StubHub:
    """What the hub holds, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    stated: dict[str, str] = field(default_factory=dict)
    """Checksums that are stated instead of the true ones."""
    breaks_after: int = 0
    """The byte of a file at which every download breaks off; 0 never does."""
    gated: bool = False
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Range of every request."""
    url: str = ""

    def sha256(self, name: str) -> str:
        return self.stated.get(name, hashlib.sha256(self.files[name]).hexdigest())

    def description(self) -> dict[str, object]:
        siblings = [
            {
                "rfilename": name,
                "size": len(content),
                "blobId": "0" * 40,
                "lfs": {"sha256": self.sha256(name), "size": len(content), "pointerSize": 134},
            }
            for name, content in self.files.items()
        ]
        siblings.append({"rfilename": "README.md", "size": 12, "blobId": "1" * 40})
        return {"id": "eyes/small", "sha": COMMIT, "siblings": siblings}


class _Answer(http.server.BaseHTTPRequestHandler):
    server: "_Server"

    def log_message(self, *args: object) -> None:
        """Keep the tests' output clean."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        stub = self.server.stub
        path = unquote(urlsplit(self.path).path)
        stub.asked.append((self.command, path, self.headers.get("Range", "")))
        if stub.gated:
            return self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
        if path.startswith("/api/models/eyes/small"):
            return self._send(200, json.dumps(stub.description()).encode(), {})
        name = path.removeprefix(f"/eyes/small/resolve/{COMMIT}/")
        if name not in stub.files:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        return self._send_file(name, with_body=with_body)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for header, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _send_file(self, name: str, *, with_body: bool) -> None:
        stub = self.server.stub
        wanted = self.headers.get("Range", "").removeprefix("bytes=").rstrip("-")
        start = int(wanted or 0)
        rest = stub.files[name][start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", f'"{stub.sha256(name)}"')
        self.send_header("X-Linked-Size", str(len(stub.files[name])))
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if with_body:
            self.wfile.write(rest[: max(stub.breaks_after - start, 0)] if stub.breaks_after else rest)
            self.close_connection = True


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self, stub: StubHub) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.stub = stub


@contextmanager
def running(stub: StubHub) -> Iterator[StubHub]:
    """Have a hub answer at its `url` for a while."""
    server = _Server(stub)
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
