"""What holds for one conversation: its title, its system prompt, and how its answers are sampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.i18n import tr
from ui.settings.sampling_form import SamplingForm
from ui.values import ConversationSettings


class ConversationSettingsDialog(QDialog):
    """Edits a `ConversationSettings`.

    Signals:
        changed: The new `ConversationSettings`, once, when saved and different.
    """

    changed = Signal(object)

    def __init__(
        self, values: ConversationSettings, defaults: Mapping[str, Any], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._before = values
        self.setWindowTitle(tr("Settings of this conversation"))
        self.title_field = QLineEdit(values.title)
        self.title_field.setMaxLength(200)
        self.title_field.setPlaceholderText(tr("Named after the first message"))
        self.prompt_field = QPlainTextEdit(values.system_prompt)
        self.prompt_field.setTabChangesFocus(True)
        self.prompt_field.setPlaceholderText(tr("You are a patient teacher. Answer in short sentences."))
        self.prompt_field.setFixedHeight(self.prompt_field.fontMetrics().lineSpacing() * 4 + 20)
        self.form = SamplingForm()
        self.form.set_values(values.sampling, defaults)
        buttons = QDialogButtonBox()
        self.save_button = buttons.addButton(tr("Save"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.cancel_button = buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        self.save_button.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)

        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(6)
        for text, field in (
            (tr("Title"), self.title_field),
            (tr("System prompt"), self.prompt_field),
        ):
            label = QLabel(text)
            label.setBuddy(field)
            field.setAccessibleName(text)
            column.addWidget(label)
            column.addWidget(field)
            column.addSpacing(theme.SPACING)
        heading = QLabel(tr("Answers"))
        heading.setFont(theme.font(1.0, heading.font().Weight.DemiBold))
        column.addWidget(heading)
        column.addWidget(self.form)
        column.addSpacing(12)
        column.addWidget(buttons)
        self.setMinimumWidth(460)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def values(self) -> ConversationSettings:
        """As edited so far."""
        return ConversationSettings(
            self.title_field.text().strip(), self.prompt_field.toPlainText().strip(), self.form.values()
        )

    def accept(self) -> None:
        super().accept()
        values = self.values()
        if values != self._before:
            self.changed.emit(values)
