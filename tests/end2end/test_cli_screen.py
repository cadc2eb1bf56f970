"""`coterie chat` as a person at a terminal sees it."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.cli import command, environment

_DEADLINE_S = 60


@contextmanager
def on_a_terminal(*arguments: str, data_dir: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The program and the person's end of its terminal."""
    person, program_end = pty.openpty()
    try:
        with subprocess.Popen(
            command(data_dir, *arguments),
            stdin=program_end,
            stdout=program_end,
            stderr=program_end,
            env=environment({"TERM": "xterm", "LC_ALL": "C.UTF-8"}),
        ) as program:
            os.close(program_end)
            try:
                yield program, person
            finally:
                program.kill()
    finally:
        os.close(person)


def read_all(person: int) -> str:
    """What is shown until the program ends."""
    shown = b""
    while True:
        try:
            piece = os.read(person, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not piece:
            break
        shown += piece
    return shown.decode(errors="replace")


def test_loading_is_shown_and_makes_room_for_the_answer(tmp_path: Path) -> None:
    arguments = ("chat", "--seed", "1", "--max-tokens", "4", "Hello")
    with on_a_terminal(*arguments, data_dir=tmp_path / "data") as (program, person):
        shown = read_all(person)
        assert program.wait(_DEADLINE_S) == 0
    assert "Loading" in shown
    after = shown[shown.rindex("Loading") :]
    assert "\r\x1b[K" in after  # the line was cleared
    assert "tokens" in after  # and the answer with its facts came later


def test_nothing_is_drawn_for_a_script(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "data", "chat", "--max-tokens", "4", "Hello"),
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        env=environment(),
        check=True,
    )
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
