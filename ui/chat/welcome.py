"""What a new conversation shows: a greeting, what the model in use is, and three ways to begin."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from model_manager.types import ModelEntry
from ui import icons, theme
from ui.i18n import marked, tr

_ROOMY_WIDTH_PX = 560
_ROOMY_HEIGHT_PX = 330

EXAMPLES = (
    (marked("Explain an idea"), marked("What is a mixture of experts? Explain it in three sentences.")),
    (marked("Improve a text"), marked("Make this sentence shorter and friendlier: ")),
    (marked("Write a program"), marked("Write a Python function that finds duplicate files in a folder.")),
)


class ExampleCard(QPushButton):
    """A short title above the words it would put into the composer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("example_card")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.title_label = QLabel()
        self.title_label.setWordWrap(True)
        self.prompt_label = QLabel()
        self.prompt_label.setProperty("muted", True)
        self.prompt_label.setWordWrap(True)
        self.prompt_label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(4)
        column.addWidget(self.title_label)
        column.addWidget(self.prompt_label, 1)
        for label in (self.title_label, self.prompt_label):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def set_words(self, title: str, prompt: str) -> None:
        """Fill the card."""
        self.title_label.setText(title)
        self.title_label.setFont(theme.font(1.0, self.title_label.font().Weight.DemiBold))
        self.prompt_label.setText(prompt)
        self.setAccessibleName(f"{title}: {prompt}")
        self.setToolTip(prompt)
        self.updateGeometry()

    def set_short(self, is_short: bool) -> None:
        """Show the title alone where there is little room."""
        self.prompt_label.setVisible(not is_short)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return self._column.totalSizeHint()

    def minimumSizeHint(self) -> QSize:
        return QSize(90, self._column.totalMinimumSize().height())

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._column.totalHeightForWidth(width)


class Welcome(QWidget):
    """The page of a conversation that has no message yet.

    Signals:
        example_chosen: The prompt to put into the composer.
        downloads_requested, models_requested: The ways to a first model.
    """

    example_chosen = Signal(str)
    downloads_requested = Signal()
    models_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._model: ModelEntry | None = None
        self.mark_label = QLabel()
        self.greeting_label = QLabel()
        self.greeting_label.setWordWrap(True)
        self.about_label = QLabel()
        self.about_label.setProperty("muted", True)
        self.about_label.setWordWrap(True)
        self.download_button = QPushButton()
        self.download_button.setProperty("primary", True)
        self.import_button = QPushButton()
        self.download_button.clicked.connect(self.downloads_requested)
        self.import_button.clicked.connect(self.models_requested)
        ways = QHBoxLayout()
        ways.setSpacing(theme.SPACING)
        ways.addStretch(1)
        ways.addWidget(self.download_button)
        ways.addWidget(self.import_button)
        ways.addStretch(1)
        self.cards = [ExampleCard() for _ in EXAMPLES]
        cards = QHBoxLayout()
        cards.setSpacing(12)
        for card, (_, prompt) in zip(self.cards, EXAMPLES, strict=True):
            cards.addWidget(card, 1)
            card.clicked.connect(lambda _checked=False, prompt=prompt: self.example_chosen.emit(tr(prompt)))
        self._inside = inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        for label in (self.mark_label, self.greeting_label, self.about_label):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(label)
        column.addLayout(ways)
        column.addSpacing(20)
        column.addLayout(cards)
        outside = QHBoxLayout()
        outside.addStretch(1)
        outside.addWidget(inside, 100)
        outside.addStretch(1)
        page = QVBoxLayout(self)
        page.setContentsMargins(24, 24, 24, 24)
        page.addStretch(3)
        page.addLayout(outside)
        page.addStretch(4)
        self._retranslate()

    def set_model(self, model: ModelEntry | None) -> None:
        """Say which model answers; None when there is none yet."""
        self._model = model
        self._retranslate()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_short = event.size().width() < _ROOMY_WIDTH_PX or event.size().height() < _ROOMY_HEIGHT_PX
        for card in self.cards:
            card.set_short(is_short)
        self.mark_label.setVisible(event.size().height() >= _ROOMY_HEIGHT_PX)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._retranslate()

    def _about(self) -> str:
        if self._model is None:
            return tr("There is no model yet. Download one, or import a GGUF file that you have.")
        if self._model.is_starter:
            return tr(
                "The starter is a very small mixture of experts, here to show how everything works. "
                "It answers at once and is often wrong; download a larger model for real work."
            )
        return tr("{name} answers, on this computer alone.", name=self._model.name)

    def _retranslate(self) -> None:
        self._inside.setMaximumWidth(theme.column_width())
        self.mark_label.setPixmap(
            icons.pixmap("coterie", 52, theme.colors().accent, self.devicePixelRatioF())
        )
        self.greeting_label.setText(tr("What shall we think about?"))
        self.greeting_label.setFont(theme.font(1.9, self.greeting_label.font().Weight.DemiBold))
        self.about_label.setText(self._about())
        self.download_button.setText(tr("Download a model…"))
        self.import_button.setText(tr("Import a file…"))
        for button in (self.download_button, self.import_button):
            button.setVisible(self._model is None)
        for card, (title, prompt) in zip(self.cards, EXAMPLES, strict=True):
            card.set_words(tr(title), tr(prompt))
