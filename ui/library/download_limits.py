"""What downloads may take: how many at once, and how fast all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QSpinBox, QWidget

from ui import formats, theme
from ui.flow import FlowLayout
from ui.i18n import tr

_MOST_AT_ONCE: Final = 16
_RATES: Final = (0, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000)
"""Bytes a second; 0 is no limit."""


class DownloadLimitsRow(QWidget):
    """Two settings.

    Signals:
        setting_changed: key, value.
    """

    setting_changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_filling = False
        self._rate = 0
        self.at_once_label = QLabel()
        self.at_once_box = QSpinBox()
        self.at_once_box.setRange(1, _MOST_AT_ONCE)
        self.at_once_box.lineEdit().setTextMargins(6, 0, 0, 0)
        self.at_once_label.setBuddy(self.at_once_box)
        self.rate_label = QLabel()
        self.rate_box = QComboBox()
        self.rate_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.rate_label.setBuddy(self.rate_box)
        flow = FlowLayout(theme.SPACING, self)
        for widget in (self.at_once_label, self.at_once_box, self.rate_label, self.rate_box):
            flow.addWidget(widget)
        self.at_once_box.valueChanged.connect(lambda value: self._tell("downloads_at_once", value))
        self.rate_box.currentIndexChanged.connect(self._on_rate)
        self._retranslate()

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show what is set; keys that are absent stay as they are."""
        self._is_filling = True
        self.at_once_box.setValue(int(values.get("downloads_at_once") or self.at_once_box.value()))
        self._rate = int(values.get("download_rate", self._rate) or 0)
        self._fill_rates()
        self._is_filling = False

    def _on_rate(self) -> None:
        if not self._is_filling and self.rate_box.currentData() is not None:
            self._rate = int(self.rate_box.currentData())
            self._tell("download_rate", self._rate)

    def _tell(self, key: str, value: int) -> None:
        if not self._is_filling:
            self.setting_changed.emit(key, value)

    def _fill_rates(self) -> None:
        # A rate that the command line has set stands among them, whatever it is.
        rates = sorted({*_RATES, self._rate})
        self.rate_box.clear()
        for rate in rates:
            self.rate_box.addItem(formats.rate(rate) if rate else tr("no limit"), rate)
        self.rate_box.setCurrentIndex(rates.index(self._rate))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        for label, box, words in (
            (self.at_once_label, self.at_once_box, tr("At once")),
            (self.rate_label, self.rate_box, tr("At most, together")),
        ):
            label.setText(words)
            box.setAccessibleName(words)
        self.set_values({})
