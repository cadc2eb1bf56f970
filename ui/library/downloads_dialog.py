"""Fetching models from a hub: what to fetch, and how far everything has come."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from model_manager.types import DownloadSnapshot
from ui import formats, theme
from ui.i18n import tr
from ui.library.cards import Cards
from ui.library.download_rows import DownloadRow
from ui.question import Question


class DownloadsDialog(QDialog):
    """A field for a reference above the list of downloads.

    Signals:
        download_requested: The reference as typed.
        pause_requested, resume_requested, cancel_requested: download id.
    """

    download_requested = Signal(str)
    pause_requested = Signal(object)
    resume_requested = Signal(object)
    cancel_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._snapshots: dict[int, DownloadSnapshot] = {}
        self.reference_label = QLabel()
        self.reference_field = QLineEdit()
        self.reference_label.setBuddy(self.reference_field)
        self.start_button = QPushButton()
        self.start_button.setDefault(True)
        self.help_label = QLabel()
        self.help_label.setProperty("muted", True)
        self.help_label.setWordWrap(True)
        self.cards = Cards()

        line = QHBoxLayout()
        line.setSpacing(theme.SPACING)
        line.addWidget(self.reference_field, 1)
        line.addWidget(self.start_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 20)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.reference_label)
        column.addLayout(line)
        column.addWidget(self.help_label)
        column.addSpacing(theme.SPACING)
        column.addWidget(self.cards, 1)
        self.resize(620, 520)
        self.setMinimumSize(420, 320)

        self.start_button.clicked.connect(self._on_start)
        self.reference_field.textChanged.connect(self._refresh_start)
        self._retranslate()
        self._refresh_start()

    def set_downloads(self, snapshots: Sequence[DownloadSnapshot]) -> None:
        """All downloads at this moment; rows stay in their place while they run."""
        self._snapshots = {snapshot.id: snapshot for snapshot in snapshots}
        for key in self.cards.all_keys():
            if key not in self._snapshots:
                self.cards.remove(key)
        for snapshot in snapshots:
            row = self.cards.card(snapshot.id)
            if isinstance(row, DownloadRow):
                row.set_snapshot(snapshot)
                continue
            row = DownloadRow(snapshot)
            row.pause_requested.connect(self.pause_requested)
            row.resume_requested.connect(self.resume_requested)
            row.cancel_requested.connect(self._on_cancel)
            self.cards.add(snapshot.id, row)

    def _on_start(self) -> None:
        reference = self.reference_field.text().strip()
        if reference:
            self.reference_field.clear()
            self.download_requested.emit(reference)

    def _on_cancel(self, download_id: int) -> None:
        snapshot = self._snapshots[download_id]
        if snapshot.received_bytes and not Question.ask(
            self,
            tr("Cancel the download of “{name}”?", name=snapshot.name or snapshot.ref),
            tr(
                "The {size} that have arrived are deleted. To go on later, pause it instead.",
                size=formats.size(snapshot.received_bytes),
            ),
            tr("Cancel the download"),
        ):
            return
        self.cancel_requested.emit(download_id)

    def _refresh_start(self) -> None:
        self.start_button.setEnabled(bool(self.reference_field.text().strip()))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.setWindowTitle(tr("Downloads"))
        self.reference_label.setText(tr("Model to download"))
        self.reference_field.setAccessibleName(tr("Model to download"))
        self.reference_field.setPlaceholderText("owner/repository:Q4_K_M")
        self.start_button.setText(tr("Download"))
        self.help_label.setText(
            tr(
                "A repository on the hub with the quantization after a colon or the name of a file after a "
                "slash, or the web address of a GGUF file. Interrupted downloads go on where they stopped; "
                "every file is verified before it is used."
            )
        )
        self.cards.empty_label.setText(tr("No downloads yet."))
