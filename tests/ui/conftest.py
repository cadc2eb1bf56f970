"""Each test here begins with the light theme in English, at normal size, and ends so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication

from ui import i18n, theme


@pytest.fixture(autouse=True)
def plain_look(qapp: QApplication) -> Iterator[None]:
    i18n.set_language("en")
    yield
    i18n.set_language("en")
    if theme.zoom_percent() != 100:
        theme.set_zoom(100)
    theme.apply("light")
