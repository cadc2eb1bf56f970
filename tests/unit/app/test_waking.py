"""Signals that the system gave to another thread than the main one."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from app.waking import waking_main_thread

_SCRIPT = """
import signal, sys, threading
from pathlib import Path
from app.console import Terminal
from app.errors import Interrupted

main = threading.get_native_id()

def take() -> None:
    while Path(f"/proc/self/task/{main}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        pass
    signal.pthread_kill(threading.get_ident(), getattr(signal, sys.argv[1]))

with Terminal().signals():
    threading.Thread(target=take, daemon=True).start()
    try:
        threading.Event().wait()
    except Interrupted:
        print("noticed")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc whether the main thread sleeps")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_another_thread_got_is_noticed_by_a_main_thread_that_sleeps(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, name], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("noticed\n", "")


def test_nothing_is_left_behind() -> None:
    before = signal.set_wakeup_fd(-1), signal.getsignal(signal.SIGURG), threading.active_count()
    with waking_main_thread():
        assert threading.active_count() == before[2] + 1
    assert (signal.set_wakeup_fd(-1), signal.getsignal(signal.SIGURG), threading.active_count()) == before
