"""Several connections for one file: no byte of another file, and hardly one twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_manager import pieces
from model_manager.errors import CannotWrite, HashMismatch, RemoteFileChanged, TransferCancelled
from model_manager.http import Http
from model_manager.lanes import LaneOptions
from model_manager.partial import PartialFile
from model_manager.pieces import Piece
from model_manager.transfer import Transfer, TransferOptions
from tests.helpers.hub_server import HubFileContent, HubServer, random_bytes
from tests.helpers.transfers import assert_right, door_to, never, transfers_of

REPO = "tests/Large-GGUF"
NAME = "large-Q8_0.gguf"
SIZE = 2 << 20
RATE = 6e6
ON_ITS_WAY = 512 << 10
"""In the buffers of the system when a connection had done its part, or was broken."""
EAGER = LaneOptions(
    n_connections=4, chunk_bytes=128 << 10, from_bytes=0, enough_bytes_per_s=float("inf"), look_s=0.0
)
HASTY = TransferOptions(timeout_s=5.0, max_retries=3, backoff_s=0.001, reserve_bytes=0, lanes=EAGER)


@pytest.fixture(autouse=True)
def small_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MIN_SPLIT_BYTES", 32 << 10)


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    with HubServer() as server:
        server.rate_bytes_per_s = RATE
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


def parts(server: HubServer) -> list[str]:
    """The bounded ranges that were asked for."""
    return [
        asked for seen in server.requests if (asked := seen.headers.get("range", "")) and asked[-1].isdigit()
    ]


def stop_with_pieces(make: Callable[..., Transfer], path: Path) -> PartialFile:
    """Stop a transfer while there are bytes beyond its front, and look at what it leaves."""
    transfer = make()
    partial = transfer._partial
    with pytest.raises(TransferCancelled):
        transfer.run(lambda: partial.held_bytes > SIZE // 4 and partial.next_held_bytes is not None)
    assert path.with_name(f"{NAME}.part.pieces").exists()
    return partial


@pytest.mark.parametrize("is_direct", [False, True])
def test_several_connections_bring_one_file(make, path, file, hub_server, is_direct: bool) -> None:
    seen: set[int] = set()
    transfer = make(is_direct=is_direct)
    transfer.run(lambda: seen.add(transfer.n_connections) is not None)
    assert_right(path, file.content)
    assert 2 <= hub_server.most_bodies <= 4
    assert max(seen) >= 2
    assert transfer.n_connections == 0
    assert hub_server.sent_bytes < SIZE + ON_ITS_WAY


def test_signed_address_is_shared_and_the_hub_asked_once(make, hub_server) -> None:
    make().run(never)
    assert sum(seen.server == "hub" for seen in hub_server.requests) == 1


def test_fast_connection_stays_alone(make, path, file, hub_server) -> None:
    make(options=replace(HASTY, lanes=replace(EAGER, enough_bytes_per_s=0.0))).run(never)
    assert_right(path, file.content)
    assert parts(hub_server) == []


@pytest.mark.parametrize("options", [replace(EAGER, n_connections=1), replace(EAGER, from_bytes=SIZE + 1)])
def test_small_files_and_careful_people_get_one_connection(make, path, file, hub_server, options) -> None:
    make(options=replace(HASTY, lanes=options)).run(never)
    assert_right(path, file.content)
    assert hub_server.most_bodies == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"is_range_ignored": True},
        {"range_delta": 1},
        {"range_delta": -1},
        {"encoding": "gzip"},
        {"is_nameless": True},
    ],
)
def test_server_that_lies_about_ranges_is_left_to_one_connection(
    make, path, file, hub_server, fault: dict[str, Any]
) -> None:
    hub_server.misbehave("body", times=-1, asks="part", **fault)
    make().run(never)
    assert_right(path, file.content)
    assert len(parts(hub_server)) == 1


@pytest.mark.parametrize("status", [403, 408, 429, 500, 503, 418])
def test_server_that_wants_one_connection_gets_one(make, path, file, hub_server, status: int) -> None:
    hub_server.misbehave("body", times=-1, asks="part", status=status)
    make().run(never)
    assert_right(path, file.content)
    assert len(parts(hub_server)) == 1


def test_range_of_a_longer_file_is_not_taken(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", asks="part", total_delta=5)
    make().run(never)
    assert_right(path, file.content)


def test_range_of_another_version_is_not_taken(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", times=2, asks="part", etag="another")
    make().run(never)
    assert_right(path, file.content)


def test_file_that_changes_on_the_way_begins_anew(make, path, hub_server) -> None:
    """A bare address without a hash: only its names tell versions apart."""
    transfer = make(is_direct=True)
    partial = transfer._partial
    new = random_bytes(SIZE, seed=2)

    def change_once() -> bool:
        if partial.held_bytes > SIZE // 4 and hub_server.repos[REPO].files[NAME].content != new:
            hub_server.add(REPO, NAME, new)
        return False

    transfer.run(change_once)
    assert_right(path, new)


def test_file_that_changes_all_the_time_is_given_up(make, path, hub_server) -> None:
    for number in range(40):
        hub_server.misbehave("body", etag=f"v{number}")
    with pytest.raises(RemoteFileChanged):
        make(is_direct=True).run(never)
    assert not path.exists()


def test_connections_that_break_are_replaced(make, path, file, hub_server) -> None:
    for _ in range(3):
        hub_server.misbehave("body", asks="part", cut_after=50_000)
    make().run(never)
    assert_right(path, file.content)
    assert hub_server.sent_bytes < SIZE + ON_ITS_WAY


def test_first_connection_may_break_while_others_go_on(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", asks="rest", cut_after=300_000)
    make().run(never)
    assert_right(path, file.content)
    assert hub_server.sent_bytes < SIZE + ON_ITS_WAY


@pytest.mark.parametrize("asks", ["part", "rest"])
def test_silent_connection_is_given_up_and_its_range_fetched(make, path, file, hub_server, asks: str) -> None:
    hub_server.misbehave("body", asks=asks, stall_after=100_000)
    make(options=replace(HASTY, timeout_s=0.5)).run(never)
    assert_right(path, file.content)
    assert hub_server.sent_bytes < SIZE + ON_ITS_WAY


def test_addresses_that_expire_are_asked_for_again(make, path, file, hub_server) -> None:
    transfer = make()
    partial = transfer._partial
    expired: list[bool] = []

    def expire_once() -> bool:
        if partial.held_bytes > SIZE // 4 and not expired:
            hub_server.expire_links()
            expired.append(True)
        return False

    transfer.run(expire_once)
    assert_right(path, file.content)
    assert sum(seen.server == "hub" for seen in hub_server.requests) >= 2


def test_wrong_bytes_of_any_connection_are_found(make, path, hub_server) -> None:
    # All of them: of a single range, the first connection may come to the wrong byte's place sooner.
    hub_server.misbehave("body", times=-1, asks="part", is_corrupt=True)
    with pytest.raises(HashMismatch):
        make().run(never)
    assert list(path.parent.iterdir()) == []


def test_part_that_is_too_short_is_asked_for_again(make, path, file, hub_server) -> None:
    hub_server.misbehave("body", asks="part", length_delta=-1000)
    make().run(never)
    assert_right(path, file.content)


def test_token_stays_at_its_host(make, path, file, hub_server) -> None:
    hub_server.repos[REPO].gated_token = "hf_secret"
    make(token="hf_secret").run(never)
    assert_right(path, file.content)
    for seen in hub_server.requests:
        assert ("authorization" in seen.headers) == (seen.server == "hub")


def test_pieces_are_kept_for_the_next_run(make, path, file, hub_server) -> None:
    partial = stop_with_pieces(make, path)
    held_bytes = partial.held_bytes
    sent_bytes = hub_server.sent_bytes
    again = make()
    again.run(never)
    assert_right(path, file.content)
    assert hub_server.sent_bytes - sent_bytes < SIZE - held_bytes + ON_ITS_WAY


def test_pieces_survive_a_server_that_has_forgotten_ranges(make, path, file, hub_server) -> None:
    stop_with_pieces(make, path)
    hub_server.misbehave("body", times=-1, is_range_ignored=True)
    make().run(never)
    assert_right(path, file.content)


def test_torn_journal_costs_what_was_not_synced(make, path, file, hub_server) -> None:
    stop_with_pieces(make, path)
    path.with_name(f"{NAME}.part.pieces").write_bytes(b"torn")
    make().run(never)
    assert_right(path, file.content)


def test_after_a_reboot_only_synced_pieces_count(make, path, file, hub_server) -> None:
    stop_with_pieces(make, path)
    sidecar = path.with_name(f"{NAME}.part.json")
    record = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps(record | {"runs": [[0, 4096], [65536, 4096]], "boot": "another run"}))
    partial = path.with_name(f"{NAME}.part")
    content = bytearray(partial.stat().st_size)  # the power cut has left zeros
    content[:4096] = file.content[:4096]
    content[65536 : 65536 + 4096] = file.content[65536 : 65536 + 4096]
    partial.write_bytes(content)
    make().run(never)
    assert_right(path, file.content)


def test_full_disk_ends_all_connections_and_keeps_what_has_arrived(
    make, path, file, hub_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = PartialFile.write

    def refuse(self: PartialFile, piece: Piece, data: bytes) -> None:
        if self.held_bytes > SIZE // 2:
            raise CannotWrite(self.path, "full")
        write(self, piece, data)

    monkeypatch.setattr(PartialFile, "write", refuse)
    with pytest.raises(CannotWrite):
        make().run(never)
    monkeypatch.undo()
    sent_bytes = hub_server.sent_bytes
    make().run(never)
    assert_right(path, file.content)
    assert hub_server.sent_bytes - sent_bytes < 0.7 * SIZE
