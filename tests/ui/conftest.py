"""Each test here begins and ends with the light theme in English at normal size, and with no widget left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from ui import i18n, theme


@pytest.fixture(autouse=True)
def plain_look(qapp: QApplication) -> Iterator[None]:
    i18n.set_language("en")
    yield
    # pytest-qt asks Qt to delete the widgets later; outside an event loop that would be never.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    i18n.set_language("en")
    if theme.zoom_percent() != 100:
        theme.set_zoom(100)
    if theme.is_dark():
        theme.apply("light")
