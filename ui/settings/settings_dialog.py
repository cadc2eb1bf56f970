"""What holds for the whole program. Every change is in force at once; there is nothing to save."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.forms import add_heading, add_row, new_form
from ui.i18n import marked, tr
from ui.settings.network_form import NetworkForm
from ui.settings.sampling_form import SamplingForm

THEMES = (
    ("system", marked("As the system")),
    ("light", marked("Light")),
    ("dark", marked("Dark")),
)
# Languages are named in themselves, so that who cannot read this one finds theirs.
LANGUAGES = (("system", marked("As the system")), ("en", "English"), ("zh_CN", "简体中文"))
_CONTEXT_MAX_TOKENS = 1_048_576


class ModelsFolder:
    """Choosing a folder of this computer."""

    @classmethod
    def ask(cls, parent: QWidget, current: str) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        return QFileDialog.getExistingDirectory(parent, tr("Models folder"), current)


class SettingsDialog(QDialog):
    """Shows settings and says which one changes.

    Signals:
        setting_changed: key, value.
    """

    setting_changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_filling = False
        self._models_dir: str | None = None
        self.theme_box = self._choice_box(THEMES)
        self.language_box = self._choice_box(LANGUAGES)
        self.context_field = QSpinBox()
        self.context_field.setRange(0, _CONTEXT_MAX_TOKENS)
        self.context_field.setSingleStep(1024)
        self.context_field.setGroupSeparatorShown(True)
        self.context_field.setKeyboardTracking(False)
        self.context_field.lineEdit().setTextMargins(6, 0, 0, 0)
        self.folder_field = QLineEdit()
        self.folder_field.setReadOnly(True)
        self.folder_button = QPushButton()
        self.folder_reset_button = QPushButton()
        self.network = NetworkForm()
        self.form = SamplingForm(with_thinking=False)
        self._build()
        self._connect()
        self._retranslate()

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show the settings; keys that are absent keep what is shown."""
        self._is_filling = True
        for box, key in ((self.theme_box, "theme"), (self.language_box, "language")):
            if key in values:
                box.setCurrentIndex(max(0, box.findData(values[key])))
        if "n_ctx_tokens" in values:
            self.context_field.setValue(int(values["n_ctx_tokens"] or 0))
        if "models_dir" in values:
            self._models_dir = values["models_dir"]
            self._show_folder()
        self.network.set_values(values)
        own = values.get("sampling_defaults")
        if own is not None and own != self.form.values():
            self.form.set_values(own, {})
        self._is_filling = False

    def _build(self) -> None:
        inside = QWidget()
        inside.setObjectName("cards")
        column = QVBoxLayout(inside)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(theme.SPACING)
        look, models = new_form(), new_form()
        add_heading(column, marked("Appearance"))
        column.addLayout(look)
        add_row(look, marked("Theme"), self.theme_box)
        add_row(look, marked("Language"), self.language_box)
        add_heading(column, marked("Models"))
        column.addLayout(models)
        folder = QWidget()
        line = QHBoxLayout(folder)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.folder_field, 1)
        line.addWidget(self.folder_button)
        line.addWidget(self.folder_reset_button)
        add_row(models, marked("Models folder"), folder)
        add_row(models, marked("Context size"), self.context_field)
        add_heading(column, marked("Network"))
        column.addWidget(self.network)
        add_heading(column, marked("How answers are sampled"))
        column.addWidget(self.form)
        column.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setWidget(inside)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.addWidget(area)
        self.resize(600, 640)
        self.setMinimumSize(440, 320)
        for button in (self.folder_button, self.folder_reset_button):
            button.setAutoDefault(False)

    def _connect(self) -> None:
        self.theme_box.activated.connect(lambda _i: self._say("theme", self.theme_box.currentData()))
        self.language_box.activated.connect(lambda _i: self._say("language", self.language_box.currentData()))
        self.context_field.valueChanged.connect(lambda value: self._say("n_ctx_tokens", value))
        self.folder_button.clicked.connect(self._on_choose_folder)
        self.folder_reset_button.clicked.connect(lambda: self._on_folder(None))
        self.network.changed.connect(self.setting_changed)
        self.form.changed.connect(lambda: self._say("sampling_defaults", self.form.values()))

    @staticmethod
    def _choice_box(choices: tuple[tuple[str, str], ...]) -> QComboBox:
        box = QComboBox()
        for value, _ in choices:
            box.addItem("", value)
        return box

    def _say(self, key: str, value: object) -> None:
        if not self._is_filling:
            self.setting_changed.emit(key, value)

    def _on_choose_folder(self) -> None:
        chosen = ModelsFolder.ask(self, self._models_dir or "")
        if chosen:
            self._on_folder(chosen)

    def _on_folder(self, path: str | None) -> None:
        self._models_dir = path
        self._show_folder()
        self._say("models_dir", path)

    def _show_folder(self) -> None:
        self.folder_field.setText(self._models_dir or tr("In the data folder of Coterie"))
        self.folder_reset_button.setEnabled(self._models_dir is not None)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.setWindowTitle(tr("Settings"))
        for box, choices in ((self.theme_box, THEMES), (self.language_box, LANGUAGES)):
            for i, (_, text) in enumerate(choices):
                box.setItemText(i, tr(text))
        self.context_field.setSpecialValueText(tr("the model's own, at most 8,192"))
        self.context_field.setSuffix(tr(" tokens"))
        self.context_field.setToolTip(tr("Takes effect when a model is loaded again."))
        self.folder_field.setAccessibleName(tr("Models folder"))
        self.folder_button.setText(tr("Choose…"))
        self.folder_reset_button.setText(tr("Default"))
        self._show_folder()
