"""Whether one model fits here: the verdict, the bar, how it would be loaded, and how fast it would be."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QLabel, QVBoxLayout, QWidget

from model_manager.types import KvType
from ui import fit_words, formats, theme
from ui.flow import FlowLayout
from ui.i18n import tr
from ui.library.fit_bar import FitBar
from ui.library.values import FitFigures
from ui.text import sentence

_KV_TYPES: tuple[KvType, ...] = ("f16", "q8_0", "q4_0")
_TONES = {"fits": "success", "tight": "warning", "pages": "warning", "does_not_fit": "error"}


def speed_words(figures: FitFigures) -> str:
    """How fast it would be, and where that comes from."""
    if figures.decode_tokens_per_s is None:
        if figures.verdict in ("pages", "does_not_fit"):
            return tr("How fast it would be is not known: experts would come from the disk.")
        return tr("How fast it would be is not known.")
    parts = [tr("about {rate} tokens/s when answering", rate=formats.decimal(figures.decode_tokens_per_s))]
    if figures.prefill_tokens_per_s is not None:
        parts.append(tr("{rate} when reading", rate=formats.decimal(figures.prefill_tokens_per_s, 0)))
    return tr("{speeds} ({basis})", speeds=", ".join(parts), basis=fit_words.basis(figures.basis))


class FitPanel(QFrame):
    """Shows `FitFigures`, and lets the context and its numbers be changed.

    Signals:
        changed: Tokens of context, type of keys and values.
    """

    changed = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures: FitFigures | None = None
        self._error: Exception | None = None
        self._is_filling = False
        self.verdict_label = _words_label()
        self.verdict_label.setProperty("heading", True)
        self.verdict_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = FitBar()
        self.plan_label = _words_label(muted=True)
        self.speed_label = _words_label(muted=True)
        self.context_label = QLabel()
        self.context_box = QComboBox()
        self.context_label.setBuddy(self.context_box)
        self.kv_label = QLabel()
        self.kv_box = QComboBox()
        self.kv_label.setBuddy(self.kv_box)
        self.kv_box.addItems(list(_KV_TYPES))
        for box in (self.context_box, self.kv_box):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._wishes = QWidget()
        wishes = FlowLayout(theme.SPACING, self._wishes)
        for widget in (self.context_label, self.context_box, self.kv_label, self.kv_box):
            wishes.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        for part in (self.verdict_label, self.bar, self.plan_label, self.speed_label, self._wishes):
            column.addWidget(part)
        self.context_box.currentIndexChanged.connect(self._on_wish)
        self.kv_box.currentIndexChanged.connect(self._on_wish)
        self._retranslate()

    def show_figures(self, figures: FitFigures) -> None:
        """Show the answer."""
        self._figures, self._error = figures, None
        self._refresh()

    def show_waiting(self) -> None:
        """The headers are being read."""
        self._figures, self._error = None, None
        self._refresh()

    def show_error(self, error: Exception) -> None:
        """There is no answer; say why."""
        self._figures, self._error = None, error
        self._refresh()

    def figures(self) -> FitFigures | None:
        """What is shown; None while there is none."""
        return self._figures

    def set_changeable(self, is_changeable: bool) -> None:
        """Whether the context may be changed here."""
        self._wishes.setVisible(is_changeable)

    def _on_wish(self) -> None:
        if not self._is_filling and self.context_box.currentData():
            self.changed.emit(int(self.context_box.currentData()), self.kv_box.currentText())

    def _refresh(self) -> None:
        figures = self._figures
        self.bar.set_figures(figures)
        for widget in (self.plan_label, self.speed_label):
            widget.setVisible(figures is not None)
        self._wishes.setEnabled(figures is not None)
        if figures is None:
            error = self._error
            self._say(tr("Reading the header of the file…") if error is None else sentence(error), "")
            return
        words = fit_words.verdict(
            figures.verdict,
            figures.total_bytes,
            figures.over_bytes,
            figures.fits_ctx_tokens,
            figures.decode_tokens_per_s,
            figures.fits_file_bytes,
        )
        self._say(words, _TONES.get(figures.verdict, ""))
        plan = fit_words.plan(figures.plan_reason, figures.n_cpu_expert_layers, figures.n_gpu_layers)
        self.plan_label.setText(
            tr(
                "Loaded: {plan}. Context: {context}. {active} of {total} parameters work on each token.",
                plan=plan,
                context=fit_words.context(
                    figures.context_reason,
                    figures.n_ctx_tokens,
                    figures.fits_ctx_tokens,
                    max(figures.ctx_choices, default=0),
                ),
                active=formats.count(figures.active_params),
                total=formats.count(figures.total_params),
            )
        )
        self.speed_label.setText(speed_words(figures))
        self._fill(figures)

    def _say(self, words: str, tone: str) -> None:
        self.verdict_label.setText(words)
        self.verdict_label.setProperty("tone", tone)
        self.verdict_label.style().unpolish(self.verdict_label)
        self.verdict_label.style().polish(self.verdict_label)

    def _fill(self, figures: FitFigures) -> None:
        self._is_filling = True
        choices = sorted({*figures.ctx_choices, figures.n_ctx_tokens})
        self.context_box.clear()
        for n_tokens in choices:
            self.context_box.addItem(tr("{n} tokens", n=formats.number(n_tokens)), n_tokens)
        self.context_box.setCurrentIndex(choices.index(figures.n_ctx_tokens))
        self.kv_box.setCurrentIndex(_KV_TYPES.index(figures.cache_type))
        self._is_filling = False

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.FontChange):
            self._retranslate()

    def _retranslate(self) -> None:
        self.context_label.setText(tr("Context"))
        self.context_box.setAccessibleName(tr("Context"))
        self.kv_label.setText(tr("Keys and values in"))
        self.kv_box.setAccessibleName(tr("Keys and values in"))
        self._refresh()


def _words_label(*, muted: bool = False) -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    if muted:
        label.setProperty("muted", True)
    return label
