from __future__ import annotations

from pathlib import Path

import pytest

from model_manager import request_log
from model_manager.request_log import OpenEntry, RequestLog


def add(log: RequestLog, n_requests: int) -> None:
    for number in range(n_requests):
        OpenEntry(log, "GET", "hub.example", f"/file-{number}", why="download").close(200, "")


def paths(log: RequestLog, limit: int) -> list[str]:
    return [record.path for record in log.last(limit)]


@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 16])
def test_the_last_ones_come_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(request_log, "_BLOCK_BYTES", block_bytes)
    add(RequestLog(tmp_path / "network.jsonl"), 20)
    later = RequestLog(tmp_path / "network.jsonl")  # another run
    assert later.records() == ()
    assert paths(later, 3) == ["/file-17", "/file-18", "/file-19"]
    assert len(later.last(100)) == 20


def test_without_a_file_this_run_is_told(tmp_path: Path) -> None:
    for log in (RequestLog(), RequestLog(tmp_path / "none.jsonl")):
        assert log.last(5) == ()
    log = RequestLog()
    add(log, 4)
    assert paths(log, 2) == ["/file-2", "/file-3"]


def test_lines_that_are_no_records_are_left_out(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "network.jsonl")
    add(log, 1)
    with (tmp_path / "network.jsonl").open("ab") as file:
        file.write(
            b'{"at": "2026-01-01", "host": 1}\n[]\nnull\n\xff\xfe\n{"at": 5, "method": "GET", "host": "h",'
        )
        file.write(b'"path": "/", "status": 200, "received_bytes": 1, "why": ""}\n{"at": "20')
    assert paths(log, 10) == ["/file-0"]
    assert (tmp_path / "network.jsonl").read_bytes().endswith(b'{"at": "20')


def test_a_later_version_may_say_more(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "network.jsonl")
    add(log, 1)
    text = (tmp_path / "network.jsonl").read_text("utf-8")
    (tmp_path / "network.jsonl").write_text(text.replace("{", '{"new": 1, ', 1), "utf-8")
    assert paths(log, 10) == ["/file-0"]
