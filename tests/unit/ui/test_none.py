"""The pinned PySide6 counts references: 6.12.0 loses one of None with every void call on Python 3.11.

A program with that version aborts in `none_dealloc` after some thousand calls.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QSize


def test_void_calls_leave_none_alone() -> None:
    size = QSize()
    before = sys.getrefcount(None)
    for width in range(1_000):
        size.setWidth(width)
    assert abs(sys.getrefcount(None) - before) < 100
