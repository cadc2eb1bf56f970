"""The network in the window: its settings, the hub's token, and the log of requests."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from model_manager.types import RequestRecord
from ui.settings.network_form import AuthorityFile, NetworkForm
from ui.settings.requests_dialog import RequestsDialog


@pytest.fixture
def form(qtbot: QtBot) -> NetworkForm:
    made = NetworkForm()
    qtbot.addWidget(made)
    made.set_values({"proxy": "system", "ca_file": None, "modelscope_endpoint": "https://modelscope.cn"})
    made.show()
    return made


def test_each_change_is_said(qtbot: QtBot, form: NetworkForm, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, object]] = []
    form.changed.connect(lambda key, value: said.append((key, value)))
    assert not form.proxy_field.isEnabled()
    form.proxy_box.setCurrentIndex(2)
    form.proxy_box.activated.emit(2)
    assert said == [], "an address is missing yet"
    qtbot.keyClicks(form.proxy_field, "socks5h://127.0.0.1:1080")
    form.proxy_field.editingFinished.emit()
    form.proxy_box.setCurrentIndex(1)
    form.proxy_box.activated.emit(1)
    form.modelscope_field.selectAll()
    qtbot.keyClicks(form.modelscope_field, "https://scope.example/")
    form.modelscope_field.editingFinished.emit()
    monkeypatch.setattr(AuthorityFile, "ask", lambda _parent, _current: "/etc/office.pem")
    form.authority_button.click()
    form.authority_reset_button.click()
    assert said == [
        ("proxy", "socks5h://127.0.0.1:1080"),
        ("proxy", "none"),
        ("modelscope_endpoint", "https://scope.example"),
        ("ca_file", "/etc/office.pem"),
        ("ca_file", None),
    ]


def test_values_are_shown_without_saying_that_they_changed(qtbot: QtBot, form: NetworkForm) -> None:
    with qtbot.assertNotEmitted(form.changed):
        form.set_values({"proxy": "http://p.example:3128", "ca_file": "/etc/office.pem", "offline": True})
    assert form.proxy_field.text() == "http://p.example:3128"
    assert form.proxy_field.isEnabled()
    assert form.authority_field.text() == "/etc/office.pem"
    assert form.offline_box.isChecked()


def test_a_token_is_hidden_given_once_and_forgotten(qtbot: QtBot, form: NetworkForm) -> None:
    form.set_token("none", "huggingface.co")
    assert "huggingface.co" in form.token_words.text()
    assert not form.token_button.isEnabled()
    assert not form.forget_button.isEnabled()
    assert form.token_field.echoMode() == QLineEdit.EchoMode.Password
    qtbot.keyClicks(form.token_field, " hf_secret ")
    with qtbot.waitSignal(form.token_given) as given:
        qtbot.mouseClick(form.token_button, Qt.MouseButton.LeftButton)
    assert given.args == ["hf_secret"]
    assert form.token_field.text() == ""
    form.set_token("kept", "huggingface.co")
    with qtbot.waitSignal(form.token_forgotten):
        qtbot.mouseClick(form.forget_button, Qt.MouseButton.LeftButton)
    form.set_token("environment", "huggingface.co")
    assert not form.forget_button.isEnabled()


def test_requests_are_listed_with_the_newest_first(qtbot: QtBot) -> None:
    dialog = RequestsDialog()
    qtbot.addWidget(dialog)
    assert "No request" in dialog.words.text()
    records = [
        RequestRecord("2026-11-24T08:00:00.000+00:00", "GET", "hub.example", "/api", 200, 2048, "model info"),
        RequestRecord("no time", "GET", "cdn.example", "/lfs/x", None, 0, "download", "ReadTimeout"),
    ]
    dialog.set_requests(records, False, ("https://hub.example:443",))
    model = dialog.model
    shown = [[model.data(model.index(row, column)) for column in range(6)] for row in range(2)]
    assert shown[0] == ["no time", "download", "cdn.example", "/lfs/x", "ReadTimeout", "0 B"]
    assert shown[1][1:] == ["model info", "hub.example", "/api", "200", "2.05 kB"]
    assert "https://hub.example:443" in dialog.words.text()
    dialog.set_requests(records, True, ())
    assert "nothing leaves" in dialog.words.text()
    with qtbot.waitSignal(dialog.refresh_wanted):
        dialog.refresh_button.click()
