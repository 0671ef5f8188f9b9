"""A model comes from a hub whole, once, and as the hub names it; a hub on this machine stands in."""

import hashlib

import pytest

from tests.workshop.stub_hub import COMMIT, StubHub, running
from workshop import hub

CONTENT = bytes(range(256)) * 47_000
PIECE = 10 * 1024 * 1024
"""Bytes that the library writes at a time."""

SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def stub(monkeypatch):
    with running(StubHub({"small-Q4_K_M.gguf": CONTENT})) as stub:
        monkeypatch.setenv("HF_ENDPOINT", stub.url)
        yield stub


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "here"


@pytest.fixture
def impatient(monkeypatch):
    """A download that breaks off is not tried again by the library: the next command goes on."""
    fetch = hub.http_get
    monkeypatch.setattr(hub, "http_get", lambda *args, **options: fetch(*args, **options, _nb_retries=0))


def test_a_file_comes_whole_with_the_checksum_the_hub_states(stub, folder):
    [offered] = hub.ggufs("eyes/small")
    assert (offered.path, offered.size_bytes, offered.sha256, offered.revision) == (
        "small-Q4_K_M.gguf",
        len(CONTENT),
        SHA256,
        COMMIT,
    )
    path = hub.fetch(offered, folder)
    assert path == folder / "small-Q4_K_M.gguf"
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]


def test_a_file_that_is_here_is_not_fetched_again(stub, folder):
    [offered] = hub.ggufs("eyes/small")
    hub.fetch(offered, folder)
    stub.asked.clear()
    hub.fetch(offered, folder)
    assert stub.asked == []


def test_a_download_that_broke_off_goes_on_where_it_stopped(stub, folder, impatient):
    [offered] = hub.ggufs("eyes/small")
    stub.breaks_after = PIECE + 1000
    with pytest.raises(hub.HubRefused, match="goes on from there"):
        hub.fetch(offered, folder)
    [part] = folder.iterdir()
    assert part.stat().st_size == PIECE
    stub.breaks_after = 0
    assert hub.fetch(offered, folder).read_bytes() == CONTENT
    assert stub.asked[-1][2] == f"bytes={PIECE}-"


def test_a_file_with_another_checksum_is_thrown_away(stub, folder):
    stub.stated["small-Q4_K_M.gguf"] = "a" * 64
    [offered] = hub.ggufs("eyes/small")
    with pytest.raises(hub.HubRefused, match="its checksum differs"):
        hub.fetch(offered, folder)
    assert list(folder.iterdir()) == []


def test_parts_of_a_file_and_files_without_checksum_are_not_offered(stub):
    stub.files["big-00001-of-00002.gguf"] = b"part"
    assert [file.path for file in hub.ggufs("eyes/small")] == ["small-Q4_K_M.gguf"]


def test_a_disk_without_room_is_told_before_anything_is_fetched(stub, folder, monkeypatch):
    [offered] = hub.ggufs("eyes/small")
    full = hub.os.statvfs_result((4096, 4096, 100, 10, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr(hub.os, "statvfs", lambda path: full)
    with pytest.raises(hub.HubRefused, match=r"needs 0\.0 GB more on the disk"):
        hub.fetch(offered, folder)
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


def test_the_token_of_the_hub_is_not_given_to_its_storage(stub, folder, monkeypatch):
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
        hub.fetch(offered, folder)
    assert "authorization" not in told
