"""An answer once more, by another model or with other settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from storage.records import Message
from ui import theme
from ui.i18n import tr
from ui.settings.sampling_form import SamplingForm


class RerunDialog(QDialog):
    """Begins with how the answer was made; what is changed holds for the new version alone.

    Signals:
        run_requested: message id (int), name of a model, all settings (dict).
    """

    run_requested = Signal(object, str, object)

    def __init__(self, message: Message, models: Sequence[str], parent: QWidget | None = None) -> None:
        """Make it.

        Args:
            message: An answer of a model.
            models: Names in the library.
            parent: The window.
        """
        super().__init__(parent)
        generation = message.generation
        assert generation is not None
        self._message_id = message.id
        self._before: dict[str, Any] = dict(generation.parameters)
        self.setWindowTitle(tr("Run again with…"))
        words = QLabel(tr("The new answer becomes another version beside this one."))
        words.setProperty("muted", True)
        words.setWordWrap(True)
        self.models = QComboBox()
        self.models.addItems(list(models))
        self.models.setCurrentIndex(max(0, self.models.findText(generation.model_name)))
        self.models.setAccessibleName(tr("Model"))
        label = QLabel(tr("Model"))
        label.setBuddy(self.models)
        self.form = SamplingForm()
        self.form.set_values({}, self._before)
        buttons = QDialogButtonBox()
        self.run_button = buttons.addButton(tr("Run"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.cancel_button = buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        self.run_button.setDefault(True)
        self.run_button.setEnabled(self.models.count() > 0)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(theme.SPACING)
        column.addWidget(words)
        column.addWidget(label)
        column.addWidget(self.models)
        column.addSpacing(theme.SPACING)
        column.addWidget(self.form)
        column.addSpacing(12)
        column.addWidget(buttons)
        self.setMinimumWidth(460)

    def accept(self) -> None:
        super().accept()
        sampling = self._before | self.form.values()
        self.run_requested.emit(self._message_id, self.models.currentText(), sampling)
