"""Asking before something is lost."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget

from ui.i18n import tr


class Question:
    """A question with one button that does it and one that does not; the safe one is the default."""

    @classmethod
    def ask(cls, parent: QWidget, question: str, consequence: str, action: str) -> bool:
        """Wait for an answer.

        Args:
            parent: The window it belongs to.
            question: What is about to happen, as a question.
            consequence: What that means.
            action: Label of the button that does it.

        Returns:
            True only when that button was pressed.
        """
        box = QMessageBox(QMessageBox.Icon.NoIcon, tr("Coterie"), question, parent=parent)
        box.setInformativeText(consequence)
        agree = box.addButton(action, QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        agreed = box.clickedButton() is agree
        box.deleteLater()
        return agreed
