"""What the pieces of a transcript share that is slow to make: formulas, lexers, small pictures."""

from __future__ import annotations

from pygments.lexer import Lexer
from PySide6.QtCore import QObject, Signal

from ui.chat import highlight
from ui.chat.background import Background
from ui.chat.maths import Formulas
from ui.chat.thumbnails import Thumbnails


class Workshop(QObject):
    """Makes things beside the Qt thread and keeps them.

    Attributes:
        formulas: All formulas of the transcript.
        thumbnails: The small pictures of its images.

    Signals:
        lexer_loaded: A language that was asked for can be coloured now.
    """

    lexer_loaded = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.formulas = Formulas(self)
        self._lexers: dict[str, Lexer | None] = {}
        self._asked: set[str] = set()
        self._background = Background(self)
        self._background.finished.connect(self._on_loaded)
        self.thumbnails = Thumbnails(self._background, self)

    def lexer(self, language: str) -> tuple[Lexer | None, bool]:
        """Lexer of a language, None for none; and whether that is final: importing one takes up to 40 ms."""
        name = language.lower()
        if name in self._lexers or not name:
            return self._lexers.get(name), True
        if name not in self._asked:
            self._asked.add(name)
            self._background.submit(name, lambda: highlight.load_lexer(name))
        return None, False

    def close(self) -> None:
        """Stop working; what is finished stays usable."""
        self._background.close()
        self.formulas.close()

    def _on_loaded(self, name: str, result: Lexer | Exception | None) -> None:
        self._lexers[name] = result if isinstance(result, Lexer) else None
        self.lexer_loaded.emit()
