"""`coterie chat` as a person at a terminal sees it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.cli import command, coterie, environment, succeed

_DEADLINE_S = 30


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


def read(person: int, until: str | None = None) -> str:
    """What is shown until there is `until`, or until the program ends."""
    shown = b""
    while until is None or until.encode() not in shown:
        ready, _, _ = select.select([person], [], [], _DEADLINE_S)
        assert ready, f"nothing more came after {shown!r}"
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
        shown = read(person)
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


def test_greeting_names_the_model_of_the_conversation(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    succeed(coterie(data_dir, "chat", "-m", "starter-dense", "--max-tokens", "2", "Hello"))
    with on_a_terminal("chat", "-c", "1", data_dir=data_dir) as (program, person):
        assert "starter-dense" in read(person, until="› ")
        os.write(person, b"\x04")  # Ctrl+D, which ends the input only where a line is read
        read(person)
        assert program.wait(_DEADLINE_S) == 0
