"""Telling the desktop what ended while nobody looked."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtWidgets import QSystemTrayIcon, QWidget
from pytestqt.qtbot import QtBot

from ui.tray import Tray


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: True))
    monkeypatch.setattr(QSystemTrayIcon, "show", lambda _icon: None)
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda _icon, *words: told.append(words[:2]))
    return told


def test_a_window_in_the_background_is_spoken_for(qtbot: QtBot, shown: list[tuple[Any, ...]]) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    tray = Tray(window)
    assert tray.tell("Done", "All of it.")
    assert shown == [("Done", "All of it.")]


def test_who_looks_needs_no_notification(
    qtbot: QtBot, shown: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    monkeypatch.setattr(window, "isActiveWindow", lambda: True)
    assert not Tray(window).tell("Done", "All of it.")
    assert shown == []


def test_a_desktop_without_a_place_for_it_is_left_alone(
    qtbot: QtBot, shown: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: False))
    window = QWidget()
    qtbot.addWidget(window)
    assert not Tray(window).tell("Done", "All of it.")
    assert shown == []
