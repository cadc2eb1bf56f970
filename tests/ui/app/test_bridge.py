"""The one door to the Qt thread."""

from __future__ import annotations

import gc
import threading

import pytest
from pytestqt.qtbot import QtBot

from app.bridge import Bridge, Latest


@pytest.fixture
def bridge(qtbot: QtBot):
    made = Bridge()
    yield made
    made.close()


def test_post_runs_on_the_qt_thread_in_order(bridge: Bridge, qtbot: QtBot) -> None:
    seen: list[tuple[int, int]] = []
    thread = threading.Thread(
        target=lambda: [bridge.post(lambda i=i: seen.append((i, threading.get_ident()))) for i in range(5)]
    )
    thread.start()
    thread.join()
    assert seen == []  # nothing runs on the poster's thread
    qtbot.waitUntil(lambda: len(seen) == 5)
    assert seen == [(i, threading.get_ident()) for i in range(5)]


def test_run_brings_results_and_errors_back(bridge: Bridge, qtbot: QtBot) -> None:
    results: list[object] = []

    def work() -> int:
        assert threading.current_thread() is not threading.main_thread()
        return 7

    def broken() -> int:
        raise OSError("no")

    bridge.run(work, results.append)
    bridge.run(broken, results.append, results.append)
    qtbot.waitUntil(lambda: len(results) == 2)
    assert 7 in results
    assert any(isinstance(result, OSError) for result in results)


def test_latest_skips_but_never_loses_the_last(bridge: Bridge, qtbot: QtBot) -> None:
    seen: list[int] = []
    latest: Latest[int] = Latest(bridge, seen.append)
    thread = threading.Thread(target=lambda: [latest.offer(i) for i in range(10_000)])
    thread.start()
    qtbot.waitUntil(lambda: bool(seen) and seen[-1] == 9_999)
    thread.join()
    assert len(seen) < 1_000
    assert seen == sorted(seen)


def test_a_latest_that_nobody_keeps_still_delivers(bridge: Bridge, qtbot: QtBot) -> None:
    seen: list[int] = []
    for i in range(20):
        Latest(bridge, seen.append).offer(i)
    gc.collect()
    qtbot.waitUntil(lambda: len(seen) == 20)
    assert sorted(seen) == list(range(20))


def test_nothing_is_delivered_after_close(bridge: Bridge, qtbot: QtBot) -> None:
    seen: list[int] = []
    bridge.post(lambda: seen.append(1))
    bridge.close()
    qtbot.wait(0)
    assert seen == []
