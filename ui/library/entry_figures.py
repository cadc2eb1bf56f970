"""Whether an entry fits here and how fast it is: forecast, llama.cpp's own figure and the measured one."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from ui import formats, theme
from ui.i18n import tr
from ui.library.fact_table import FactTable
from ui.library.fit_panel import FitPanel
from ui.library.values import ModelFigures
from ui.text import sentence


class EntryFigures(QWidget):
    """All figures side by side, as far as they are there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures: ModelFigures | None = None
        self.title_label = QLabel()
        self.title_label.setProperty("heading", True)
        self.problem_label = QLabel()
        self.problem_label.setProperty("error", True)
        self.problem_label.setWordWrap(True)
        self.problem_label.setTextFormat(Qt.TextFormat.PlainText)
        self.fit_panel = FitPanel()
        self.fit_panel.set_changeable(False)
        self.table = FactTable()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        for part in (self.title_label, self.fit_panel, self.table, self.problem_label):
            column.addWidget(part)
        self._retranslate()

    def show_figures(self, figures: ModelFigures | None) -> None:
        """Show them; None while they are being gathered."""
        self._figures = figures
        known = figures or ModelFigures()
        self.fit_panel.setVisible(known.failure is None)
        if known.fit is None:
            self.fit_panel.show_waiting()
        else:
            self.fit_panel.show_figures(known.fit)
        self.table.set_rows(figure_rows(known))
        problem = known.failure or known.probe_error
        self.problem_label.setVisible(problem is not None)
        self.problem_label.setText(sentence(problem) if problem is not None else "")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.title_label.setText(tr("On this computer"))
        self.show_figures(self._figures)


def figure_rows(figures: ModelFigures) -> list[tuple[str, str]]:
    """What it takes by each way to know, and how fast it was."""
    rows = []
    if figures.fit is not None:
        rows.append((tr("By the header"), _memory_words(figures.fit.formula_bytes, figures.fit.n_ctx_tokens)))
    if figures.probed_bytes is not None:
        rows.append((tr("By llama.cpp"), _memory_words(figures.probed_bytes, figures.probed_ctx_tokens)))
    if figures.loaded_bytes is not None:
        when = tr("Measured, {day}", day=figures.loaded_at[:10]) if figures.loaded_at else tr("Loaded now")
        rows.append((when, _memory_words(figures.loaded_bytes, figures.loaded_ctx_tokens)))
    if figures.decode_tokens_per_s is not None:
        rows.append((tr("Measured speed"), _speed_words(figures)))
    return rows


def _memory_words(n_bytes: int, n_ctx_tokens: int) -> str:
    return tr("{size} with {n} tokens of context", size=formats.size(n_bytes), n=formats.number(n_ctx_tokens))


def _speed_words(figures: ModelFigures) -> str:
    rate = formats.decimal(figures.decode_tokens_per_s or 0.0)
    if figures.prefill_tokens_per_s is None:
        return tr("{rate} tokens/s when answering", rate=rate)
    return tr(
        "{rate} tokens/s when answering, {prefill} when reading",
        rate=rate,
        prefill=formats.decimal(figures.prefill_tokens_per_s, 0),
    )
