"""Asking before something is lost."""

from __future__ import annotations

from collections.abc import Sequence

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
        return cls.ask_which(parent, question, consequence, [action]) == 0

    @classmethod
    def ask_which(
        cls, parent: QWidget, question: str, consequence: str, actions: Sequence[str]
    ) -> int | None:
        """Wait for one of several answers, each with a button.

        Args:
            parent: The window it belongs to.
            question: What is about to happen, as a question.
            consequence: What that means.
            actions: Labels of the buttons.

        Returns:
            Which of them was pressed; None where none was.
        """
        box = QMessageBox(QMessageBox.Icon.NoIcon, tr("Coterie"), question, parent=parent)
        box.setInformativeText(consequence)
        buttons = [box.addButton(action, QMessageBox.ButtonRole.DestructiveRole) for action in actions]
        keep = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        pressed = next((i for i, button in enumerate(buttons) if box.clickedButton() is button), None)
        box.deleteLater()
        return pressed
