"""How soon the window is there, and what it holds in memory: the real program, and a bare window of PySide6.

    python -m benchmarks.window [--quick] [--json]

From the start of the process (Python's own included) to the first turn of Qt's loop; the program says so in
its log. Files are in the page cache, as they are for whoever starts it a second time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import table
from benchmarks.machine import OthersMeter
from benchmarks.table import Effort, Row

_READY = "window ready"
_SETTLED_S = 3.0
"""After so long the program has done what it leaves for after the start."""

_BARE = f"""
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLineEdit, QListWidget, QMainWindow, QTextEdit
from PySide6.QtWidgets import QVBoxLayout, QWidget
app = QApplication([])
window, middle = QMainWindow(), QWidget()
column = QVBoxLayout(middle)
for widget in (QListWidget(), QTextEdit(), QLineEdit()):
    column.addWidget(widget)
window.setCentralWidget(middle)
window.show()
QTimer.singleShot(0, lambda: print({_READY!r}, file=sys.stderr, flush=True))
app.exec()
"""


def rows(effort: Effort) -> Iterator[Row]:
    """A row for the time, and one for the memory."""
    with tempfile.TemporaryDirectory(prefix="coterie-") as folder:
        ours = [sys.executable, "-P", "-m", "app", "-v", "--data-dir", str(Path(folder) / "data")]
        bare = [sys.executable, "-c", _BARE]
        _measure(ours)  # makes the data folder
        with OthersMeter() as meter:
            pairs = [(_measure(ours), _measure(bare)) for _ in range(effort.pairs(7))]
    for n, (what, unit, target) in enumerate(
        (("window ready", "ms", 600.0), ("resident memory of the window", "MB", 120.0))
    ):
        mine = tuple(pair[0][n] for pair in pairs)
        theirs = statistics.median(pair[1][n] for pair in pairs)
        yield Row(
            what=what,
            model="",
            ours=f"{statistics.median(mine):.0f} {unit}",
            peer=f"bare PySide6 window {theirs:.0f} {unit}",
            figure=statistics.median(mine),
            target=target,
            sense="at most",
            unit=unit,
            spread=mine,
            others_cores=meter.cores,
        )


def _measure(command: list[str]) -> tuple[float, float]:
    """Milliseconds until it is ready, and its resident memory in MB some seconds later."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    began_s = time.perf_counter()
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if _READY in line:
                    break
            else:
                raise RuntimeError(f"{command[0]} did not open a window")
            ready_s = time.perf_counter() - began_s
            time.sleep(_SETTLED_S)
            memory_bytes = psutil.Process(process.pid).memory_info().rss
        finally:
            process.terminate()
    return 1000 * ready_s, memory_bytes / 1e6


if __name__ == "__main__":
    table.main(rows, __doc__)
