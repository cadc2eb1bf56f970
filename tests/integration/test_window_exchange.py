"""Conversations in and out of the window: real services, no screen, no model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app import exchanging
from app.bridge import Bridge
from app.controllers.exchange import STOP, ExchangeController
from app.paths import Paths
from app.services import Services
from tests.helpers.exports import SAMPLES
from ui.training_dialog import TrainingChoice
from ui.values import Notice


class Exchange:
    """A controller with a database behind it, and what it told."""

    def __init__(self, data_dir: Path, qtbot: QtBot) -> None:
        runtime_dir = data_dir / "run"
        runtime_dir.mkdir(mode=0o700, parents=True)
        self.qtbot = qtbot
        self.services = Services(Paths(data_dir), runtime_dir)
        self.bridge = Bridge()
        self.controller = ExchangeController(self.services, self.bridge)
        self.told: list[Notice] = []
        self.controller.told.connect(self.told.append)

    def bring(self, path: Path) -> Notice:
        with self.qtbot.waitSignal(self.controller.imported):
            self.controller.import_path(str(path))
        return self.told[-1]

    def close(self) -> None:
        self.bridge.close()
        self.services.close()


@pytest.fixture
def exchange(tmp_path: Path, qtbot: QtBot) -> Iterator[Exchange]:
    made = Exchange(tmp_path / "data", qtbot)
    yield made
    made.close()


def test_an_import_tells_how_far_it_is_and_what_it_brought(exchange: Exchange) -> None:
    notice = exchange.bring(SAMPLES / "jan")
    assert exchange.told[0].action_id == STOP
    assert notice.level == "warning"
    assert (
        notice.sentence
        == "1 conversation is new. 2 messages. 1 place could not be read; everything else was."
    )
    assert notice.detail.startswith("Jan\n")
    assert "messages.jsonl, 3" in notice.detail


def test_empty_conversations_are_told(exchange: Exchange) -> None:
    notice = exchange.bring(SAMPLES / "chatgpt" / "conversations.json")
    assert "\n1 conversation without messages was left out.\n" in notice.detail


def test_an_import_that_is_stopped_keeps_what_came(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = exchanging._take

    def stop_after_one(*arguments: object) -> None:
        take(*arguments)  # type: ignore[arg-type]  # as they came
        exchange.controller.stop()

    monkeypatch.setattr(exchanging, "_take", stop_after_one)
    notice = exchange.bring(SAMPLES / "open_webui.json")
    assert notice.sentence == "The import was stopped. What had come in by then is kept."
    assert len(exchange.services.storage.call(lambda store: store.filing.ids())) == 1


def test_what_is_no_export_is_an_error(exchange: Exchange, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")
    with qtbot.waitSignal(exchange.controller.failed):
        exchange.controller.import_path(str(path))


def test_exports_land_where_they_were_wanted(exchange: Exchange, tmp_path: Path, qtbot: QtBot) -> None:
    exchange.bring(SAMPLES / "chatgpt" / "conversations.json")
    page = tmp_path / "talk.html"
    page.write_text("to be replaced")
    with qtbot.waitSignal(exchange.controller.told):
        exchange.controller.export(1, "html", str(page))
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    everything = tmp_path / "all.json"
    with qtbot.waitSignal(exchange.controller.told):
        exchange.controller.export_all(str(everything))
    assert len(json.loads(everything.read_text("utf-8"))) == 1
    with qtbot.waitSignal(exchange.controller.failed):
        exchange.controller.export(1, "json", str(tmp_path / "gone" / "x.json"))


def test_examples_for_training_are_written_and_what_was_left_out_is_told(
    exchange: Exchange, tmp_path: Path, qtbot: QtBot
) -> None:
    exchange.bring(SAMPLES / "open_webui.json")
    path = tmp_path / "examples.jsonl"
    for least, n_written in ((1, 2), (10, 1)):
        with qtbot.waitSignal(exchange.controller.told):
            exchange.controller.export_examples(
                TrainingChoice("openai", least, 0, 0.8, 1, None, False), str(path)
            )
        assert len(path.read_text("utf-8").splitlines()) == n_written
    assert exchange.told[-1].sentence == f"Exported to {path}. 1 example."
    assert exchange.told[-1].detail == "left out: 1 too short"
