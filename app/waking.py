"""Sees to it that a signal is noticed at once, whichever thread of the process the system gives it to.

Python's handlers run on the main thread alone. Where another thread got the signal, Python only makes a note
of it, and a main thread that sleeps in a lock or a read does not look: one Ctrl+C in some dozens went by
unnoticed while others of our threads were busy. So a thread listens for such notes and wakes it.
Source: `signal.set_wakeup_fd`; Linux kernel/signal.c, `complete_signal`
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Final

_PAUSES_S: Final = (0.0, 0.02, 0.2)
"""Once may be too early: the main thread has looked for the last time, and does not sleep yet."""


@contextlib.contextmanager
def waking_main_thread() -> Iterator[None]:
    """While inside, a signal with a Python handler ends the main thread's sleep; enter it there."""
    if sys.platform == "win32":  # signals of the console are no signals there
        yield
        return
    number = signal.SIGURG  # means nothing here, and is ignored wherever nobody handles it
    main = threading.get_ident()
    ended = threading.Event()
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def wake() -> None:
        while numbers := reader.recv(64):
            for pause_s in _PAUSES_S if numbers.strip(bytes([number])) else ():
                if ended.wait(pause_s):
                    return
                signal.pthread_kill(main, number)

    thread = threading.Thread(target=wake, name="wake-main", daemon=True)
    before = signal.signal(number, lambda _number, _frame: None)
    descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        ended.set()
        writer.close()
        thread.join()
        reader.close()
        signal.signal(number, before)
