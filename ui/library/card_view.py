"""The card of a model, as high as it is long; it loads nothing."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, QUrl, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QTextBrowser, QWidget

from ui import theme
from ui.chat.markdown import is_openable
from ui.i18n import tr

_SCROLLING_KEYS = (
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
)


class CardView(QTextBrowser):
    """Shows the HTML that `card_html` makes.

    Signals:
        link_chosen: Address of a web page that a person clicked on.
    """

    link_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._html = ""
        self.setObjectName("model_card")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.anchorClicked.connect(self._on_anchor)
        self.setAccessibleName(tr("What its authors write"))

    def set_card(self, html: str) -> None:
        """Show a card; "" shows nothing."""
        self._html = html
        self._dress()

    def loadResource(self, _kind: int, _name: QUrl | str) -> object:
        """Nothing is ever fetched for a card, from no network and no disk."""
        return None

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_height()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page around it scrolls

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _SCROLLING_KEYS:
            event.ignore()  # likewise
            return
        super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._dress()
        elif event.type() == QEvent.Type.LanguageChange:
            self.setAccessibleName(tr("What its authors write"))

    def _dress(self) -> None:
        colors = theme.colors()
        sheet = (
            f"a {{ color: {colors.accent.name()}; }}"
            f"pre, code {{ font-family: '{theme.code_font().family()}';"
            f" background-color: {colors.code_background.name()}; }}"
            f"pre {{ white-space: pre-wrap; }}"
            f"th, td {{ border-color: {colors.border.name()}; }}"
        )
        self.document().setDefaultStyleSheet(sheet)
        self.document().setDefaultFont(theme.font())
        self.setHtml(self._html)
        self._fit_height()

    def _fit_height(self) -> None:
        self.document().setTextWidth(self.viewport().width())
        self.setFixedHeight(round(self.document().size().height()) + 4)

    def _on_anchor(self, url: QUrl) -> None:
        href = url.toString()
        if is_openable(href):
            self.link_chosen.emit(href)
