"""Asking for a name: of a folder, a tag, a conversation."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from ui import theme
from ui.i18n import tr


class NameDialog(QDialog):
    """One line and two buttons; nothing can be saved while the line is empty."""

    def __init__(self, title: str, hint: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        label = QLabel(title)
        self.field = QLineEdit(text)
        self.field.setMaxLength(200)
        self.field.setPlaceholderText(hint)
        self.field.selectAll()
        label.setBuddy(self.field)
        self.field.setAccessibleName(title)
        buttons = QDialogButtonBox()
        self.save_button = buttons.addButton(tr("Save"), QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        self.save_button.setDefault(True)
        self.save_button.setEnabled(bool(text.strip()))
        self.field.textChanged.connect(lambda now: self.save_button.setEnabled(bool(now.strip())))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(theme.SPACING)
        for widget in (label, self.field, buttons):
            column.addWidget(widget)
        self.setMinimumWidth(380)

    @classmethod
    def ask(cls, parent: QWidget, title: str, hint: str = "", text: str = "") -> str:
        """Wait for a name; "" where none was given.

        Args:
            parent: The window it belongs to.
            title: What is named.
            hint: An example, in the empty line.
            text: The name so far.
        """
        dialog = cls(title, hint, text, parent)
        given = dialog.field.text().strip() if dialog.exec() == QDialog.DialogCode.Accepted else ""
        dialog.deleteLater()
        return given
