"""A model comes from a hub whole, once, and as the hub names it; a hub on this machine stands in."""

import hashlib
import http.server
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from workshop import hub

CONTENT = bytes(range(256)) * 47_000
PIECE = 10 * 1024 * 1024
"""Bytes that the library writes at a time."""

SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "c0ffee" + "0" * 34


@dataclass
class StubHub:
    """Answers as a hub does: a repository's description, a file's head, the file from any byte on."""

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


@pytest.fixture
def stub(monkeypatch):
    stub = StubHub({"small-Q4_K_M.gguf": CONTENT})
    server = _Server(stub)
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", stub.url)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield stub
    server.shutdown()
    server.server_close()


@pytest.fixture
def impatient(monkeypatch):
    """A download that breaks off is not tried again by the library: the next command goes on."""
    fetch = hub.http_get
    monkeypatch.setattr(hub, "http_get", lambda *args, **options: fetch(*args, **options, _nb_retries=0))


def test_a_file_comes_whole_with_the_checksum_the_hub_states(stub, tmp_path):
    [offered] = hub.ggufs("eyes/small")
    assert (offered.path, offered.size_bytes, offered.sha256, offered.revision) == (
        "small-Q4_K_M.gguf",
        len(CONTENT),
        SHA256,
        COMMIT,
    )
    path = hub.fetch(offered, tmp_path)
    assert path == tmp_path / "small-Q4_K_M.gguf"
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_here_is_not_fetched_again(stub, tmp_path):
    [offered] = hub.ggufs("eyes/small")
    hub.fetch(offered, tmp_path)
    stub.asked.clear()
    hub.fetch(offered, tmp_path)
    assert stub.asked == []


def test_a_download_that_broke_off_goes_on_where_it_stopped(stub, tmp_path, impatient):
    [offered] = hub.ggufs("eyes/small")
    stub.breaks_after = PIECE + 1000
    with pytest.raises(hub.HubRefused, match="goes on from there"):
        hub.fetch(offered, tmp_path)
    [part] = tmp_path.iterdir()
    assert part.stat().st_size == PIECE
    stub.breaks_after = 0
    assert hub.fetch(offered, tmp_path).read_bytes() == CONTENT
    assert stub.asked[-1][2] == f"bytes={PIECE}-"


def test_a_file_with_another_checksum_is_thrown_away(stub, tmp_path):
    stub.stated["small-Q4_K_M.gguf"] = "a" * 64
    [offered] = hub.ggufs("eyes/small")
    with pytest.raises(hub.HubRefused, match="its checksum differs"):
        hub.fetch(offered, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_parts_of_a_file_and_files_without_checksum_are_not_offered(stub):
    stub.files["big-00001-of-00002.gguf"] = b"part"
    assert [file.path for file in hub.ggufs("eyes/small")] == ["small-Q4_K_M.gguf"]


def test_a_disk_without_room_is_told_before_anything_is_fetched(stub, tmp_path, monkeypatch):
    [offered] = hub.ggufs("eyes/small")
    full = hub.os.statvfs_result((4096, 4096, 100, 10, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr(hub.os, "statvfs", lambda path: full)
    with pytest.raises(hub.HubRefused, match=r"needs 0\.0 GB more on the disk"):
        hub.fetch(offered, tmp_path)
    assert all(method != "GET" or "resolve" not in path for method, path, _ in stub.asked)


def test_a_repository_behind_an_agreement_says_what_to_do(stub):
    stub.gated = True
    with pytest.raises(hub.HubRefused, match="accept it on the hub, then set HF_TOKEN"):
        hub.ggufs("eyes/small")


@pytest.mark.parametrize("name", ["eyes", "eyes/../small", "a/b/c", "eyes/small.git"])
def test_what_is_no_name_is_refused_before_the_hub_is_asked(stub, name):
    with pytest.raises(hub.HubRefused):
        hub.ggufs(name)
    assert all("resolve" not in path for _, path, _ in stub.asked)


def test_a_hub_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(hub.HubRefused, match=r"127\.0\.0\.1:9 cannot be reached"):
        hub.ggufs("eyes/small")


def test_the_token_of_the_hub_is_not_given_to_its_storage(stub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    told = {}
    [offered] = hub.ggufs("eyes/small")
    elsewhere = hub.get_hf_file_metadata(
        hub.hf_hub_url("eyes/small", offered.path, revision=COMMIT, endpoint=stub.url), endpoint=stub.url
    )
    moved = type(elsewhere)(
        **{**vars(elsewhere), "location": stub.url.replace("127.0.0.1", "localhost") + "/x"}
    )
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda *args, **options: moved)
    monkeypatch.setattr(hub, "http_get", lambda url, content, **options: told.update(options["headers"]))
    with pytest.raises(hub.HubRefused):
        hub.fetch(offered, Path(tmp_path))
    assert "authorization" not in told
