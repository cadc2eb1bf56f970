"""One model of the library, as its row shows it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from model_manager.types import ModelEntry
from ui import theme
from ui.buttons import IconButton
from ui.chat.model_picker import describe
from ui.i18n import tr
from ui.labels import ElidedLabel


class ModelRow(QFrame):
    """Name, what is known of the model, where it is, and what can be done with it.

    Signals:
        verify_requested, remove_requested: Name of the entry.
    """

    verify_requested = Signal(str)
    remove_requested = Signal(str)

    def __init__(self, entry: ModelEntry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._entry = entry
        self.name_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.badge_label = QLabel()
        self.badge_label.setObjectName("badge")
        self.facts_label = ElidedLabel()
        self.path_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.path_label.setProperty("muted", True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.hide()
        self.verify_button = IconButton("shield")
        self.remove_button = IconButton("trash")

        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self.name_label, 1)
        top.addWidget(self.badge_label, 0, Qt.AlignmentFlag.AlignVCenter)
        top.addWidget(self.verify_button)
        top.addWidget(self.remove_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 8, 12)
        column.setSpacing(2)
        column.addLayout(top)
        column.addWidget(self.facts_label)
        column.addWidget(self.path_label)
        column.addWidget(self.bar)
        self.verify_button.clicked.connect(lambda: self.verify_requested.emit(self._entry.name))
        self.remove_button.clicked.connect(lambda: self.remove_requested.emit(self._entry.name))
        self.set_entry(entry)

    def set_entry(self, entry: ModelEntry) -> None:
        """Show the entry as it is now."""
        self._entry = entry
        self.name_label.setText(entry.name)
        self.name_label.setFont(theme.font(1.0, self.name_label.font().Weight.DemiBold))
        facts = describe(entry)
        if len(entry.paths) > 1:
            facts = f"{facts} · {tr('{n} files', n=len(entry.paths))}"
        if entry.sha256 and not entry.is_missing:
            facts = f"{facts} · {tr('checksum known')}"
        self.facts_label.setText(facts)
        self.facts_label.setProperty("error", entry.is_missing)
        self.facts_label.style().unpolish(self.facts_label)
        self.facts_label.style().polish(self.facts_label)
        self.path_label.setText(str(entry.paths[0]) if entry.paths else "")
        self.badge_label.setText(tr("demonstration"))
        self.badge_label.setVisible(entry.is_starter)
        self.verify_button.setEnabled(not entry.is_missing)
        self.verify_button.setVisible(not entry.address)
        self.remove_button.setVisible(not entry.is_starter)
        self.verify_button.set_name(tr("Verify {name}", name=entry.name))
        self.remove_button.set_name(tr("Remove {name}", name=entry.name))
        self.setAccessibleName(f"{entry.name}: {facts}")
        self.bar.setAccessibleName(tr("Progress of {name}", name=entry.name))

    def set_progress(self, permille: int | None) -> None:
        """How far a verification has come; None hides the bar."""
        self.bar.setVisible(permille is not None)
        self.bar.setValue(permille or 0)
        self.verify_button.setEnabled(permille is None and not self._entry.is_missing)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.FontChange):
            self.set_entry(self._entry)
