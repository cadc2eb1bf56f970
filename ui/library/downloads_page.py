"""Fetching models: what to fetch, how far everything has come, and what is in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from model_manager.types import DownloadSnapshot, DownloadStatus
from ui import formats, icons, theme
from ui.flow import FlowLayout
from ui.i18n import tr, trn
from ui.library.cards import Cards
from ui.library.download_limits import DownloadLimitsRow
from ui.library.download_rows import DownloadRow
from ui.question import Question

_QUEUE: tuple[DownloadStatus, ...] = ("running", "verifying", "queued", "paused")
_ORDER: tuple[tuple[DownloadStatus, ...], ...] = (
    _QUEUE,
    ("failed",),
    ("done", "cancelled"),
)
_OVER: tuple[DownloadStatus, ...] = ("done", "cancelled")


class DownloadsPage(QWidget):
    """A field for a reference above the list of downloads.

    Signals:
        download_requested: The reference as typed.
        pause_requested, resume_requested, cancel_requested: download id; one that is over is forgotten.
        pause_all_requested, resume_all_requested: What was pressed.
        move_requested: download id, `DownloadPlace`.
        chat_requested: The name of what was downloaded.
        setting_changed: key, value: of the limits.
    """

    download_requested = Signal(str)
    pause_requested = Signal(object)
    resume_requested = Signal(object)
    cancel_requested = Signal(object)
    pause_all_requested = Signal()
    resume_all_requested = Signal()
    move_requested = Signal(object, str)
    chat_requested = Signal(str)
    setting_changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._snapshots: dict[int, DownloadSnapshot] = {}
        self._free: tuple[int, Path] | None = None
        self.reference_label = QLabel()
        self.reference_field = QLineEdit()
        self.reference_label.setBuddy(self.reference_field)
        self.start_button = QPushButton()
        self.start_button.setProperty("primary", True)
        self.help_label = QLabel()
        self.help_label.setProperty("muted", True)
        self.help_label.setWordWrap(True)
        self.sum_label = QLabel()
        self.sum_label.setProperty("muted", True)
        self.sum_label.setWordWrap(True)
        self.pause_all_button = QPushButton(icons.icon("pause"), "")
        self.resume_all_button = QPushButton(icons.icon("play"), "")
        self.clear_button = QPushButton()
        self.limits = DownloadLimitsRow()
        self.cards = Cards()

        line = QHBoxLayout()
        line.setSpacing(theme.SPACING)
        line.addWidget(self.reference_field, 1)
        line.addWidget(self.start_button)
        steer = QWidget()
        flow = FlowLayout(theme.SPACING, steer)
        for widget in (self.pause_all_button, self.resume_all_button, self.clear_button, self.limits):
            flow.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 12, 20, 16)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.reference_label)
        column.addLayout(line)
        column.addWidget(self.help_label)
        column.addSpacing(theme.SPACING)
        column.addWidget(steer)
        column.addWidget(self.sum_label)
        column.addWidget(self.cards, 1)

        self.start_button.clicked.connect(self._on_start)
        self.reference_field.returnPressed.connect(self._on_start)
        self.reference_field.textChanged.connect(self._refresh_start)
        self.clear_button.clicked.connect(self._on_clear)
        self.pause_all_button.clicked.connect(self.pause_all_requested)
        self.resume_all_button.clicked.connect(self.resume_all_requested)
        self.limits.setting_changed.connect(self.setting_changed)
        self._retranslate()
        self._refresh_start()

    def set_downloads(self, snapshots: Sequence[DownloadSnapshot]) -> None:
        """All downloads now: what is under way first, then what needs a hand, then what is over."""
        self._snapshots = {snapshot.id: snapshot for snapshot in snapshots}
        for key in self.cards.all_keys():
            if key not in self._snapshots:
                self.cards.remove(key)
        for snapshot in snapshots:
            row = self.cards.card(snapshot.id)
            if isinstance(row, DownloadRow):
                row.set_snapshot(snapshot)
            else:
                self._add_row(snapshot)
        self.cards.set_order(
            [snapshot.id for group in _ORDER for snapshot in snapshots if snapshot.status in group]
        )
        queue = [snapshot.id for snapshot in snapshots if snapshot.status in _QUEUE]
        for snapshot in snapshots:
            row = self.cards.card(snapshot.id)
            assert isinstance(row, DownloadRow)
            is_queued = snapshot.id in queue
            row.set_neighbours(
                has_before=is_queued and snapshot.id != queue[0],
                has_after=is_queued and snapshot.id != queue[-1],
            )
        self._show_sum()

    def set_settings(self, values: Mapping[str, Any]) -> None:
        """All settings; the limits are among them."""
        self.limits.set_values(values)

    def set_free_space(self, free_bytes: int, folder: Path) -> None:
        """How much room the disk of the models has."""
        self._free = free_bytes, folder
        self._show_sum()

    def take_focus(self) -> None:
        """Put the keyboard where one begins."""
        self.reference_field.setFocus()

    def _add_row(self, snapshot: DownloadSnapshot) -> None:
        row = DownloadRow(snapshot)
        row.pause_requested.connect(self.pause_requested)
        row.resume_requested.connect(self.resume_requested)
        row.cancel_requested.connect(self._on_cancel)
        row.chat_requested.connect(self.chat_requested)
        row.move_requested.connect(self.move_requested)
        self.cards.add(snapshot.id, row)

    def _on_start(self) -> None:
        reference = self.reference_field.text().strip()
        if reference:
            self.reference_field.clear()
            self.download_requested.emit(reference)

    def _on_cancel(self, download_id: int) -> None:
        snapshot = self._snapshots[download_id]
        is_over = snapshot.status in _OVER
        if (
            not is_over
            and snapshot.received_bytes
            and not Question.ask(
                self,
                tr("Cancel the download of “{name}”?", name=snapshot.name or snapshot.ref),
                tr(
                    "The {size} that have arrived are deleted. To go on later, pause it instead.",
                    size=formats.size(snapshot.received_bytes),
                ),
                tr("Cancel the download"),
            )
        ):
            return
        self.cancel_requested.emit(download_id)

    def _on_clear(self) -> None:
        for snapshot in list(self._snapshots.values()):
            if snapshot.status in _OVER:
                self.cancel_requested.emit(snapshot.id)

    def _refresh_start(self) -> None:
        self.start_button.setEnabled(bool(self.reference_field.text().strip()))

    def _show_sum(self) -> None:
        snapshots = self._snapshots.values()
        running = [found for found in snapshots if found.status in ("running", "verifying", "queued")]
        parts = []
        if running:
            parts.append(trn("{n} download under way", "{n} downloads under way", len(running)))
            left = sum(max(0, (found.size_bytes or 0) - found.received_bytes) for found in running)
            rate = sum(found.rate_bytes_per_s or 0.0 for found in running)
            if left:
                parts.append(tr("{size} to come", size=formats.size(left)))
            if rate:
                parts.append(formats.rate(rate))
            if left and rate:
                parts.append(tr("{time} left", time=formats.duration(left / rate)))
        if self._free is not None:
            free_bytes, folder = self._free
            parts.append(tr("{size} free in {path}", size=formats.size(free_bytes), path=folder))
        self.sum_label.setText(" · ".join(parts))
        self.pause_all_button.setVisible(any(found.status in ("running", "queued") for found in snapshots))
        self.resume_all_button.setVisible(any(found.status == "paused" for found in snapshots))
        self.clear_button.setVisible(any(found.status in _OVER for found in snapshots))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.reference_label.setText(tr("Model to download"))
        self.reference_field.setAccessibleName(tr("Model to download"))
        self.reference_field.setPlaceholderText("owner/repository:Q4_K_M")
        self.start_button.setText(tr("Download"))
        self.pause_all_button.setText(tr("Pause all"))
        self.resume_all_button.setText(tr("Resume all"))
        self.clear_button.setText(tr("Clear the finished"))
        self.help_label.setText(
            tr(
                "A repository on the hub with the quantization after a colon or the name of a file after a "
                "slash, or the web address of a GGUF file. Interrupted downloads go on where they stopped; "
                "every file is verified before it is used."
            )
        )
        self.cards.empty_label.setText(tr("No downloads yet."))
        self._show_sum()
