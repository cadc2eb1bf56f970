"""When to wait for the network, how long, and how fast to take what it brings."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from model_manager import adoption, network
from model_manager.backoff import MAX_DELAY_S, Backoff, waits_for
from model_manager.errors import HostSilent, HubFailing, HubUnavailable, NetworkAway
from model_manager.http import ConnectError, ConnectTimeout, ReadError, TransportError
from model_manager.pace import READ_BYTES, Pace


def caused(error: TransportError, cause: OSError) -> TransportError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (caused(ConnectError("x"), OSError(errno.ENETUNREACH, "x")), True),
        (caused(ConnectError("x"), OSError(errno.EHOSTUNREACH, "x")), True),
        (caused(ConnectError("x"), OSError(errno.ECONNREFUSED, "x")), False),
        (caused(ConnectError("x"), socket.gaierror(socket.EAI_AGAIN, "x")), True),
        (caused(ReadError("x"), OSError(errno.ECONNRESET, "x")), False),
        (ReadError("x"), False),
    ],
)
def test_network_that_is_away_is_told_from_a_server_that_is(error: TransportError, is_away: bool) -> None:
    found = network.unavailable("hub.example", error)
    assert isinstance(found, NetworkAway) == is_away
    assert (found.host, found.reason) == ("hub.example", str(error) or type(error).__name__)


@pytest.mark.parametrize("has_route", [True, False])
@pytest.mark.parametrize(
    "error", [ConnectTimeout("x"), caused(ConnectError("x"), OSError(errno.ETIMEDOUT, "x"))]
)
def test_host_that_lets_packets_get_lost_is_no_missing_network(
    monkeypatch: pytest.MonkeyPatch, error: TransportError, has_route: bool
) -> None:
    monkeypatch.setattr(network, "has_route", lambda: has_route)
    found = network.unavailable("hub.example", error)
    assert isinstance(found, NetworkAway)  # waited for in any case
    assert isinstance(found, HostSilent) == has_route
    assert waits_for(found) == ("server" if has_route else "network")


@pytest.mark.parametrize("has_route", [True, False])
def test_name_that_nobody_knows_is_a_mistake_only_where_there_is_a_network(
    monkeypatch: pytest.MonkeyPatch, has_route: bool
) -> None:
    monkeypatch.setattr(network, "has_route", lambda: has_route)
    error = caused(ConnectError("x"), socket.gaierror(socket.EAI_NONAME, "x"))
    assert isinstance(network.unavailable("hub.example", error), NetworkAway) != has_route


def test_waits_grow_and_end_after_the_last_retry() -> None:
    backoff = Backoff(1.0, 3)
    error = HubFailing("hub.example", 500)
    waits = [backoff.next_s(error) for _ in range(4)]
    assert waits[3] is None
    for number, wait in enumerate(waits[:3]):
        assert wait is not None
        assert 2**number / 2 <= wait <= 2**number


def test_waits_differ_from_program_to_program() -> None:
    assert len({Backoff(1.0, 3).next_s(HubUnavailable("h", "r")) for _ in range(20)}) > 1


def test_nobody_gives_up_while_the_network_is_away() -> None:
    backoff = Backoff(1.0, 3)
    waits = [backoff.next_s(NetworkAway("hub.example", "x")) for _ in range(2000)]
    assert all(wait is not None and wait <= MAX_DELAY_S for wait in waits)


def test_server_that_asks_for_more_time_gets_it() -> None:
    assert Backoff(0.001, 3).next_s(HubFailing("h", 503), 120.0) == 120.0


def test_pace_spreads_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr("model_manager.pace.time.monotonic", lambda: now[0])
    limit = [1000]
    pace = Pace(lambda: limit[0])
    waited_s = 0.0
    for _ in range(100):
        wait_s = pace.wait_s(100)
        now[0] += wait_s
        waited_s += wait_s
    assert waited_s == pytest.approx(100 * 100 / 1000, abs=0.3)
    limit[0] = 0
    assert pace.wait_s(10**9) == 0.0


@pytest.mark.parametrize(
    ("limit", "expected"), [(0, READ_BYTES), (10**9, READ_BYTES), (1, 4096), (200_000, 10_000)]
)
def test_slow_pace_reads_little_at_once(limit: int, expected: int) -> None:
    assert Pace(lambda: limit).most_bytes() == expected


def test_longest_usable_beginning_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "MIN_BYTES", 10)
    blobs = tmp_path / "models--o--r" / "blobs"
    blobs.mkdir(parents=True)
    sha256 = "ab" * 32
    assert adoption.find_beginning(tmp_path, sha256, 10_000) is None
    (blobs / f"{sha256}.1.incomplete").write_bytes(b"x" * 50)
    (blobs / f"{sha256}.2.incomplete").write_bytes(b"x" * 500)
    (blobs / f"{sha256}.3.incomplete").write_bytes(b"x" * 20_000)  # longer than the file
    (blobs / f"{sha256}.4.incomplete").write_bytes(b"x" * 100 + b"\0" * 8000)  # nothing at its end
    (blobs / f"{'cd' * 32}.incomplete").write_bytes(b"x" * 900)
    with (blobs / f"{sha256}.5.incomplete").open("wb") as file:
        file.truncate(9000)  # a hole
    found = adoption.find_beginning(tmp_path, sha256, 10_000)
    assert found is not None
    assert found.name == f"{sha256}.2.incomplete"
