"""How the next token is chosen, as a form: each value with its default and a way back to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QLabel, QSpinBox, QWidget

from model_manager.types import SamplingParams
from ui.buttons import IconButton
from ui.i18n import marked, tr

_STANDARD = SamplingParams()
_SEED_MAX = 2**32 - 1
_INT_MAX = 2**31 - 1  # of a QSpinBox


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the form.

    Attributes:
        key: Name in `sampling`.
        standard: What holds when nobody says otherwise; None shows `none_text`.
        step: Of the arrows; 0 for whole numbers.
        none_text: What the lowest value of the field means; empty where every value is a number.
    """

    key: str
    label: str
    help: str
    standard: float | None
    lowest: float
    highest: float
    step: float = 0.0
    none_text: str = ""


PARAMETERS = (
    Parameter(
        "temperature",
        marked("Temperature"),
        marked("Low values repeat the likely words, high ones surprise. 0 always takes the likeliest."),
        _STANDARD.temperature,
        0.0,
        2.0,
        0.05,
    ),
    Parameter(
        "top_p",
        marked("Top-p"),
        marked("Only the likeliest words that together reach this probability are considered."),
        _STANDARD.top_p,
        0.0,
        1.0,
        0.01,
    ),
    Parameter(
        "top_k",
        marked("Top-k"),
        marked("Only this many of the likeliest words are considered; 0 considers all."),
        _STANDARD.top_k,
        0,
        1000,
    ),
    Parameter(
        "min_p",
        marked("Min-p"),
        marked("Words less likely than this share of the likeliest are dropped."),
        _STANDARD.min_p,
        0.0,
        1.0,
        0.01,
    ),
    Parameter(
        "repeat_penalty",
        marked("Repeat penalty"),
        marked("Above 1, words that were just used become less likely; 1 is off."),
        _STANDARD.repeat_penalty,
        0.5,
        2.0,
        0.05,
    ),
    Parameter(
        "max_tokens",
        marked("Longest answer"),
        marked("In tokens, about three quarters of a word each."),
        None,
        0,
        1_000_000,
        none_text=marked("no limit"),
    ),
    Parameter(
        "seed",
        marked("Seed"),
        marked("The same seed and settings give the same answer again."),
        None,
        -1,
        _SEED_MAX,
        none_text=marked("new each time"),
    ),
)
BUDGET = Parameter(
    "think_budget_tokens",
    marked("Thinking budget"),
    marked("After this many tokens of reasoning the answer has to begin."),
    None,
    0,
    1_000_000,
    none_text=marked("no limit"),
)
THINKING_CHOICES = (
    ("auto", marked("As the model likes")),
    ("on", marked("On")),
    ("off", marked("Off")),
)

Editor = QSpinBox | QDoubleSpinBox | QComboBox


class _Row(QObject):
    """Label, field and way back of one parameter."""

    edited = Signal()

    def __init__(self, form: QWidget, key: str, label: str, help_text: str, editor: Editor) -> None:
        super().__init__(form)
        self.key = key
        self.editor = editor
        self._label_text = label
        self._help_text = help_text
        self.is_own = False
        self.label = QLabel(form)
        self.label.setBuddy(editor)
        self.reset_button = IconButton("retry", form, role="text_muted")

    def retranslate(self, default_text: str) -> None:
        self.label.setText(tr(self._label_text))
        self.label.setToolTip(tr(self._help_text))
        self.editor.setAccessibleName(tr(self._label_text))
        self.editor.setAccessibleDescription(tr(self._help_text))
        self.editor.setToolTip(tr(self._help_text))
        self.reset_button.set_name(tr("Back to the default ({value})", value=default_text))
        self.reset_button.setEnabled(self.is_own)


class SamplingForm(QWidget):
    """Edits overrides: what nobody touched is absent from `values` and follows the default.

    Signals:
        changed: Something was edited or reset.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None, *, with_thinking: bool = True) -> None:
        super().__init__(parent)
        self._defaults: dict[str, Any] = {}
        self._own: dict[str, Any] = {}
        self._is_filling = False
        self._parameters = {parameter.key: parameter for parameter in PARAMETERS}
        self.rows: dict[str, _Row] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(0, 1)
        for parameter in PARAMETERS:
            self._add_number(parameter)
        if with_thinking:
            self._add_thinking()
            self._parameters[BUDGET.key] = BUDGET
            self._add_number(BUDGET)
        self._retranslate()
        self.set_values({}, {})

    def set_values(self, own: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        """Show overrides over defaults; names that the form does not know are kept as they are."""
        self._own = dict(own)
        self._defaults = dict(defaults)
        self._fill()

    def values(self) -> dict[str, Any]:
        """The overrides."""
        return dict(self._own)

    def _add_number(self, parameter: Parameter) -> None:
        editor: QSpinBox | QDoubleSpinBox
        if parameter.step or parameter.highest > _INT_MAX:
            editor = QDoubleSpinBox(self)
            editor.setDecimals(2 if parameter.step else 0)
            editor.setRange(parameter.lowest, parameter.highest)
            editor.setSingleStep(parameter.step or 1)
        else:
            editor = QSpinBox(self)
            editor.setRange(int(parameter.lowest), int(parameter.highest))
            editor.setGroupSeparatorShown(True)
            editor.setStepType(QSpinBox.StepType.AdaptiveDecimalStepType)
        editor.setMinimumWidth(150)
        editor.lineEdit().setTextMargins(6, 0, 0, 0)
        editor.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        editor.valueChanged.connect(lambda _value, key=parameter.key: self._on_edited(key))
        self._add_row(_Row(self, parameter.key, parameter.label, parameter.help, editor))

    def _add_thinking(self) -> None:
        editor = QComboBox(self)
        for value, _ in THINKING_CHOICES:
            editor.addItem("", value)
        editor.currentIndexChanged.connect(lambda _index: self._on_edited("thinking"))
        help_text = marked("Whether a model that can think first does so.")
        self._add_row(_Row(self, "thinking", marked("Thinking"), help_text, editor))

    def _add_row(self, row: _Row) -> None:
        i = len(self.rows)
        self.rows[row.key] = row
        self._grid.addWidget(row.label, i, 0)
        self._grid.addWidget(row.editor, i, 1)
        self._grid.addWidget(row.reset_button, i, 2)
        row.reset_button.clicked.connect(lambda _checked=False, key=row.key: self._on_reset(key))

    def _default(self, key: str) -> Any:
        if key == "thinking":
            return self._defaults.get(key, "auto")
        return self._defaults.get(key, self._parameters[key].standard)

    def _fill(self) -> None:
        self._is_filling = True
        for key, row in self.rows.items():
            value = self._own.get(key, self._default(key))
            row.is_own = key in self._own
            if isinstance(row.editor, QComboBox):
                row.editor.setCurrentIndex(max(0, row.editor.findData(value)))
            elif isinstance(row.editor, QSpinBox):
                row.editor.setValue(row.editor.minimum() if value is None else int(value))
            else:
                row.editor.setValue(row.editor.minimum() if value is None else float(value))
            row.retranslate(self._default_text(key))
        self._is_filling = False

    def _default_text(self, key: str) -> str:
        value = self._default(key)
        if key == "thinking":
            return tr(dict(THINKING_CHOICES).get(value, "auto"))
        return tr(self._parameters[key].none_text) if value is None else f"{value:g}"

    def _on_edited(self, key: str) -> None:
        if self._is_filling:
            return
        self._own[key] = self._read(key)
        self.rows[key].is_own = True
        self.rows[key].reset_button.setEnabled(True)
        self.changed.emit()

    def _read(self, key: str) -> Any:
        editor = self.rows[key].editor
        if isinstance(editor, QComboBox):
            return editor.currentData()
        if self._parameters[key].none_text and editor.value() == editor.minimum():
            return None
        return round(editor.value(), 2) if self._parameters[key].step else int(editor.value())

    def _on_reset(self, key: str) -> None:
        self._own.pop(key, None)
        self._fill()
        self.rows[key].editor.setFocus()
        self.changed.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self._is_filling = True
        for key, row in self.rows.items():
            row.retranslate(self._default_text(key))
            if isinstance(row.editor, QComboBox):
                for i, (_, text) in enumerate(THINKING_CHOICES):
                    row.editor.setItemText(i, tr(text))
            elif self._parameters[key].none_text:
                row.editor.setSpecialValueText(tr(self._parameters[key].none_text))
        self._is_filling = False
