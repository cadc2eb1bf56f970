"""Where the window and its parts are, as values that can be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QMainWindow, QSplitter, QWidget

_STATE_VERSION = 1


def restore(
    window: QMainWindow,
    splitter: QSplitter,
    sidebar: QWidget,
    geometry_b64: str | None,
    state_b64: str | None,
    sizes: Sequence[int] | None,
) -> None:
    """Put everything where it was; what cannot be read is ignored. A first size of 0 hides the side bar."""
    if geometry_b64:
        window.restoreGeometry(QByteArray.fromBase64(geometry_b64.encode()))
    if state_b64:
        window.restoreState(QByteArray.fromBase64(state_b64.encode()), _STATE_VERSION)
    if sizes and len(sizes) == 2 and sizes[1] > 0:
        sidebar.setVisible(sizes[0] > 0)
        if sizes[0] > 0:
            splitter.setSizes(list(sizes))


def values(window: QMainWindow, splitter: QSplitter, sidebar: QWidget) -> dict[str, Any]:
    """Where everything is, by setting key."""
    sizes = splitter.sizes()
    if not sidebar.isVisibleTo(window):
        sizes[0] = 0
    return {
        "window_geometry": bytes(window.saveGeometry().toBase64().data()).decode(),
        "window_state": bytes(window.saveState(_STATE_VERSION).toBase64().data()).decode(),
        "splitter_sizes": sizes,
    }
