"""A command that runs in another process: what goes there, what comes back, and how it ends."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import Client
from pathlib import Path

import pytest

from app import control
from app.console import Console, Interrupts
from app.control import OwnerBusy, OwnerLink
from app.errors import Interrupted, OwnerGone
from app.owner import Owner, connect
from app.paths import Paths


class Screen:
    """A terminal of a test: what is typed is given, what is written is kept."""

    def __init__(self, *lines: str, cwd: Path = Path("/somewhere")) -> None:
        self.cwd = cwd
        self.is_interactive = True
        self.is_screen = False
        self.n_columns = 72
        self.interrupts = Interrupts()
        self.variables: dict[str, str] = {}
        self.written: list[tuple[str, str]] = []
        self.changed = threading.Condition()
        self._lines = iter(lines)

    def out(self, text: str) -> None:
        with self.changed:
            self.written.append(("out", text))
            self.changed.notify_all()

    def err(self, text: str) -> None:
        self.written.append(("err", text))

    def read_line(self, prompt: str = "") -> str | None:
        self.written.append(("prompt", prompt))
        return next(self._lines, None)

    def variable(self, name: str) -> str | None:
        return self.variables.get(name)

    def on_interrupt(self, act: Callable[[], None]) -> AbstractContextManager[None]:
        return self.interrupts.to(act)

    def wait_for(self, text: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: ("out", text) in self.written, 20), self.written


def link_to(paths: Paths) -> OwnerLink:
    link = connect(paths)
    assert link is not None
    return link


class Background:
    """Runs a command through the owner beside the test."""

    def __init__(self, paths: Paths, screen: Screen) -> None:
        self.code: int | None = None
        self.error: BaseException | None = None
        self._link = link_to(paths)
        self._screen = screen
        self._thread = threading.Thread(target=self._run, name="second program")
        self._thread.start()

    def _run(self) -> None:
        try:
            self.code = self._link.run(["wait"], self._screen)  # type: ignore[arg-type]  # all that is used of it
        except BaseException as error:  # noqa: BLE001 : the test looks at it
            self.error = error

    def end(self) -> Background:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self


@pytest.fixture
def stopped() -> threading.Event:
    return threading.Event()


@pytest.fixture
def waiting_owner(owner: Owner, stopped: threading.Event) -> Owner:
    """Its commands say that they have begun, and wait to be stopped."""

    def run(_argv: Sequence[str], console: Console) -> int:
        here = threading.Event()
        with console.on_interrupt(here.set):
            console.out("begun")
            here.wait(20)
        stopped.set()
        with contextlib.suppress(Interrupted):
            console.out("stopped")
        return 3

    owner.control.serve(run)
    return owner


def run(paths: Paths, screen: Screen, *argv: str) -> int:
    return link_to(paths).run(argv, screen)  # type: ignore[arg-type]  # all that is used of it


def test_everything_goes_there_and_back(paths: Paths, owner: Owner) -> None:
    def command(argv: Sequence[str], console: Console) -> int:
        facts = (console.cwd, console.is_interactive, console.is_screen, console.n_columns)
        console.out(f"{list(argv)} {facts}\n")
        console.err("careful\n")
        while (line := console.read_line("> ")) is not None:
            console.out(f"read {line}\n")
        return 7

    owner.control.serve(command)
    screen = Screen("one", "", "两", cwd=Path("/far/away"))
    assert run(paths, screen, "chat", "--json") == 7
    assert screen.written == [
        ("out", f"['chat', '--json'] {(Path('/far/away'), True, False, 72)}\n"),
        ("err", "careful\n"),
        ("prompt", "> "),
        ("out", "read one\n"),
        ("prompt", "> "),
        ("out", "read \n"),
        ("prompt", "> "),
        ("out", "read 两\n"),
        ("prompt", "> "),
    ]


def test_variables_of_the_asking_terminal_travel(paths: Paths, owner: Owner) -> None:
    def command(_argv: Sequence[str], console: Console) -> int:
        console.out(f"{console.variable('COTERIE_ENGINE_KEY')} {console.variable('COTERIE_API_KEY')}")
        return 0

    owner.control.serve(command)
    screen = Screen()
    screen.variables = {"COTERIE_ENGINE_KEY": "hush"}
    assert run(paths, screen, "chat") == 0
    assert screen.written == [("out", "hush None")]


def test_many_at_once(paths: Paths, owner: Owner) -> None:
    everyone = threading.Barrier(5)

    def command(argv: Sequence[str], console: Console) -> int:
        everyone.wait(20)  # only together do they go on
        console.out(argv[0])
        return int(argv[0])

    owner.control.serve(command)
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: codes.append(run(paths, Screen(), str(n)))) for n in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(codes) == [0, 1, 2, 3, 4]


def test_commands_that_come_before_the_owner_is_ready_wait(paths: Paths, owner: Owner) -> None:
    screen = Screen()
    early = Background(paths, screen)
    owner.control.serve(lambda _argv, console: console.out("late") or 0)
    assert early.end().code == 0
    assert screen.written == [("out", "late")]


def test_ctrl_c_reaches_the_command(paths: Paths, waiting_owner: Owner) -> None:
    screen = Screen()
    second = Background(paths, screen)
    screen.wait_for("begun")
    assert screen.interrupts.press()
    assert second.end().code == 3
    assert ("out", "stopped") in screen.written


def test_leaving_stops_the_command(paths: Paths, waiting_owner: Owner, stopped: threading.Event) -> None:
    """Who closes the terminal or is killed wants what Ctrl+C wants."""
    link = link_to(paths)
    link._channel.send({"type": "run", "argv": ["wait"]})
    assert link._channel.receive() == {"type": "out", "text": "begun"}
    link._connection.close()
    assert stopped.wait(20)
    assert waiting_owner.control.wait_idle(20)


def test_ctrl_c_at_a_prompt_ends_the_command(paths: Paths, owner: Owner) -> None:
    ended = threading.Event()

    def command(_argv: Sequence[str], console: Console) -> int:
        try:
            console.read_line()
        except Interrupted:
            ended.set()
            return 5
        return 0

    owner.control.serve(command)
    link = link_to(paths)
    link._channel.send({"type": "run", "argv": []})
    assert link._channel.receive()["type"] == "read"
    link._channel.send({"type": "interrupt"})
    assert ended.wait(20)
    assert link._channel.receive() == {"type": "exit", "code": 5}
    link._connection.close()


def test_closing_the_owner_stops_what_runs_for_others(paths: Paths, waiting_owner: Owner) -> None:
    screen = Screen()
    second = Background(paths, screen)
    screen.wait_for("begun")
    assert waiting_owner.control.n_running == 1
    waiting_owner.close()
    assert isinstance(second.end().error, OwnerGone)


def test_closing_does_not_wait_for_one_who_never_speaks(
    paths: Paths, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_FAREWELL_S", 0.2)
    owner.control.serve(lambda _argv, _console: 0)
    with Client(owner.control.address) as stranger:
        stranger.recv_bytes()  # its challenge, which we do not answer
        assert run(paths, Screen(), "others are served") == 0
        owner.close()
    # The thread that listens to the stranger ends when he leaves; the guard of all tests looks.


def test_owner_that_dies_is_said(paths: Paths, owner: Owner) -> None:
    """Its connection closes without the exit code."""
    release = threading.Event()

    def command(_argv: Sequence[str], console: Console) -> int:
        console.out("begun")
        release.wait(20)
        return 0

    owner.control.serve(command)
    screen = Screen()
    second = Background(paths, screen)
    screen.wait_for("begun")
    # As the kernel does for a dead process: the stream ends. Its own thread still holds the other end.
    end = socket.socket(fileno=os.dup(second._link._connection.fileno()))
    with end:
        end.shutdown(socket.SHUT_RDWR)
    assert isinstance(second.end().error, OwnerGone)
    release.set()


def test_no_more_commands_once_it_waits_for_the_last(paths: Paths, waiting_owner: Owner) -> None:
    screen = Screen()
    second = Background(paths, screen)
    screen.wait_for("begun")
    assert not waiting_owner.control.wait_idle(0.01)
    with pytest.raises(OwnerBusy):
        run(paths, Screen(), "too late")
    screen.interrupts.press()
    second.end()
    assert waiting_owner.control.wait_idle(20)


def test_window_is_raised(paths: Paths, owner: Owner) -> None:
    raised = threading.Event()
    owner.control.serve(lambda _argv, _console: 0, raised.set)
    link_to(paths).raise_window()
    assert raised.is_set()


def test_owner_without_a_window_says_so(paths: Paths, owner: Owner) -> None:
    owner.control.serve(lambda _argv, _console: 0)
    with pytest.raises(OwnerBusy):
        link_to(paths).raise_window()


@pytest.mark.parametrize("data", [b"", b"not json", b"[]", b"\xff", b'{"type": "unknown"}'])
def test_nonsense_ends_its_connection_and_nothing_else(paths: Paths, owner: Owner, data: bytes) -> None:
    owner.control.serve(lambda _argv, _console: 0)
    link = link_to(paths)
    link._connection.send_bytes(data)
    with pytest.raises((EOFError, OSError, AssertionError)):
        assert link._channel.receive() != {"type": "busy"}
    link._connection.close()
    assert run(paths, Screen(), "still served") == 0


def test_commands_that_come_while_it_rests_wait_and_those_that_run_are_stopped(
    paths: Paths, waiting_owner: Owner, stopped: threading.Event
) -> None:
    screen, later = Screen(), Screen()
    running = Background(paths, screen)
    screen.wait_for("begun")
    waiting_owner.control.rest()
    assert stopped.is_set()
    assert running.end().code != 0
    waiting = Background(paths, later)
    waiting_owner.control.serve(lambda _argv, console: console.out("served") or 5)
    assert waiting.end().code == 5
    assert later.written == [("out", "served")]
