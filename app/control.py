"""The control socket: how a second program on a data folder uses the first.

The owner of a data folder listens; a command that finds an owner sends what was typed and becomes its
terminal. Messages are JSON objects, one a frame of `multiprocessing.connection` (never pickle):

    command -> owner   {"type": "run", "argv": [...], "cwd": ..., "is_interactive": ..., "is_screen": ...,
                        "n_columns": ..., "variables": {name: value}}
                       {"type": "raise"}                      show the window
                       {"type": "line", "text": str | null}   answers "read"; null at the end of the input
                       {"type": "interrupt"}                  Ctrl+C
    owner -> command   {"type": "out" | "err", "text": ...}
                       {"type": "read", "prompt": ...}        wants a line of the input
                       {"type": "exit", "code": ...}          the last
                       {"type": "busy"}                       the owner is about to end; look for another

Unknown fields and unknown types are ignored. A closed connection is the wish to stop. Both ends prove that
they know the key that stands in `owner.json`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

from app.console import VARIABLES, Console, Interrupts, Terminal
from app.errors import Interrupted, OwnerGone

log = logging.getLogger(__name__)

_MAX_MESSAGE_BYTES = 16 * 2**20
# A visitor that does not read, or never spoke, is not waited for longer at the end.
_FAREWELL_S = 3.0
# What multiprocessing.connection raises when the other end is gone or is not one of us.
_LOST = (EOFError, OSError, AuthenticationError)

RunCommand = Callable[[Sequence[str], Console], int]
_Message = dict[str, Any]


class OwnerBusy(Exception):
    """The owner is ending and takes no more commands."""


class RemoteConsole:
    """The terminal of another process, as a command in the owner sees it. One thread reads its connection."""

    def __init__(self, connection: _Channel, hello: _Message) -> None:
        self._connection = connection
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._is_gone = False
        self.interrupts = Interrupts()
        self.cwd = Path(str(hello.get("cwd", ".")))
        self.is_interactive = bool(hello.get("is_interactive"))
        self.is_screen = bool(hello.get("is_screen"))
        self.n_columns = int(hello.get("n_columns", 80))
        variables = hello.get("variables")
        self._variables = variables if isinstance(variables, dict) else {}

    def variable(self, name: str) -> str | None:
        """See `Console`."""
        value = self._variables.get(name)
        return value if isinstance(value, str) and value else None

    def out(self, text: str) -> None:
        """See `Console`."""
        self._send({"type": "out", "text": text})

    def err(self, text: str) -> None:
        """See `Console`."""
        with contextlib.suppress(Interrupted):
            self._send({"type": "err", "text": text})

    def read_line(self, prompt: str = "") -> str | None:
        """See `Console`."""
        self._send({"type": "read", "prompt": prompt})
        line = self._lines.get()
        if self._is_gone:
            raise Interrupted
        return line

    def on_interrupt(self, act: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """See `Console`."""
        return self.interrupts.to(act)

    def hang_up(self) -> None:
        """The other end is gone, or must be treated so: whatever runs or waits for it stops."""
        self._is_gone = True
        self.interrupts.press()
        self._lines.put(None)

    def take(self, message: _Message) -> None:
        """Act on one message of the other end."""
        if message.get("type") == "line":
            text = message.get("text")
            self._lines.put(None if text is None else str(text))
        elif message.get("type") == "interrupt" and not self.interrupts.press():
            self.hang_up()

    def _send(self, message: _Message) -> None:
        if self._is_gone:
            raise Interrupted
        try:
            self._connection.send(message)
        except OSError as error:
            raise Interrupted from error


class ControlServer:
    """Listens for other programs on this data folder and runs what they ask for, each on its own thread."""

    def __init__(self, address: str, key: bytes) -> None:
        self.address = address
        self._key = key
        self._listener = Listener(address, backlog=16)
        if sys.platform != "win32":
            os.chmod(address, 0o600)
        self._run: RunCommand | None = None
        self._on_raise: Callable[[], None] | None = None
        self._is_serving = threading.Event()
        self._is_closing = False  # no more commands are taken
        self._is_ended = False  # no more visitors are
        self._changed = threading.Condition()
        self._consoles: set[RemoteConsole] = set()
        self._threads: set[threading.Thread] = set()
        self._acceptor = threading.Thread(target=self._accept, name="control", daemon=True)
        self._acceptor.start()

    def serve(self, run: RunCommand, on_raise: Callable[[], None] | None = None) -> None:
        """From now on run commands; those that came before waited for this.

        Args:
            run: Called on a thread of its own for each command; returns its exit code.
            on_raise: Called on a thread of the server when a second window was asked for; None says there is
                no window here.
        """
        with self._changed:
            self._run, self._on_raise = run, on_raise
        self._is_serving.set()

    def rest(self) -> None:
        """Stop what runs for others; commands that come wait until `serve` is called again."""
        with self._changed:
            self._is_serving.clear()
            self._run = self._on_raise = None
            for console in self._consoles:
                console.hang_up()
            self._changed.wait_for(lambda: not self._consoles, _FAREWELL_S)

    @property
    def n_running(self) -> int:
        """Commands that run for others at this moment."""
        with self._changed:
            return len(self._consoles)

    def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Take no more commands and wait for those that run; False when they are not done in time."""
        with self._changed:
            self._is_closing = True
            return self._changed.wait_for(lambda: not self._consoles, timeout_s)

    def close(self) -> None:
        """Stop whatever still runs for others, tell them, and stop listening. May be called twice."""
        with self._changed:
            self._is_closing = self._is_ended = True
            consoles = list(self._consoles)
        self._is_serving.set()
        for console in consoles:
            console.hang_up()
        # A blocked accept() is not woken by closing its socket; a visitor wakes it.
        with contextlib.suppress(*_LOST):
            Client(self.address).close()
        self._acceptor.join()
        self._listener.close()
        deadline = time.monotonic() + _FAREWELL_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except _LOST:
                if self._is_ended:
                    return
                log.info("a visitor left at the door")
                continue
            if self._is_ended:
                connection.close()
                return
            thread = threading.Thread(target=self._visit, args=(connection,), name="visitor", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _visit(self, connection: Connection) -> None:
        try:
            with connection:
                # Not by the Listener: a visitor who says nothing would keep all others waiting.
                deliver_challenge(connection, self._key)
                answer_challenge(connection, self._key)
                self._serve(_Channel(connection))
        except _LOST as error:
            log.info("a visitor left: %s", error)
        finally:
            self._threads.discard(threading.current_thread())

    def _serve(self, channel: _Channel) -> None:
        hello = channel.receive()
        self._is_serving.wait()
        on_raise = self._on_raise
        if hello.get("type") == "raise" and on_raise is not None and not self._is_closing:
            on_raise()
            channel.send({"type": "exit", "code": 0})
            return
        console = RemoteConsole(channel, hello)
        with self._changed:
            run = self._run
            if self._is_closing or run is None or hello.get("type") != "run":
                channel.send({"type": "busy"})
                return
            self._consoles.add(console)
        argv = [str(argument) for argument in hello.get("argv", ())]
        worker = threading.Thread(
            target=self._work, args=(channel, console, run, argv), name="relayed command", daemon=True
        )
        worker.start()
        try:
            while True:
                console.take(channel.receive())
        except _LOST:
            console.hang_up()
        worker.join()

    def _work(self, channel: _Channel, console: RemoteConsole, run: RunCommand, argv: Sequence[str]) -> None:
        code = 1
        try:
            code = run(argv, console)
        finally:
            # One that the owner's end has stopped gets no exit code: the other end says what happened.
            if not self._is_ended:
                with contextlib.suppress(OSError):
                    channel.send({"type": "exit", "code": code})
            channel.end()
            with self._changed:
                self._consoles.discard(console)
                self._changed.notify_all()


class _Channel:
    """JSON objects over a connection; any thread may send, one receives."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: _Message) -> None:
        data = json.dumps(message).encode()
        with self._lock:
            self._connection.send_bytes(data)

    def end(self) -> None:
        """Make both ends' `receive` return; the connection itself is closed by the thread that reads it."""
        if sys.platform != "win32":  # a pipe is closed when the other end has read the exit code
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)

    def receive(self) -> _Message:
        """Raises EOFError or OSError when there is no more."""
        data = self._connection.recv_bytes(_MAX_MESSAGE_BYTES)
        try:
            message = json.loads(data)
        except ValueError as error:
            raise OSError("not JSON") from error
        if not isinstance(message, dict):
            raise OSError("not an object")
        return message


class OwnerLink:
    """A connection to the owner of a data folder, as the second program sees it.

    Raises:
        EOFError, OSError: From the constructor, when nobody answers at the address.
    """

    def __init__(self, address: str, key: bytes) -> None:
        connection = Client(address)
        try:
            answer_challenge(connection, key)
            deliver_challenge(connection, key)
        except AuthenticationError as error:
            connection.close()
            raise OSError("the owner does not know our key") from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._channel = _Channel(connection)

    def raise_window(self) -> None:
        """Ask the owner to show its window.

        Raises:
            OwnerBusy: It has none, or is ending.
            OwnerGone: It ended meanwhile.
        """
        with self._connection, self._lost_means_gone():
            self._channel.send({"type": "raise"})
            if self._channel.receive().get("type") != "exit":
                raise OwnerBusy

    def run(self, argv: Sequence[str], terminal: Terminal) -> int:
        """Run a command in the owner with our terminal; returns its exit code.

        Raises:
            OwnerBusy: It takes no more commands; nothing was run.
            OwnerGone: It ended before the command did.
            Interrupted: Somebody here wants to stop at once; the owner stops when it sees us leave.
        """
        hello = {
            "type": "run",
            "argv": list(argv),
            "cwd": str(terminal.cwd),
            "is_interactive": terminal.is_interactive,
            "is_screen": terminal.is_screen,
            "n_columns": terminal.n_columns,
            "variables": {
                name: value for name in VARIABLES if (value := terminal.variable(name)) is not None
            },
        }
        with self._connection, self._lost_means_gone(), self._outgoing() as put:
            put(hello)
            with terminal.on_interrupt(lambda: put({"type": "interrupt"})):
                while True:
                    message = self._channel.receive()
                    match message.get("type"):
                        case "out":
                            terminal.out(str(message["text"]))
                        case "err":
                            terminal.err(str(message["text"]))
                        case "read":
                            put(
                                {"type": "line", "text": self._read(terminal, str(message.get("prompt", "")))}
                            )
                        case "exit":
                            return int(message["code"])
                        case "busy":
                            raise OwnerBusy

    @staticmethod
    def _read(terminal: Terminal, prompt: str) -> str | None:
        # At the prompt there is nothing to stop but the command itself; a blocked read must be left at once.
        def leave() -> None:
            raise Interrupted

        with terminal.on_interrupt(leave):
            return terminal.read_line(prompt)

    @contextlib.contextmanager
    def _outgoing(self) -> Iterator[Callable[[_Message], None]]:
        """A way to send that a signal handler may use in the middle of another send."""
        outgoing: queue.SimpleQueue[_Message | None] = queue.SimpleQueue()

        def send() -> None:
            with contextlib.suppress(OSError):
                while (message := outgoing.get()) is not None:
                    self._channel.send(message)

        thread = threading.Thread(target=send, name="to owner", daemon=True)
        thread.start()
        try:
            yield outgoing.put
        finally:
            outgoing.put(None)

    @contextlib.contextmanager
    def _lost_means_gone(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            raise OwnerGone from error
