"""Passive widgets: they receive values and emit intentions. Only this package speaks to people."""

from __future__ import annotations

import ctypes
import sys


def _make_constants_immortal() -> None:
    """Give None, True and False more references than can be taken away, as Python 3.12 and later do.

    WORKAROUND PySide6 6.12.0 returns None from every void function without taking a reference, and True or
    False from some, so that Python 3.10 and 3.11 abort with "none_dealloc" after some thousand calls (6.11.3
    does not; measured with `sys.getrefcount(None)` around `QSize.setWidth`). Remove with the first PySide6
    that counts again.
    """
    for constant in (None, True, False):
        if sys.version_info < (3, 12) and sys.getrefcount(constant) < 1 << 40:
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 60


_make_constants_immortal()
