"""PySide6 6.12.0 takes a reference of None with every void call; the program has to survive millions."""

from __future__ import annotations

import sys

from PySide6.QtCore import QSize

import ui


def test_none_outlives_the_calls_of_a_long_day() -> None:
    assert ui.__doc__
    assert sys.version_info >= (3, 12) or sys.getrefcount(None) > 1 << 50
    size = QSize()
    for width in range(50_000):
        size.setWidth(width)
    assert size.width() == 49_999
