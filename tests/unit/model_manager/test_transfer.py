"""Every way a server can misbehave: a typed error or a right file, and nothing lost."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_manager.errors import (
    AccessDenied,
    CannotWrite,
    DiskFull,
    HashMismatch,
    HubError,
    HubUnavailable,
    ModelManagerError,
    NotEnoughDisk,
    NotOnHub,
    Offline,
    RateLimited,
    RemoteFileChanged,
    SizeMismatch,
    TransferCancelled,
    TransferStalled,
)
from model_manager.http import Http
from model_manager.partial import PartialFile
from model_manager.pieces import Piece
from model_manager.transfer import Transfer, TransferOptions
from tests.helpers.hub_server import HubFileContent, HubServer, random_bytes
from tests.helpers.transfers import assert_right, door_to, never, transfers_of

REPO = "tests/Small-GGUF"
NAME = "small-Q8_0.gguf"
SIZE = 3_000_000
CUT = 1_000_000
HASTY = TransferOptions(timeout_s=5.0, max_retries=2, backoff_s=0.001, reserve_bytes=0)


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def http(hub_server: HubServer) -> Iterator[Http]:
    with door_to(hub_server) as door:
        yield door


@pytest.fixture
def file(hub_server: HubServer) -> HubFileContent:
    return hub_server.add(REPO, NAME, random_bytes(SIZE))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / NAME


@pytest.fixture
def make(hub_server: HubServer, http: Http, file: HubFileContent, path: Path) -> Callable[..., Transfer]:
    return transfers_of(hub_server, http, REPO, file, path, HASTY)


def part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def assert_kept(path: Path, file: HubFileContent, n_bytes: int) -> None:
    """The partial file is a true beginning, and nothing has the final name."""
    assert not path.exists()
    assert part_of(path).read_bytes() == file.content[:n_bytes]


def cut_first(server: HubServer, make: Callable[..., Transfer], **kinds: Any) -> None:
    """Have CUT bytes on disk, as after a failed first run."""
    server.misbehave("body", cut_after=CUT)
    with pytest.raises(HubUnavailable):
        make(**kinds, options=TransferOptions(5.0, 0, 0.001, 0)).run(never)


def test_transfer_downloads_verifies_and_renames(make, path, file) -> None:
    transfer = make()
    assert transfer.run(never) == path
    assert_right(path, file.content)
    assert (transfer.received_bytes, transfer.size_bytes, transfer.sha256) == (SIZE, SIZE, file.sha256)


def test_transfer_learns_size_and_hash_from_the_hub(make, path, file) -> None:
    transfer = make(size_bytes=None, sha256=None)
    transfer.run(never)
    assert_right(path, file.content)
    assert transfer.sha256 == file.sha256


def test_transfer_of_a_bare_address_computes_the_hash(make, path, file) -> None:
    transfer = make(is_direct=True)
    transfer.run(never)
    assert_right(path, file.content)
    assert transfer.sha256 == file.sha256


def test_transfer_does_nothing_when_the_right_file_is_there(make, path, file, hub_server) -> None:
    path.parent.mkdir()
    path.write_bytes(file.content)
    assert make().run(never) == path
    assert hub_server.requests == []


def test_transfer_replaces_a_wrong_file_only_by_the_right_one(make, path, file, hub_server) -> None:
    path.parent.mkdir()
    path.write_bytes(b"old")
    hub_server.misbehave("body", is_corrupt=True)
    with pytest.raises(HashMismatch):
        make().run(never)
    assert path.read_bytes() == b"old"
    make().run(never)
    assert_right(path, file.content)


def test_transfer_goes_on_where_a_connection_broke(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", cut_after=CUT)
    hub_server.misbehave("body", cut_after=CUT)
    make().run(never)
    assert_right(path, file.content)
    assert hub_server.sent_bytes == SIZE


def test_transfer_goes_on_in_a_new_run(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    assert_kept(path, file, CUT)
    make().run(never)
    assert_right(path, file.content)
    assert hub_server.sent_bytes == SIZE


def test_bare_address_goes_on_in_a_new_run(make, path, file, hub_server) -> None:
    cut_first(hub_server, make, is_direct=True)
    make(is_direct=True).run(never)
    assert_right(path, file.content)
    assert hub_server.sent_bytes == SIZE
    assert hub_server.requests[-1].headers["if-range"] == f'"{file.git_oid}"'


def test_retries_are_counted_anew_when_bytes_arrived(make, path, file, hub_server) -> None:
    for _ in range(9):
        hub_server.misbehave("body", cut_after=300_000)
    make().run(never)
    assert_right(path, file.content)


def test_server_that_always_stops_is_given_up_and_bytes_are_kept(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", cut_after=CUT)
    hub_server.misbehave("body", times=-1, cut_after=0)
    with pytest.raises(HubUnavailable):
        make().run(never)
    assert_kept(path, file, CUT)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, AccessDenied),
        (403, AccessDenied),
        (404, NotOnHub),
        (416, RemoteFileChanged),
        (418, HubError),
        (429, RateLimited),
        (500, HubUnavailable),
        (503, HubUnavailable),
    ],
)
@pytest.mark.parametrize("where", ["resolve", "body"])
def test_refusals_have_types_and_keep_bytes(
    make, path, file, hub_server, where: Any, status: int, expected: type[ModelManagerError]
) -> None:
    cut_first(hub_server, make)
    hub_server.misbehave(where, times=-1, status=status)
    with pytest.raises(expected) as caught:
        make().run(never)
    assert_kept(path, file, CUT)
    assert "Signature" not in str(caught.value)
    hub_server.behave()
    make().run(never)
    assert_right(path, file.content)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_passing_refusals_pass(make, path, file, hub_server, status: int) -> None:
    hub_server.misbehave("resolve", status=status, headers={"Retry-After": "0"})
    hub_server.misbehave("body", status=status)
    make().run(never)
    assert_right(path, file.content)


def test_expired_storage_address_is_asked_for_again(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", status=403)
    make().run(never)
    assert_right(path, file.content)
    assert [seen.server for seen in hub_server.requests] == ["hub", "cdn", "hub", "cdn"]


def test_retry_after_is_heard_and_cancel_ends_the_wait(make, path, hub_server) -> None:
    hub_server.misbehave("resolve", times=-1, status=429, headers={"Retry-After": "250"})
    asked = hub_server.requests
    with pytest.raises(TransferCancelled):
        make().run(lambda: len(asked) == 1)
    assert len(asked) == 1


@pytest.mark.parametrize("number", ["\xb2", "9" * 5000, "-1", ""])
@pytest.mark.parametrize(
    ("where", "status", "name", "value"),
    [
        ("resolve", 429, "Retry-After", "{}"),
        ("resolve", 302, "X-Linked-Size", "{}"),
        ("body", 416, "Content-Range", "bytes */{}"),
        ("body", 206, "Content-Range", "bytes {}-9/10"),
        ("body", 206, "Content-Range", "bytes 0-9/{}"),
    ],
)
def test_numbers_that_are_none_do_no_harm(
    make, path, hub_server, where: Any, status: int, name: str, value: str, number: str
) -> None:
    headers = {name: value.format(number)}
    if status == 302:
        headers["Location"] = f"{hub_server.cdn_endpoint}/lfs/0?Signature={hub_server.sign()}"
    hub_server.misbehave(where, times=-1, status=status, headers=headers)
    with pytest.raises(ModelManagerError):
        make(size_bytes=None, sha256=None).run(never)
    assert not path.exists()


def test_silent_server_is_noticed(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    hub_server.misbehave("body", times=-1, stall_after=0)
    with pytest.raises(TransferStalled):
        make(options=TransferOptions(0.1, 1, 0.001, 0)).run(never)
    assert_kept(path, file, CUT)


def test_stall_is_survived(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", stall_after=CUT)
    make(options=TransferOptions(1.0, 2, 0.001, 0)).run(never)
    assert_right(path, file.content)
    assert hub_server.sent_bytes == SIZE


def test_cancel_ends_a_stalled_transfer_at_once_and_keeps_bytes(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", stall_after=CUT)
    transfer = make(options=TransferOptions(300.0, 2, 0.001, 0))
    with pytest.raises(TransferCancelled):
        transfer.run(lambda: transfer.received_bytes == CUT)
    assert_kept(path, file, CUT)


def test_whole_file_for_a_range_begins_anew(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    hub_server.misbehave("body", is_range_ignored=True)
    make().run(never)
    assert_right(path, file.content)


def test_whole_file_of_another_length_does_not_cost_what_is_held(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    hub_server.misbehave("body", times=-1, is_range_ignored=True, length_delta=-7)
    with pytest.raises(SizeMismatch):
        make().run(never)
    assert_kept(path, file, CUT)


def test_whole_file_of_unknown_length_does_not_cost_what_is_held(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    hub_server.misbehave("body", times=-1, is_range_ignored=True, is_chunked=True)
    with pytest.raises(HubUnavailable):
        make().run(never)
    assert_kept(path, file, CUT)


@pytest.mark.parametrize("fault", [{"range_delta": 1}, {"range_delta": -1}])
def test_other_range_than_asked_for_is_refused(make, path, file, hub_server, fault: dict[str, int]) -> None:
    cut_first(hub_server, make)
    hub_server.misbehave("body", times=-1, **fault)
    with pytest.raises(HubUnavailable):
        make().run(never)
    assert_kept(path, file, CUT)


def test_range_of_a_file_of_another_size_is_refused(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    hub_server.misbehave("body", times=-1, total_delta=5)
    with pytest.raises(SizeMismatch):
        make().run(never)
    assert_kept(path, file, CUT)


@pytest.mark.parametrize("delta", [-100, 100])
def test_lie_about_length_is_refused(make, path, hub_server, delta: int) -> None:
    hub_server.misbehave("body", times=-1, length_delta=delta)
    with pytest.raises(SizeMismatch):
        make().run(never)
    assert not path.exists()


def test_body_that_is_too_long_counts_if_the_hash_is_right(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", is_chunked=True, length_delta=1000)
    make().run(never)
    assert_right(path, file.content)


def test_body_that_is_too_long_is_refused_without_a_hash(make, path, hub_server) -> None:
    hub_server.misbehave("body", times=-1, is_chunked=True, length_delta=1000)
    transfer = make(is_direct=True)
    transfer.size_bytes = SIZE
    with pytest.raises(SizeMismatch):
        transfer.run(never)
    assert not path.exists()


def test_wrong_bytes_never_get_the_final_name(make, path, hub_server) -> None:
    hub_server.misbehave("body", is_corrupt=True)
    with pytest.raises(HashMismatch) as caught:
        make().run(never)
    assert list(path.parent.iterdir()) == []
    assert caught.value.path == path


def test_wrong_bytes_in_the_second_half_are_found_after_a_resume(make, path, hub_server) -> None:
    cut_first(hub_server, make)
    hub_server.misbehave("body", is_corrupt=True)
    with pytest.raises(HashMismatch):
        make().run(never)
    assert list(path.parent.iterdir()) == []


def test_another_file_on_the_hub_is_noticed_before_a_byte_is_taken(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    hub_server.misbehave("resolve", linked_etag="0" * 64)
    with pytest.raises(RemoteFileChanged):
        make().run(never)
    assert_kept(path, file, CUT)


def test_changed_etag_of_a_bare_address_begins_anew(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", cut_after=CUT, etag="old", is_corrupt=True)
    make(is_direct=True).run(never)
    assert_right(path, file.content)


def test_etag_that_changes_every_time_is_given_up(make, path, hub_server) -> None:
    for number in range(8):
        hub_server.misbehave("body", cut_after=CUT, etag=f"v{number}")
    with pytest.raises(RemoteFileChanged):
        make(is_direct=True).run(never)
    assert not path.exists()


def test_bytes_of_another_plan_are_not_used(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    sidecar = part_of(path).with_name(path.name + ".part.json")
    sidecar.write_text(sidecar.read_text().replace(file.sha256, "1" * 64))
    part_of(path).write_bytes(b"x" * CUT)
    make().run(never)
    assert_right(path, file.content)


@pytest.mark.parametrize("sidecar", ["", "{", "[]", '{"url": 1}', None])
def test_bytes_without_a_readable_sidecar_are_not_used(make, path, file, sidecar: str | None) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(b"x" * CUT)
    if sidecar is not None:
        path.with_name(path.name + ".part.json").write_text(sidecar)
    make().run(never)
    assert_right(path, file.content)


def test_partial_file_that_is_too_long_begins_anew(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    with part_of(path).open("ab") as part:
        part.write(b"x" * SIZE)
    make().run(never)
    assert_right(path, file.content)


def test_after_a_reboot_only_synced_bytes_count(
    make, path, file, hub_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_first(hub_server, make)
    sidecar = path.with_name(path.name + ".part.json")
    record = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps(record | {"runs": [[0, 400_000]], "boot": "another run"}))
    part_of(path).write_bytes(file.content[:400_000] + b"\0" * (CUT - 400_000))
    make().run(never)
    assert_right(path, file.content)


def test_kill_between_last_byte_and_rename_costs_nothing(make, path, file, hub_server) -> None:
    cut_first(hub_server, make)
    part_of(path).write_bytes(file.content)
    n_requests = len(hub_server.requests)
    make().run(never)
    assert_right(path, file.content)
    assert len(hub_server.requests) == n_requests


def test_too_little_disk_is_refused_before_the_first_byte(make, path, hub_server) -> None:
    with pytest.raises(NotEnoughDisk) as caught:
        make(options=TransferOptions(5.0, 2, 0.001, 1 << 60)).run(never)
    assert caught.value.needed_bytes == SIZE + (1 << 60)
    assert hub_server.requests == []
    assert list(path.parent.iterdir()) == []


def test_too_little_disk_is_refused_when_only_the_server_knew_the_size(make, path, hub_server) -> None:
    with pytest.raises(NotEnoughDisk):
        make(size_bytes=None, sha256=None, options=TransferOptions(5.0, 2, 0.001, 1 << 60)).run(never)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_system_that_refuses_in_the_middle_keeps_bytes(
    make, path, file, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    write = PartialFile.write

    def refuse(self: PartialFile, piece: Piece, data: bytes) -> None:
        room = 500_000 - self.size_bytes
        write(self, piece, data[: max(0, room)])
        if len(data) > room:
            raise CannotWrite(self.path, os.strerror(code))

    monkeypatch.setattr(PartialFile, "write", refuse)
    with pytest.raises(CannotWrite):
        make().run(never)
    assert_kept(path, file, 500_000)
    monkeypatch.undo()
    make().run(never)
    assert_right(path, file.content)


def test_full_disk_is_a_typed_error(tmp_path: Path) -> None:
    """/dev/full answers every write as a full disk does."""
    partial = PartialFile(tmp_path / "x.gguf")
    partial.open()
    partial._file.close()
    partial._file = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115  (closed with the partial file)
    with pytest.raises(DiskFull):
        partial.write(partial.open_front(), b"x")
    assert partial.size_bytes == 0
    partial.close()


def test_folder_that_cannot_be_made_is_a_typed_error(make, path) -> None:
    path.parent.parent.mkdir(exist_ok=True)
    path.parent.write_text("a file where a folder should be")
    with pytest.raises(CannotWrite):
        make().run(never)


def test_offline_is_final(hub_server, path) -> None:
    door = Http(offline=lambda: True)
    door.allow("https://hub.example")
    with pytest.raises(Offline):
        Transfer(door, "https://hub.example/o/r/resolve/main/x.gguf", path, options=HASTY).run(never)
    door.close()


def test_nothing_answers(http, path) -> None:
    with pytest.raises(HubUnavailable):
        Transfer(http, "http://127.0.0.1:9/x.gguf", path, options=HASTY).run(never)
    assert list(path.parent.iterdir()) == []


def test_token_stays_at_its_host(make, path, file, hub_server) -> None:
    hub_server.repos[REPO].gated_token = "hf_secret"
    make(token="hf_secret").run(never)
    assert_right(path, file.content)
    hub, cdn = hub_server.requests
    assert hub.headers["authorization"] == "Bearer hf_secret"
    assert "authorization" not in cdn.headers


def test_received_bytes_can_be_watched_from_another_thread(make, hub_server) -> None:
    hub_server.misbehave("body", stall_after=CUT)
    transfer = make(options=TransferOptions(300.0, 0, 0.001, 0))
    seen: list[int] = []

    def watch() -> None:
        while not seen or seen[-1] < CUT:
            seen.append(transfer.received_bytes)

    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    with pytest.raises(TransferCancelled):
        transfer.run(lambda: not watcher.is_alive())
    watcher.join()
    assert seen == sorted(seen)
    assert not transfer.is_verifying


def test_hash_of_what_is_on_disk_decides(make, path, file, hub_server) -> None:
    """Someone who writes into the partial file meanwhile is found out."""
    cut_first(hub_server, make)
    with part_of(path).open("r+b") as part:
        part.write(b"intruder")
    with pytest.raises(HashMismatch) as caught:
        make().run(never)
    assert caught.value.actual_sha256 == hashlib.sha256(b"intruder" + file.content[8:]).hexdigest()
