"""What is asked when the database cannot be opened and there is a sound backup of it."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtWidgets import QMessageBox

from ui import theme
from ui.care import words
from ui.care.values import BackupContent
from ui.i18n import tr


class WayBack:
    """A question without a window behind it."""

    @classmethod
    def ask(cls, database: str, newest: BackupContent) -> bool:
        """Wait for an answer.

        Args:
            database: Its path.
            newest: The newest backup that is whole.

        Returns:
            Whether the backup shall take the database's place.
        """
        theme.apply()
        words_of_it = tr("The database {path} is damaged.", path=database)
        box = QMessageBox(QMessageBox.Icon.NoIcon, tr("Coterie"), words_of_it)
        box.setInformativeText(
            tr("There is a backup that is whole.")
            + " "
            + words.holds(newest, datetime.now(UTC))
            + " "
            + tr("Coterie can go on from it; the damaged file is kept beside it.")
        )
        back = box.addButton(tr("Restore the backup"), QMessageBox.ButtonRole.AcceptRole)
        leave = box.addButton(tr("Quit"), QMessageBox.ButtonRole.RejectRole)
        box.setEscapeButton(leave)
        box.setDefaultButton(back)
        box.exec()
        is_wanted = box.clickedButton() is back
        box.deleteLater()
        return is_wanted
