"""The terminal of this process, and whom the wish to stop reaches."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys

import pytest

from app.console import Interrupts, Terminal
from app.errors import Interrupted


class Pressed:
    """Counts how often it was told to stop."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self) -> None:
        self.n += 1


def test_nobody_takes_care() -> None:
    assert Interrupts().press() is False


def test_first_press_is_taken_care_of_and_the_second_is_not() -> None:
    interrupts, act = Interrupts(), Pressed()
    with interrupts.to(act):
        assert interrupts.press() is True
        assert interrupts.press() is False
    assert act.n == 2
    assert interrupts.press() is False


def test_innermost_is_told() -> None:
    interrupts, outer, inner = Interrupts(), Pressed(), Pressed()
    with interrupts.to(outer):
        with interrupts.to(inner):
            interrupts.press()
        interrupts.press()
    assert (outer.n, inner.n) == (1, 1)


def test_each_answer_starts_with_a_first_press() -> None:
    interrupts = Interrupts()
    for _turn in range(2):
        with interrupts.to(Pressed()):
            assert interrupts.press() is True


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this process")
def test_signals_become_the_wish_to_stop() -> None:
    terminal, act = Terminal(), Pressed()
    before = signal.getsignal(signal.SIGINT)
    with terminal.signals():
        with terminal.on_interrupt(act):
            os.kill(os.getpid(), signal.SIGINT)
            assert act.n == 1
            with pytest.raises(Interrupted):
                os.kill(os.getpid(), signal.SIGINT)
        with terminal.on_interrupt(act), pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGINT)
    assert act.n == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_lines_lose_their_ends_and_the_last_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\r\n\ntwo"))
    terminal = Terminal()
    assert [terminal.read_line("› ") for _ in range(4)] == ["one", "", "two", None]
    assert not terminal.is_interactive


def test_streams_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    terminal = Terminal()
    terminal.out("nobody")
    terminal.err("sees this")
    assert terminal.read_line() is None
    assert not terminal.is_screen


def test_reader_that_has_gone_is_the_wish_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = open(writing, "w", encoding="utf-8")  # noqa: SIM115 : closing it fails, see below
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        terminal = Terminal()
        with pytest.raises(Interrupted):
            terminal.out("to nobody")
        terminal.out("no more errors")
        sys.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def test_character_that_the_screen_lacks_is_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    Terminal().out("Grüße 两\n")
    assert raw.getvalue() == b"Gr??e ?\n"
