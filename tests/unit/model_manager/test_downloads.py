"""The manager of downloads: its queue, its store, and what survives the program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_manager import errors, failures
from model_manager.downloads import Downloads
from model_manager.errors import HashMismatch, HubUnavailable, InvalidReference, NotEnoughDisk, NotOnHub
from model_manager.http import Http
from model_manager.hub import Hub
from model_manager.transfer import TransferOptions
from model_manager.types import DownloadRecord, DownloadSnapshot
from storage.records import StoredDownload
from tests.helpers.hub_server import HubServer, random_bytes

SIZE = 1_500_000
HASTY = TransferOptions(timeout_s=5.0, max_retries=1, backoff_s=0.001, reserve_bytes=0)


class MemoryStore:
    """What a database does, without one. Rows are of both kinds that the manager accepts."""

    def __init__(self, kind: type[DownloadRecord] | type[StoredDownload] = DownloadRecord) -> None:
        self.rows: dict[int, Any] = {}
        self._kind = kind
        self._next_id = 1

    def list(self) -> list[Any]:
        return list(self.rows.values())

    def add(self, ref: str, name: str, plan: Mapping[str, Any]) -> Any:
        row = self._kind(self._next_id, ref, name, "queued", plan)
        self.rows[row.id] = row
        self._next_id += 1
        return row

    def update(self, download_id: int, **changes: Any) -> None:
        changes = {key: value for key, value in changes.items() if value is not None}
        self.rows[download_id] = replace(self.rows[download_id], **changes)

    def reorder(self, download_ids: Sequence[int]) -> None:
        self.rows = {number: self.rows[number] for number in download_ids}

    def delete(self, download_id: int) -> None:
        del self.rows[download_id]


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    with HubServer() as server:
        for number in range(1, 5):
            server.add(f"tests/Model{number}", f"model{number}-Q4_K_M.gguf", random_bytes(SIZE, number))
        server.add("tests/Split", "big-Q4_K_M-00001-of-00002.gguf", random_bytes(SIZE, 11))
        server.add("tests/Split", "big-Q4_K_M-00002-of-00002.gguf", random_bytes(SIZE, 12))
        yield server


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def make(hub_server: HubServer, store: MemoryStore, tmp_path: Path) -> Iterator[Callable[..., Downloads]]:
    """Starts a manager on the same store and folder, as a program that is started again would."""
    http = Http()
    hub = Hub(http, hub_server.endpoint)
    made: list[Downloads] = []

    def make_downloads(**kinds: Any) -> Downloads:
        downloads = Downloads(store, hub, http, tmp_path / "models", **{"options": HASTY} | kinds)
        made.append(downloads)
        return downloads

    yield make_downloads
    hub_server.behave()
    for downloads in made:
        downloads.close()
    hub.close()
    http.close()


def stall(server: HubServer, times: int = -1) -> None:
    server.misbehave("body", times=times, stall_after=SIZE // 2)


def wait_for_bytes(server: HubServer, n_bytes: int) -> None:
    assert server.wait_until(lambda server: server.sent_bytes >= n_bytes)


def one(downloads: Downloads, download_id: int) -> DownloadSnapshot:
    return next(snapshot for snapshot in downloads.snapshots() if snapshot.id == download_id)


@pytest.mark.parametrize("kind", [DownloadRecord, StoredDownload])
def test_download_ends_in_its_folder_with_its_hash(make, hub_server, store, tmp_path, kind) -> None:
    store._kind = kind
    finished: list[DownloadSnapshot] = []
    downloads = make(on_finished=finished.append)
    snapshot = downloads.wait(downloads.add("tests/Model1"))
    file = hub_server.repos["tests/Model1"].files["model1-Q4_K_M.gguf"]
    assert snapshot.status == "done"
    assert snapshot.path == tmp_path / "models" / "tests" / "Model1" / "model1-Q4_K_M.gguf"
    assert (snapshot.sha256, snapshot.name) == (file.sha256, "model1-Q4_K_M")
    assert (snapshot.received_bytes, snapshot.size_bytes) == (SIZE, SIZE)
    assert snapshot.path.read_bytes() == file.content
    assert finished == [snapshot]
    assert store.rows[snapshot.id].status == "done"


def test_shards_are_one_download(make, tmp_path) -> None:
    downloads = make()
    snapshot = downloads.wait(downloads.add("tests/Split:Q4_K_M"))
    assert (snapshot.status, snapshot.size_bytes) == ("done", 2 * SIZE)
    assert len(list((tmp_path / "models" / "tests" / "Split").iterdir())) == 2


def test_two_run_and_the_rest_waits(make, hub_server) -> None:
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    ids = [downloads.add(f"tests/Model{number}") for number in range(1, 5)]
    wait_for_bytes(hub_server, SIZE)  # both halves
    assert [one(downloads, i).status for i in ids] == ["running", "running", "queued", "queued"]
    hub_server.behave()
    downloads.cancel(ids[0])
    downloads.cancel(ids[1])
    assert [downloads.wait(i).status for i in ids] == ["cancelled", "cancelled", "done", "done"]


def test_pause_keeps_bytes_and_resume_goes_on(make, hub_server, store) -> None:
    stall(hub_server, times=1)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    download_id = downloads.add("tests/Model1")
    wait_for_bytes(hub_server, SIZE // 2)
    downloads.pause(download_id)
    snapshot = downloads.wait(download_id)
    assert snapshot.status == "paused"
    assert store.rows[download_id].status == "paused"
    downloads.resume(download_id)
    assert downloads.wait(download_id).status == "done"


def test_pause_and_resume_at_once_goes_on(make, hub_server) -> None:
    stall(hub_server, times=1)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    download_id = downloads.add("tests/Model1")
    wait_for_bytes(hub_server, SIZE // 2)
    downloads.pause(download_id)
    downloads.resume(download_id)
    assert downloads.wait(download_id).status in ("done", "paused")
    downloads.resume(download_id)
    assert downloads.wait(download_id).status == "done"


def test_cancel_removes_what_arrived(make, hub_server, tmp_path) -> None:
    hub_server.misbehave(
        "body", times=1, stall_after=SIZE
    )  # the first shard is whole, the second never comes
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    download_id = downloads.add("tests/Split")
    wait_for_bytes(hub_server, SIZE + SIZE // 2)
    downloads.cancel(download_id)
    assert downloads.wait(download_id).status == "cancelled"
    assert list((tmp_path / "models").rglob("*")) == []


def test_cancel_of_a_queued_one_is_at_once(make, hub_server) -> None:
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    first, second, third = (downloads.add(f"tests/Model{number}") for number in (1, 2, 3))
    downloads.cancel(third)
    assert downloads.wait(third).status == "cancelled"
    assert one(downloads, first).status == one(downloads, second).status == "running"


def test_finished_one_stays_when_cancelled_and_its_file_when_removed(make, store) -> None:
    downloads = make()
    download_id = downloads.add("tests/Model1")
    path = downloads.wait(download_id).path
    downloads.cancel(download_id)
    assert one(downloads, download_id).status == "done"
    downloads.remove(download_id)
    assert downloads.snapshots() == []
    assert store.rows == {}
    assert path is not None
    assert path.exists()


def test_same_reference_is_one_download(make, hub_server) -> None:
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    assert downloads.add("tests/Model1") == downloads.add(" tests/Model1 ")


def test_other_reference_to_the_same_file_is_refused_while_it_runs(make, hub_server) -> None:
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    downloads.add("tests/Model1")
    wait_for_bytes(hub_server, SIZE // 2)
    other = downloads.wait(downloads.add("tests/Model1:Q4_K_M"))
    assert isinstance(other.error, errors.CannotWrite)


def test_failure_has_its_error_also_after_a_restart(make, hub_server, store) -> None:
    finished: list[DownloadSnapshot] = []
    hub_server.misbehave("body", is_corrupt=True)
    downloads = make(on_finished=finished.append)
    snapshot = downloads.wait(downloads.add("tests/Model1"))
    assert snapshot.status == "failed"
    assert isinstance(snapshot.error, HashMismatch)
    assert finished == [snapshot]
    downloads.close()
    (again,) = make().snapshots()
    assert isinstance(again.error, HashMismatch)
    assert again.error.expected_sha256 == snapshot.error.expected_sha256
    assert again.error.path == snapshot.error.path


def test_failed_one_can_be_resumed(make, hub_server, store) -> None:
    hub_server.misbehave("body", times=-1, status=503)
    downloads = make()
    download_id = downloads.add("tests/Model1")
    assert isinstance(downloads.wait(download_id).error, HubUnavailable)
    hub_server.behave()
    downloads.resume(download_id)
    snapshot = downloads.wait(download_id)
    assert (snapshot.status, snapshot.error) == ("done", None)
    assert store.rows[download_id].error == ""


def test_what_does_not_exist_fails(make) -> None:
    downloads = make()
    assert isinstance(downloads.wait(downloads.add("tests/None")).error, NotOnHub)
    missing = downloads.wait(downloads.add("tests/Model1:Q8_0")).error
    assert isinstance(missing, InvalidReference)
    assert missing.choices == ("Q4_K_M",)


def test_nonsense_is_refused_at_once(make, store) -> None:
    with pytest.raises(InvalidReference):
        make().add("no reference")
    assert store.rows == {}


def test_too_little_disk_for_all_shards_is_refused_before_the_first(make, hub_server) -> None:
    downloads = make(options=replace(HASTY, reserve_bytes=1 << 60))
    error = downloads.wait(downloads.add("tests/Split")).error
    assert isinstance(error, NotEnoughDisk)
    assert error.needed_bytes == 2 * SIZE + (1 << 60)
    assert hub_server.sent_bytes == 0


def test_running_one_goes_on_in_the_next_program(make, hub_server, store) -> None:
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    download_id = downloads.add("tests/Split")
    wait_for_bytes(hub_server, SIZE // 2)
    downloads.close()
    assert store.rows[download_id].status == "queued"
    hub_server.behave()
    downloads = make()
    assert downloads.wait(download_id).status == "done"
    assert hub_server.sent_bytes <= 2 * SIZE + SIZE // 2


def test_killed_one_goes_on_in_the_next_program(make, store) -> None:
    row = store.add("tests/Model1", "tests/Model1", {})
    store.update(row.id, status="running")
    assert make().wait(row.id).status == "done"


def test_paused_one_stays_paused_and_says_how_far_it_is(make, hub_server) -> None:
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    download_id = downloads.add("tests/Model1")
    wait_for_bytes(hub_server, SIZE // 2)
    downloads.pause(download_id)
    paused = downloads.wait(download_id)
    downloads.close()
    (again,) = make().snapshots()
    assert (again.status, again.received_bytes, again.size_bytes) == ("paused", paused.received_bytes, SIZE)


def test_snapshots_have_rate_and_time_left(make, hub_server, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("model_manager.download.time.monotonic", lambda: now[0])
    hub_server.misbehave("body", stall_after=0)
    downloads = make(options=replace(HASTY, timeout_s=1e9))
    download_id = downloads.add("tests/Model1")
    assert hub_server.wait_until(lambda server: bool(server.requests) and server.requests[-1].server == "cdn")
    transfer = _wait_for_transfer(downloads, download_id)
    assert one(downloads, download_id).rate_bytes_per_s is None
    now[0] += 2.0
    monkeypatch.setattr(type(transfer), "received_bytes", property(lambda _self: 300_000))
    snapshot = one(downloads, download_id)
    assert snapshot.rate_bytes_per_s == pytest.approx(150_000)
    assert snapshot.eta_s == pytest.approx((SIZE - 300_000) / 150_000)


def _wait_for_transfer(downloads: Downloads, download_id: int) -> Any:
    download = downloads._downloads[download_id]
    while download._transfer is None:
        assert download.is_running
    return download._transfer


def test_listener_that_fails_harms_nothing(make, expected_logs) -> None:
    expected_logs("a listener failed")

    def fail(_snapshot: DownloadSnapshot) -> None:
        raise RuntimeError("listener")

    downloads = make(on_finished=fail)
    assert downloads.wait(downloads.add("tests/Model1")).status == "done"


def test_manager_may_be_asked_from_its_own_callback(make) -> None:
    seen: list[int] = []
    holder: list[Downloads] = []
    downloads = make(on_finished=lambda _snapshot: seen.append(len(holder[0].snapshots())))
    holder.append(downloads)
    thread = threading.Thread(target=lambda: downloads.wait(downloads.add("tests/Model1")), name="asks")
    thread.start()
    thread.join()
    assert seen == [1]


@pytest.mark.parametrize(
    "error",
    [
        errors.NotEnoughDisk(10, 5, Path("/models")),
        errors.InvalidReference("o/r", ("Q4_K_M", "Q8_0")),
        errors.AccessDenied(403, "https://hub.example/x"),
        errors.Offline("hub.example"),
        errors.TransferStalled("https://hub.example/x", 30.0),
        errors.SizeMismatch("https://hub.example/x", 10, 5),
    ],
)
def test_errors_survive_as_text(error: errors.ModelManagerError) -> None:
    again = failures.decode(failures.encode(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    "text", ["", "plain words", "{}", '{"type": "Path", "facts": {}}', '{"type": "Offline", "facts": {}}']
)
def test_unknown_error_text_is_quoted(text: str) -> None:
    assert text in str(failures.decode(text))
