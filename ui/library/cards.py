"""A scrolling column of cards that are found again by a key, with words for when there is none."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from ui import theme


class Cards(QStackedWidget):
    """Holds one widget a key, in order; widgets stay while their key stays."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards: dict[Hashable, QWidget] = {}
        self.empty_label = QLabel()
        self.empty_label.setProperty("muted", True)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty_label.setWordWrap(True)
        self._column_widget = QWidget()
        self._column_widget.setObjectName("cards")
        self._column = QVBoxLayout(self._column_widget)
        self._column.setContentsMargins(0, 0, 4, 0)
        self._column.setSpacing(theme.SPACING)
        self._column.addStretch(1)
        self._area = QScrollArea()
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(self._column_widget)
        self.addWidget(self.empty_label)
        self.addWidget(self._area)

    def all_keys(self) -> list[Hashable]:
        """Of the cards, in order."""
        return list(self._cards)

    def card(self, key: Hashable) -> QWidget | None:
        """The card of a key, or None."""
        return self._cards.get(key)

    def add(self, key: Hashable, card: QWidget) -> None:
        """Put a new card below the others."""
        self._cards[key] = card
        self._column.insertWidget(self._column.count() - 1, card)
        self.setCurrentWidget(self._area)

    def remove(self, key: Hashable) -> None:
        """Take a card away."""
        card = self._cards.pop(key)
        self._column.removeWidget(card)
        card.hide()
        card.deleteLater()
        if not self._cards:
            self.setCurrentWidget(self.empty_label)

    def set_order(self, keys: Sequence[Hashable]) -> None:
        """Put the cards into this order; a card that has the keyboard keeps it."""
        if list(keys) == list(self._cards):
            return
        self._cards = {key: self._cards[key] for key in keys}
        for row, card in enumerate(self._cards.values()):
            self._column.removeWidget(card)
            self._column.insertWidget(row, card)
        previous: QWidget | None = None
        for card in self._cards.values():
            for widget in (card, *card.findChildren(QWidget)):
                if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                    if previous is not None:
                        QWidget.setTabOrder(previous, widget)
                    previous = widget

    def show_card(self, key: Hashable) -> None:
        """Scroll to a card."""
        if key in self._cards:
            self._area.ensureWidgetVisible(self._cards[key])
