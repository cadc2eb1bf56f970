"""The manager of downloads: its queue, its store, and what survives the program."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_manager import adoption, errors, failures
from model_manager.downloads import Downloads
from model_manager.errors import (
    HashMismatch,
    HubUnavailable,
    InvalidReference,
    NetworkAway,
    NotEnoughDisk,
    NotOnHub,
)
from model_manager.http import Http
from model_manager.hub import Hub
from model_manager.transfer import TransferOptions
from model_manager.types import DownloadLimits, DownloadRecord, DownloadSnapshot
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


FILE = {"url": "http://127.0.0.1:9/m.gguf", "path": "o/r/m.gguf", "size_bytes": 5, "sha256": None}


@pytest.mark.parametrize("status", ["queued", "paused", "done", "failed", "cancelling"])
@pytest.mark.parametrize(
    "plan",
    [
        {"files": [{"x": 1}]},
        {"files": "x"},
        {"files": 7},
        {"name": 5, "files": []},
        {"files": [FILE | {"path": "../../evil.gguf"}]},
        {"files": [FILE | {"path": 7, "url": None}]},
        {"name": None, "files": [FILE | {"size_bytes": "a", "sha256": 3, "new": True}], "finished": [None]},
    ],
)
def test_plan_that_makes_no_sense_is_made_anew(
    make, store: MemoryStore, tmp_path: Path, status: str, plan: dict[str, Any]
) -> None:
    store.rows[1] = DownloadRecord(1, "tests/Model1", "tests/Model1", status, plan)
    downloads = make(limits=lambda: DownloadLimits(n_files=1))
    snapshot = downloads.wait(1)
    assert snapshot.name
    if status == "queued" and "new" not in str(plan):
        assert snapshot.status == "done"
        assert (tmp_path / "models" / "tests" / "Model1").is_dir()


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


def test_it_is_not_over_before_its_end_was_taken_up(make: Callable[..., Downloads]) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def take_up(_snapshot: DownloadSnapshot) -> None:
        begun.set()
        may_end.wait()

    downloads = make(on_finished=take_up)
    download_id = downloads.add("tests/Model1")
    assert begun.wait(30)
    assert downloads.wait(download_id, 0.0).status == "verifying"
    closing = threading.Thread(target=downloads.close, name="closing")
    closing.start()
    closing.join(0.05)
    assert closing.is_alive(), "it waits for whoever was told"
    may_end.set()
    closing.join()
    assert downloads.wait(download_id).status == "done"


def test_listener_that_fails_harms_nothing(make, expected_logs) -> None:
    expected_logs("a listener failed")

    def fail(_snapshot: DownloadSnapshot) -> None:
        raise RuntimeError("listener")

    downloads = make(on_finished=fail)
    assert downloads.wait(downloads.add("tests/Model1")).status == "done"


def test_closing_waits_for_listeners_that_are_being_told(make) -> None:
    """What they do with a finished model needs what is closed after the downloads."""
    told, may_end = threading.Event(), threading.Event()
    ended: list[str] = []

    def listen(snapshot: DownloadSnapshot) -> None:
        told.set()
        may_end.wait()
        ended.append(snapshot.ref)

    downloads = make(on_finished=listen)
    downloads.add("tests/Model1")
    told.wait()
    closing = threading.Thread(target=downloads.close)
    closing.start()
    assert closing.is_alive()
    may_end.set()
    closing.join()
    assert ended == ["tests/Model1"]


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


def refs(downloads: Downloads) -> list[str]:
    return [snapshot.ref for snapshot in downloads.snapshots()]


def test_queue_can_be_put_into_another_order(make, hub_server, store) -> None:
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0), limits=lambda: DownloadLimits(n_files=1))
    one_, two, three, four = (downloads.add(f"tests/Model{number}") for number in range(1, 5))
    downloads.move(four, "first")
    downloads.move(two, "down")
    downloads.move(three, "up")
    downloads.move(one_, "last")
    order = ["tests/Model4", "tests/Model3", "tests/Model2", "tests/Model1"]
    assert refs(downloads) == order
    assert [snapshot.position for snapshot in downloads.snapshots()] == [1, 2, 3, 4]
    assert one(downloads, one_).status == "running"  # it is not stopped for that
    downloads.close()
    assert refs(make(limits=lambda: DownloadLimits(n_files=1))) == order


def test_moved_one_is_begun_next(make, hub_server) -> None:
    stall(hub_server)
    begun: list[str] = []
    downloads = make(
        options=replace(HASTY, timeout_s=300.0),
        limits=lambda: DownloadLimits(n_files=1),
        on_finished=lambda snapshot: begun.append(snapshot.ref),
    )
    ids = [downloads.add(f"tests/Model{number}") for number in range(1, 4)]
    downloads.move(ids[2], "up")
    wait_for_bytes(hub_server, SIZE // 2)
    hub_server.behave()
    downloads.cancel(ids[0])
    for download_id in ids:
        downloads.wait(download_id)
    assert begun == ["tests/Model3", "tests/Model2"]


def test_one_that_is_over_keeps_its_place(make, store) -> None:
    downloads = make()
    done = downloads.add("tests/Model1")
    downloads.wait(done)
    downloads.move(done, "last")
    assert refs(downloads) == ["tests/Model1"]


def test_more_at_once_are_begun_when_the_limit_is_raised(make, hub_server) -> None:
    stall(hub_server)
    limits = [DownloadLimits(n_files=1)]
    downloads = make(options=replace(HASTY, timeout_s=300.0), limits=lambda: limits[0])
    ids = [downloads.add(f"tests/Model{number}") for number in range(1, 4)]
    assert [one(downloads, i).status for i in ids] == ["running", "queued", "queued"]
    limits[0] = DownloadLimits(n_files=3)
    downloads.limits_changed()
    assert [one(downloads, i).status for i in ids] == ["running"] * 3


def test_all_can_be_paused_and_go_on(make, hub_server) -> None:
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    ids = [downloads.add(f"tests/Model{number}") for number in range(1, 5)]
    downloads.pause_all()
    assert [downloads.wait(i).status for i in ids] == ["paused"] * 4
    hub_server.behave()
    downloads.resume_all()
    assert [downloads.wait(i).status for i in ids] == ["done"] * 4


@pytest.mark.parametrize(("wish", "status"), [("pause", "paused"), ("cancel", "cancelled")])
def test_wish_holds_when_the_program_is_killed_the_next_moment(
    make, hub_server, store, tmp_path, wish: str, status: str
) -> None:
    """The store as a killed program leaves it: the thread has not yet noticed what was asked."""
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    download_id = downloads.add("tests/Split")
    wait_for_bytes(hub_server, SIZE // 2)
    with downloads._lock:  # nobody ends meanwhile
        getattr(downloads, wish)(download_id)
        left = dict(store.rows)
    downloads.wait(download_id)
    store.rows = left
    parts = tmp_path / "models" / "tests" / "Split"
    parts.mkdir(parents=True, exist_ok=True)
    (parts / "big-Q4_K_M-00001-of-00002.gguf.part").write_bytes(b"x")
    again = make()
    assert one(again, download_id).status == status
    assert again.wait(download_id, 0.0).status == status
    assert store.rows[download_id].status == status
    assert (parts / "big-Q4_K_M-00001-of-00002.gguf.part").exists() == (status == "paused")


def test_pause_is_not_forgotten_when_the_program_ends_at_once(make, hub_server, store) -> None:
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    download_id = downloads.add("tests/Model1")
    wait_for_bytes(hub_server, SIZE // 2)
    downloads.pause(download_id)
    downloads.close()
    assert store.rows[download_id].status == "paused"


def test_rate_is_limited_for_all_together(make, hub_server) -> None:
    downloads = make(limits=lambda: DownloadLimits(rate_bytes_per_s=6_000_000))
    began_at = time.monotonic()
    ids = [downloads.add("tests/Model1"), downloads.add("tests/Model2")]
    assert [downloads.wait(i).status for i in ids] == ["done", "done"]
    # A quarter of a second is let through at once; never can it be faster than the limit.
    assert time.monotonic() - began_at >= 2 * SIZE / 6_000_000 - 0.3


def test_vision_tower_comes_with_the_model_as_one_item(make, hub_server, tmp_path) -> None:
    repo = "tests/Sees"
    hub_server.add(repo, "sees-Q4_K_M.gguf", random_bytes(SIZE, 21))
    hub_server.add(repo, "mmproj-F32.gguf", random_bytes(4000, 22))
    hub_server.add(repo, "mmproj-BF16.gguf", random_bytes(3000, 23))
    downloads = make()
    snapshot = downloads.wait(downloads.add(f"{repo}:Q4_K_M"))
    assert (snapshot.status, snapshot.n_files) == ("done", 2)
    assert snapshot.size_bytes == snapshot.verified_bytes == SIZE + 3000
    assert [path.name for path, _digest in snapshot.files] == ["sees-Q4_K_M.gguf", "mmproj-BF16.gguf"]
    by_its_file = downloads.wait(downloads.add(f"{repo}/sees-Q4_K_M.gguf"))
    assert (by_its_file.status, by_its_file.n_files) == ("done", 2)


def test_other_address_of_the_hub_is_used_for_what_was_planned(make, hub_server, store) -> None:
    """The same files at a mirror that a person has chosen since."""
    stall(hub_server)
    downloads = make(options=replace(HASTY, timeout_s=300.0))
    download_id = downloads.add("tests/Split")
    wait_for_bytes(hub_server, SIZE // 2)
    downloads.close()
    plan = store.rows[download_id].plan
    for file in plan["files"]:
        file["url"] = file["url"].replace(hub_server.endpoint, "http://127.0.0.1:9")
    store.update(download_id, plan=plan)
    hub_server.behave()
    assert make().wait(download_id).status == "done"


def test_network_that_is_away_is_waited_for(make, hub_server, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[str] = []
    resolve = Hub.resolve

    def away(self: Hub, ref: str) -> Any:
        attempts.append(ref)
        if len(attempts) < 12:
            raise NetworkAway("hub.example", "no route to host")
        return resolve(self, ref)

    monkeypatch.setattr(Hub, "resolve", away)
    downloads = make()
    assert downloads.wait(downloads.add("tests/Model1")).status == "done"
    assert len(attempts) == 12


def test_waiting_is_told_and_can_be_cancelled(make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hub, "resolve", _no_network)
    downloads = make(options=replace(HASTY, backoff_s=600.0))
    download_id = downloads.add("tests/Model1")
    while one(downloads, download_id).waiting is None:
        assert one(downloads, download_id).status in ("queued", "running")
    snapshot = one(downloads, download_id)
    assert snapshot.waiting == "network"
    assert snapshot.retry_in_s is not None
    assert 0 < snapshot.retry_in_s <= 60
    downloads.cancel(download_id)
    assert downloads.wait(download_id).status == "cancelled"


def _no_network(_hub: Hub, _ref: str) -> Any:
    raise NetworkAway("hub.example", "no route to host")


def test_half_finished_file_of_the_hub_library_is_gone_on_with(make, hub_server, tmp_path) -> None:
    size = 2 * adoption.MIN_BYTES
    content = random_bytes(size, 31)
    file = hub_server.add("tests/Begun", "begun-Q4_K_M.gguf", content)
    blobs = tmp_path / "cache" / "models--tests--Begun" / "blobs"
    blobs.mkdir(parents=True)
    theirs = blobs / f"{file.sha256}.1a2b3c4d.incomplete"
    theirs.write_bytes(content[: size - 1000])
    downloads = make(hub_cache_dir=tmp_path / "cache")
    assert downloads.wait(downloads.add("tests/Begun")).status == "done"
    assert hub_server.sent_bytes == 1000
    assert theirs.stat().st_size == size - 1000


def test_half_finished_file_that_is_wrong_costs_a_second_try(make, hub_server, tmp_path) -> None:
    size = 2 * adoption.MIN_BYTES
    file = hub_server.add("tests/Begun", "begun-Q4_K_M.gguf", random_bytes(size, 31))
    blobs = tmp_path / "cache" / "models--tests--Begun" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{file.sha256}.incomplete").write_bytes(random_bytes(size, 32))
    downloads = make(hub_cache_dir=tmp_path / "cache")
    snapshot = downloads.wait(downloads.add("tests/Begun"))
    assert snapshot.status == "done"
    assert snapshot.path is not None
    assert snapshot.path.read_bytes() == file.content


def test_links_in_the_target_lead_nowhere(
    make: Callable[..., Downloads], hub_server: HubServer, tmp_path: Path
) -> None:
    """Neither a folder, nor the file, nor the half file; also one that was put there after a pause."""
    models, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    elsewhere.mkdir()
    precious = elsewhere / "precious"
    precious.write_bytes(b"mine")
    downloads = make()

    (models / "tests").mkdir(parents=True)
    (models / "tests/Model1").symlink_to(elsewhere)
    error = downloads.wait(downloads.add("tests/Model1")).error
    assert isinstance(error, errors.UnsafeFilename)

    (models / "tests/Model2").mkdir()
    (models / "tests/Model2/model2-Q4_K_M.gguf").symlink_to(precious)
    error = downloads.wait(downloads.add("tests/Model2")).error
    assert isinstance(error, errors.UnsafeFilename)

    (models / "tests/Model3").mkdir()
    (models / "tests/Model3/model3-Q4_K_M.gguf.part").symlink_to(precious)
    error = downloads.wait(downloads.add("tests/Model3")).error
    assert isinstance(error, errors.CannotWrite)

    stall(hub_server)
    download_id = downloads.add("tests/Model4")
    wait_for_bytes(hub_server, SIZE // 2)
    downloads.pause(download_id)
    downloads.wait(download_id)
    hub_server.behave()
    (models / "tests/Model4").rename(elsewhere / "Model4")
    (models / "tests/Model4").symlink_to(elsewhere / "Model4")
    downloads.resume(download_id)
    assert isinstance(downloads.wait(download_id).error, errors.UnsafeFilename)

    assert precious.read_bytes() == b"mine"
    assert not list(elsewhere.rglob("*.gguf"))
