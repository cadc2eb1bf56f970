"""One sentence above the composer, with what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFontDatabase, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import icons, theme
from ui.buttons import IconButton
from ui.i18n import tr
from ui.values import Notice

_ROLES = {"info": "accent", "warning": "warning", "error": "error"}
_N_DETAIL_LINES = 6


class NoticeBar(QFrame):
    """Shows a notice until it is closed or replaced.

    Signals:
        action_requested: The notice's `action_id`; the bar has closed itself.
    """

    action_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice_bar")
        self._notice: Notice | None = None
        self.icon_label = QLabel()
        self.sentence_label = QLabel()
        self.sentence_label.setTextFormat(Qt.TextFormat.PlainText)
        self.sentence_label.setWordWrap(True)
        self.sentence_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details_button = QPushButton()
        self.details_button.setCheckable(True)
        self.details_button.setFlat(True)
        self.details_button.setAutoDefault(False)
        self.action_button = QPushButton()
        self.action_button.setProperty("primary", True)
        self.action_button.setAutoDefault(False)  # in a dialog Return would press it
        self.close_button = IconButton("close", role="text_muted")
        self.detail_view = QPlainTextEdit()
        self.detail_view.setReadOnly(True)
        self.detail_view.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))

        line = QHBoxLayout()
        line.setSpacing(theme.SPACING)
        line.addWidget(self.icon_label, 0, Qt.AlignmentFlag.AlignVCenter)
        line.addWidget(self.sentence_label, 1)
        for button in (self.details_button, self.action_button, self.close_button):
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, theme.SPACING, theme.SPACING, theme.SPACING)
        self._choices = QWidget()
        self._choices_row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._choices)
        self._choices_row.setSpacing(theme.SPACING)
        self._choices_row.setContentsMargins(20 + theme.SPACING, 0, 0, 0)
        self.choice_buttons: list[QPushButton] = []
        column.addLayout(line)
        column.addWidget(self._choices)
        column.addWidget(self.detail_view)

        self.details_button.toggled.connect(self.detail_view.setVisible)
        self.action_button.clicked.connect(self._on_action)
        self.close_button.clicked.connect(lambda: self.show_notice(None))
        self.show_notice(None)
        self._retranslate()

    def notice(self) -> Notice | None:
        """What is shown now."""
        return self._notice

    def show_notice(self, notice: Notice | None) -> None:
        """Show a notice in place of any other; None closes the bar."""
        self._notice = notice
        self.setVisible(notice is not None)
        self.details_button.setChecked(False)
        self.detail_view.hide()
        self._offer(notice.choices if notice is not None else ())
        if notice is None:
            return
        self.sentence_label.setText(notice.sentence)
        self.setAccessibleName(notice.sentence)
        self.action_button.setText(notice.action)
        self.action_button.setVisible(bool(notice.action))
        self.details_button.setVisible(bool(notice.detail))
        self.detail_view.setPlainText(notice.detail)
        n_lines = min(_N_DETAIL_LINES, notice.detail.count("\n") + 2)
        self.detail_view.setFixedHeight(self.detail_view.fontMetrics().lineSpacing() * n_lines + 16)
        self._paint_icon()

    def _offer(self, choices: Sequence[tuple[str, str]]) -> None:
        while (item := self._choices_row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.choice_buttons = []
        for label, action_id in choices:
            button = QPushButton(label)
            button.clicked.connect(lambda _checked=False, action_id=action_id: self._act(action_id))
            self._choices_row.addWidget(button)
            self.choice_buttons.append(button)
        if choices:
            self._choices_row.addStretch(1)
        self._choices.setVisible(bool(choices))
        self._arrange()

    def _arrange(self) -> None:
        """Choices stand side by side where their labels have room for that, else below each other."""
        wanted = sum(button.sizeHint().width() + theme.SPACING for button in self.choice_buttons)
        is_wide = wanted < self.width() - 4 * theme.SPACING - 20
        direction = QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        self._choices_row.setDirection(direction)
        # Fixed, because the height of a layout that turns is not asked for again.
        self._choices.setFixedHeight(self._choices_row.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _on_action(self) -> None:
        if self._notice is not None:
            self._act(self._notice.action_id)

    def _act(self, action_id: str) -> None:
        self.show_notice(None)
        self.action_requested.emit(action_id)

    def _paint_icon(self) -> None:
        if self._notice is None:
            return
        color = getattr(theme.colors(), _ROLES[self._notice.level])
        self.icon_label.setPixmap(icons.pixmap(self._notice.level, 20, color, self.devicePixelRatioF()))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        elif event.type() == QEvent.Type.PaletteChange:
            self._paint_icon()

    def _retranslate(self) -> None:
        self.details_button.setText(tr("Details"))
        self.close_button.set_name(tr("Close this notice"))
        self.detail_view.setAccessibleName(tr("Details"))
