"""One place for backups, the trash's rule and the room that everything takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.care.backups_form import BackupsForm
from ui.care.space_form import SpaceForm
from ui.forms import add_heading, add_row, new_form
from ui.i18n import marked, tr, trn
from ui.notice_bar import NoticeBar

_MOST_DAYS = {"backup_every_days": 3650, "backups_kept": 1000, "trash_days": 36500}


class CareDialog(QDialog):
    """Shows how the data is looked after, and says what a person wants of it.

    Attributes:
        notice_bar: What has come of it.

    Signals:
        setting_changed: key, value.
    """

    setting_changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_filling = False
        self.notice_bar = NoticeBar()
        self.backups = BackupsForm()
        self.space = SpaceForm()
        self.every_field = self._number_field("backup_every_days", 0)
        self.kept_field = self._number_field("backups_kept", 1)
        self.trash_field = self._number_field("trash_days", 0)
        inside = QWidget()
        inside.setObjectName("cards")
        column = QVBoxLayout(inside)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(theme.SPACING)
        schedule, trash = new_form(), new_form()
        for form, text, field in (
            (schedule, marked("Back up by itself every"), self.every_field),
            (schedule, marked("Keep of these"), self.kept_field),
            (trash, marked("Delete for good after"), self.trash_field),
        ):
            add_row(form, text, field, label_width=150)
        add_heading(column, marked("Backups"))
        column.addWidget(self.backups)
        column.addLayout(schedule)
        add_heading(column, marked("Trash"))
        column.addLayout(trash)
        add_heading(column, marked("Space on the disk"))
        column.addWidget(self.space)
        column.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        page.addWidget(area, 1)
        foot = QVBoxLayout()
        foot.setContentsMargins(12, 0, 12, 12)
        foot.addWidget(self.notice_bar)
        page.addLayout(foot)
        self.resize(640, 700)
        self.setMinimumSize(440, 320)
        self._retranslate()

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show the settings; keys that are absent keep what is shown."""
        self._is_filling = True
        fields = {
            "backup_every_days": self.every_field,
            "backups_kept": self.kept_field,
            "trash_days": self.trash_field,
        }
        for key, field in fields.items():
            if key in values:
                field.setValue(int(values[key]))
        self.kept_field.setEnabled(self.every_field.value() > 0)
        self._is_filling = False

    def _number_field(self, key: str, least: int) -> QSpinBox:
        field = QSpinBox()
        field.setRange(least, _MOST_DAYS[key])
        field.setKeyboardTracking(False)
        field.lineEdit().setTextMargins(6, 0, 0, 0)
        field.valueChanged.connect(lambda value: self._say(key, value))
        return field

    def _say(self, key: str, value: int) -> None:
        self._count_days()
        if not self._is_filling:
            self.kept_field.setEnabled(self.every_field.value() > 0)
            self.setting_changed.emit(key, value)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.setWindowTitle(tr("Backups and space"))
        for field in (self.every_field, self.trash_field):
            field.setSpecialValueText(tr("never"))
        self._count_days()

    def _count_days(self) -> None:
        for field in (self.every_field, self.trash_field):
            field.setSuffix(trn(" day", " days", field.value()))
