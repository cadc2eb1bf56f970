"""What leaves this computer, and by which way: the section of the settings about the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui.forms import add_row, new_form
from ui.i18n import marked, tr

TokenSource = Literal["environment", "kept", "none"]

PROXIES = (
    ("system", marked("As the system")),
    ("none", marked("None: directly")),
    ("", marked("This one:")),
)


class AuthorityFile:
    """Choosing a file of certificates."""

    @classmethod
    def ask(cls, parent: QWidget, current: str) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        kinds = tr("Certificates (*.pem *.crt *.cer);;All files (*)")
        return QFileDialog.getOpenFileName(parent, tr("Certificate authority"), current, kinds)[0]


class NetworkForm(QWidget):
    """Shows the settings of the network, and says which one changes.

    Signals:
        changed: key of a setting, value.
        token_given: An access token for the hub; it is shown no more after that.
        token_forgotten: The kept token is to be removed.
        requests_wanted: The log is to be shown.
    """

    changed = Signal(str, object)
    token_given = Signal(str)
    token_forgotten = Signal()
    requests_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_filling = False
        self._ca_file: str | None = None
        self._token_source: TokenSource = "none"
        self._token_host = ""
        self.offline_box = QCheckBox()
        self.endpoint_field = QLineEdit()
        self.modelscope_field = QLineEdit()
        self.token_field = QLineEdit()
        self.token_field.setEchoMode(QLineEdit.EchoMode.Password)
        self.token_button = QPushButton()
        self.forget_button = QPushButton()
        self.token_words = QLabel()
        self.token_words.setWordWrap(True)
        self.token_words.setTextFormat(Qt.TextFormat.PlainText)
        self.proxy_box = QComboBox()
        for value, _words in PROXIES:
            self.proxy_box.addItem("", value)
        self.proxy_field = QLineEdit()
        self.authority_field = QLineEdit()
        self.authority_field.setReadOnly(True)
        self.authority_button = QPushButton()
        self.authority_reset_button = QPushButton()
        self.requests_button = QPushButton()
        self._build()
        self._connect()
        self.retranslate()

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show the settings; keys that are absent keep what is shown."""
        self._is_filling = True
        if "offline" in values:
            self.offline_box.setChecked(bool(values["offline"]))
        for key, field in (
            ("hub_endpoint", self.endpoint_field),
            ("modelscope_endpoint", self.modelscope_field),
        ):
            if key in values and not field.hasFocus():
                field.setText(values[key] or "")
        if "proxy" in values and not self.proxy_field.hasFocus():
            proxy = values["proxy"] or "system"
            is_named = proxy not in ("system", "none")
            self.proxy_box.setCurrentIndex(self.proxy_box.findData("" if is_named else proxy))
            self.proxy_field.setText(proxy if is_named else "")
            self.proxy_field.setEnabled(is_named)
        if "ca_file" in values:
            self._ca_file = values["ca_file"] or None
            self._show_authority()
        self._is_filling = False

    def set_token(self, source: TokenSource, host: str) -> None:
        """Say whether there is a token for the hub, and where it is."""
        self._token_source, self._token_host = source, host
        self._show_token()

    def _build(self) -> None:
        form = new_form(self)
        form.addRow(self.offline_box)
        add_row(form, marked("Hub address"), self.endpoint_field)
        token = QWidget()
        column = QVBoxLayout(token)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(_line(self.token_field, self.token_button, self.forget_button))
        column.addWidget(self.token_words)
        add_row(form, marked("Access token"), token, buddy=self.token_field)
        add_row(form, marked("ModelScope address"), self.modelscope_field)
        add_row(form, marked("Proxy"), _line(self.proxy_box, self.proxy_field), buddy=self.proxy_box)
        authority = _line(self.authority_field, self.authority_button, self.authority_reset_button)
        add_row(form, marked("Certificate authority"), authority, buddy=self.authority_field)
        requests = QHBoxLayout()
        requests.addWidget(self.requests_button)
        requests.addStretch(1)
        form.addRow("", requests)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)

    def _connect(self) -> None:
        self.offline_box.toggled.connect(lambda checked: self._say("offline", checked))
        self.endpoint_field.editingFinished.connect(lambda: self._on_address("hub_endpoint"))
        self.modelscope_field.editingFinished.connect(lambda: self._on_address("modelscope_endpoint"))
        self.token_field.textChanged.connect(lambda text: self.token_button.setEnabled(bool(text.strip())))
        self.token_field.returnPressed.connect(self._on_token)
        self.token_button.clicked.connect(self._on_token)
        self.forget_button.clicked.connect(self.token_forgotten)
        self.proxy_box.activated.connect(self._on_proxy_kind)
        self.proxy_field.editingFinished.connect(self._on_proxy)
        self.authority_button.clicked.connect(self._on_choose_authority)
        self.authority_reset_button.clicked.connect(lambda: self._on_authority(None))
        self.requests_button.clicked.connect(self.requests_wanted)

    def _say(self, key: str, value: object) -> None:
        if not self._is_filling:
            self.changed.emit(key, value)

    def _on_address(self, key: str) -> None:
        field = self.endpoint_field if key == "hub_endpoint" else self.modelscope_field
        if field.isModified():
            field.setModified(False)
            self._say(key, field.text().strip().rstrip("/"))

    def _on_token(self) -> None:
        token = self.token_field.text().strip()
        self.token_field.clear()
        if token:
            self.token_given.emit(token)

    def _on_proxy_kind(self) -> None:
        kind = self.proxy_box.currentData()
        self.proxy_field.setEnabled(not kind)
        if kind:
            self.proxy_field.clear()
            self._say("proxy", kind)
        else:
            self.proxy_field.setFocus()

    def _on_proxy(self) -> None:
        if self.proxy_field.isModified():
            self.proxy_field.setModified(False)
            self._say("proxy", self.proxy_field.text().strip() or "system")

    def _on_choose_authority(self) -> None:
        chosen = AuthorityFile.ask(self, self._ca_file or "")
        if chosen:
            self._on_authority(chosen)

    def _on_authority(self, path: str | None) -> None:
        self._ca_file = path
        self._show_authority()
        self._say("ca_file", path)

    def _show_authority(self) -> None:
        self.authority_field.setText(self._ca_file or tr("The system's"))
        self.authority_reset_button.setEnabled(self._ca_file is not None)

    def _show_token(self) -> None:
        words = {
            "environment": tr("The token of the environment is used for {host}.", host=self._token_host),
            "kept": tr("A token for {host} is kept in the system's keyring.", host=self._token_host),
            "none": tr(
                "Only repositories with terms to accept need one. It goes to {host} alone.",
                host=self._token_host,
            ),
        }
        self.token_words.setText(words[self._token_source])
        self.forget_button.setEnabled(self._token_source == "kept")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def retranslate(self) -> None:
        """Write all words in the language in use."""
        for i, (_value, text) in enumerate(PROXIES):
            self.proxy_box.setItemText(i, tr(text))
        self.offline_box.setText(tr("Work offline: nothing is sent to any other computer"))
        self.endpoint_field.setPlaceholderText("https://huggingface.co")
        self.modelscope_field.setPlaceholderText("https://modelscope.cn")
        self.token_field.setPlaceholderText("hf_…")
        self.token_button.setText(tr("Keep"))
        self.token_button.setEnabled(bool(self.token_field.text().strip()))
        self.forget_button.setText(tr("Forget"))
        self.proxy_field.setPlaceholderText("socks5h://host:1080")
        self.proxy_field.setAccessibleName(tr("Address of the proxy"))
        self.authority_button.setText(tr("Choose…"))
        self.authority_reset_button.setText(tr("Default"))
        self.requests_button.setText(tr("Show every request…"))
        self._show_authority()
        self._show_token()


def _line(first: QWidget, *others: QWidget) -> QWidget:
    """Side by side; the only field among them grows."""
    holder = QWidget()
    line = QHBoxLayout(holder)
    line.setContentsMargins(0, 0, 0, 0)
    for widget in (first, *others):
        line.addWidget(widget, 1 if isinstance(widget, QLineEdit) else 0)
    return holder
