"""kill -9 of the real program at random moments while it streams: nothing acknowledged is lost."""

from __future__ import annotations

import itertools
import json
import os
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.helpers.cli import coterie, start, succeed

N_KILLS = int(os.environ.get("COTERIE_KILLS", "16"))
"""A start takes two seconds; `make torture` takes 50."""


def rows(data_dir: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(data_dir / "coterie.sqlite")
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


@pytest.mark.timeout(900)  # that many starts of the whole program
def test_kills_while_it_streams(tmp_path: Path) -> None:
    """One data folder that accumulates, as a person's would; each start meets what the last kill left."""
    data_dir = tmp_path / "data"
    chance = random.Random(9)
    finished: dict[int, str] = {}
    for number in range(N_KILLS):
        question = f"Question {number}: tell me a long story."
        # Some are killed before the first token, some after the end of a short answer, most in the middle.
        n_tokens = chance.choice([3, 400, 400, 400])
        printed = stream_and_kill(data_dir, question, n_tokens, n_lines=chance.randrange(0, 50))
        if not (data_dir / "coterie.sqlite").exists():
            continue  # killed before it had made the file
        assert rows(data_dir, "PRAGMA integrity_check") == [("ok",)]
        if printed:
            assert rows(data_dir, "SELECT 1 FROM parts WHERE text = ?", question) == [(1,)]
        if printed and printed[-1]["type"] == "done":
            finished[printed[-1]["message_id"]] = "".join(event["text"] for event in printed[:-1])
    succeed(coterie(data_dir, "conversations", "list"))
    assert finished, "no answer ended before its kill: the test proves too little"
    for message_id, text in finished.items():
        assert rows(data_dir, "SELECT status FROM messages WHERE id = ?", message_id) == [("complete",)]
        assert rows(data_dir, "SELECT text FROM parts WHERE message_id = ?", message_id) == [(text,)]
    assert rows(data_dir, "SELECT count(*) FROM messages WHERE status = 'streaming'") == [(0,)]
    assert rows(data_dir, "SELECT count(*) FROM messages WHERE status = 'interrupted'")[0][0] > N_KILLS // 3


def stream_and_kill(data_dir: Path, question: str, n_tokens: int, n_lines: int) -> list[dict[str, Any]]:
    """Start, read so many lines, kill; returns all lines that were printed."""
    arguments = ("chat", "--json", "-m", "starter-dense", "--max-tokens", str(n_tokens), question)
    with start(data_dir, *arguments) as program:
        assert program.stdout is not None
        if n_lines == 0:
            time.sleep(random.Random(question).random())  # a random moment is what this test is about
        lines = list(itertools.islice(program.stdout, n_lines))
        workers = psutil.Process(program.pid).children(recursive=True) if program.poll() is None else []
        program.kill()
        lines += program.stdout.readlines()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "a worker outlived the program"
    return [json.loads(line) for line in lines if line.endswith("\n")]


def test_killed_program_keeps_what_was_flushed(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with start(data_dir, "chat", "--json", "--max-tokens", "2000", "Tell me a very long story.") as program:
        assert program.stdout is not None
        printed = json.loads(program.stdout.readline())["text"]
        deadline = time.monotonic() + 30
        flushed = ""
        while not flushed:  # the program streams on; the row is the only sign of a flush
            assert time.monotonic() < deadline
            flushed = "".join(text for (text,) in rows(data_dir, "SELECT text FROM chunks ORDER BY id"))
        program.kill()
    succeed(coterie(data_dir, "conversations", "list"))
    assert rows(data_dir, "SELECT status FROM messages WHERE role = 'assistant'") == [("interrupted",)]
    ((kept,),) = rows(data_dir, "SELECT text FROM parts WHERE message_id = 2")
    assert kept.startswith(flushed)
    assert kept.startswith(printed)
