"""Care of the data in the window: real services, no screen, no model."""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app import main
from app.bridge import Bridge
from app.care_wiring import CareWiring
from app.controllers.care import OPEN, STOP, CareController
from app.owner import Owner, acquire
from app.paths import Paths
from app.services import Services
from app.window import WindowWiring
from app.words import sentence
from storage.backups import Backups
from storage.database import Database
from storage.errors import BackupUnusable, DatabaseDiskFull
from storage.store import Store
from tests.helpers.databases import text
from ui.care.way_back import WayBack
from ui.exchange_dialogs import ExchangeDialogs
from ui.main_window import MainWindow
from ui.question import Question
from ui.values import Notice


class Care:
    """A controller with a database behind it, and what it told."""

    def __init__(self, data_dir: Path) -> None:
        runtime_dir = data_dir / "run"
        runtime_dir.mkdir(mode=0o700, parents=True)
        self.services = Services(Paths(data_dir), runtime_dir)
        self.bridge = Bridge()
        self.controller = CareController(self.services, self.bridge)
        self.told: list[Notice] = []
        self.controller.told.connect(lambda notice: self.told.append(notice) if notice else None)

    def say(self, words: str) -> int:
        def work(store: Store) -> int:
            conversation = store.conversations.create(title=words)
            store.conversations.append(conversation.id, None, "user", text(words))
            return conversation.id

        return self.services.storage.call(work)

    def close(self) -> None:
        self.bridge.close()
        self.services.close()


@pytest.fixture
def care(tmp_path: Path) -> Iterator[Care]:
    made = Care(tmp_path / "data")
    yield made
    made.close()


def test_a_backup_is_made_listed_read_and_removed(care: Care, qtbot: QtBot) -> None:
    care.say("kept")
    with qtbot.waitSignals([care.controller.listed, care.controller.measured]):
        care.controller.back_up("")
    assert " is whole. It holds 1 conversation and 1 message, the newest of " in care.told[-1].sentence
    (file,) = Backups(care.services.paths.database).list()
    with qtbot.waitSignal(care.controller.examined) as examined:
        care.controller.examine(str(file.path))
    assert (examined.args[0].n_conversations, examined.args[0].n_messages) == (1, 1)
    with qtbot.waitSignal(care.controller.listed) as listed:
        care.controller.remove(str(file.path))
    assert listed.args == [[]]


def test_a_file_that_is_no_backup_is_said(care: Care, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "letter.sqlite"
    path.write_bytes(b"Dear landlord")
    busy: list[bool] = []
    care.controller.busy_changed.connect(busy.append)
    with qtbot.waitSignal(care.controller.failed) as failed:
        care.controller.examine(str(path))
    assert isinstance(failed.args[0], BackupUnusable)
    assert busy == [True, False]


def test_compaction_tells_how_far_it_is_and_can_be_stopped(care: Care, qtbot: QtBot) -> None:
    care.say("word " * 20_000)
    progress: list[int | None] = []
    care.controller.progressed.connect(progress.append)
    with qtbot.waitSignal(care.controller.measured):
        care.controller.compact()
    assert (progress[0], progress[-1]) == (0, None)
    assert "were given back" in care.told[-1].sentence
    care.controller.compact()
    care.controller.stop()
    qtbot.waitUntil(lambda: progress[-1] is None)
    assert care.told[-1].sentence == "Compacting was stopped; nothing was changed."


def test_what_is_erased_is_in_no_file_and_backups_that_hold_it_are_named(care: Care, qtbot: QtBot) -> None:
    gone, kept = care.say("Wintergreen"), care.say("Marigold")
    backup = Backups(care.services.paths.database).create()
    with qtbot.waitSignal(care.controller.deleted):
        care.controller.erase([gone])
    qtbot.waitUntil(lambda: care.told[-1].action_id == OPEN)
    assert any(notice.action_id == STOP for notice in care.told)
    assert care.told[-1].level == "warning"
    assert backup.name in care.told[-1].detail
    files = care.services.paths.data_dir.glob("coterie.sqlite*")
    left = b"".join(file.read_bytes() for file in files).lower()
    assert b"wintergreen" not in left
    assert b"marigold" in left
    care.controller.erase([kept + 99])
    with qtbot.waitSignal(care.controller.failed):
        pass


def test_an_erasure_without_room_says_what_is_gone_and_what_may_be_left(
    care: Care, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = care.say("Wintergreen")

    def full(database: Database, _on_progress: object) -> None:
        raise DatabaseDiskFull(database.path, "database or disk is full")

    monkeypatch.setattr(Database, "compact", full)
    with qtbot.waitSignal(care.controller.failed) as failed:
        care.controller.erase([gone])
    said = sentence(failed.args[0])
    assert said.startswith("1 conversation is deleted. Traces of what was deleted may be left")
    assert "The disk is full" in said
    assert care.services.storage.call(lambda store: store.filing.ids()) == []


def test_a_full_disk_is_said_and_nothing_is_left_behind(
    care: Care, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    care.say("kept")

    def full(_source: sqlite3.Connection, target: Path) -> None:
        raise DatabaseDiskFull(target, "database or disk is full")

    monkeypatch.setattr("storage.backups.back_up", full)
    with qtbot.waitSignal(care.controller.failed) as failed:
        care.controller.back_up(str(tmp_path / "copy.sqlite"))
    assert isinstance(failed.args[0], DatabaseDiskFull)


# --- the way back, through the window's own loop ---


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    found = acquire(Paths(tmp_path / "data"))
    assert found is not None
    yield found
    found.close()


class Lives:
    """What a person does in each life of the window, in order; the last one is closed."""

    def __init__(self, *acts: Callable[[WindowWiring], None]) -> None:
        self._acts = list(acts)
        self._seen: list[MainWindow] = []
        self._timer = QTimer()
        self._timer.timeout.connect(self._look)
        self._timer.start(20)

    def _look(self) -> None:
        for window in QApplication.topLevelWidgets():
            if isinstance(window, MainWindow) and window.isVisible() and window not in self._seen:
                wiring = window.findChild(WindowWiring)
                assert isinstance(wiring, WindowWiring)
                self._seen.append(window)
                self._acts.pop(0)(wiring)
                if not self._acts:
                    window.close()
                return

    def live(self, owner: Owner) -> int:
        """Run the window until it is closed for good."""
        try:
            return main.run(owner.paths, owner, argparse.Namespace())
        finally:
            self._timer.stop()
            assert self._acts == []


def titles(wiring: WindowWiring) -> list[str]:
    services = wiring._services
    return [one.title for one in services.storage.call(lambda store: store.conversations.list())]


def write(paths: Paths, title: str) -> None:
    store = Store(paths.database)
    store.conversations.create(title=title)
    store.close()


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Question, "ask", lambda *_words: True)
    monkeypatch.setattr(WayBack, "ask", lambda *_words: True)


@pytest.mark.usefixtures("agreed", "qtbot")
def test_the_window_goes_back_to_a_backup_and_opens_again(owner: Owner) -> None:
    write(owner.paths, "Before")
    backup = Backups(owner.paths.database).create()
    write(owner.paths, "After")
    found: list[object] = []

    def restore(wiring: WindowWiring) -> None:
        found.append(sorted(titles(wiring)))
        wiring.care.open()
        wiring.care.controller.examine(str(backup))  # and agree

    def look(wiring: WindowWiring) -> None:
        found.append(titles(wiring))
        notice = wiring._window.page.notice_bar.notice()
        assert notice is not None
        found.append((notice.sentence, notice.action_id))

    assert Lives(restore, look).live(owner) == 0
    assert found == [
        ["After", "Before"],
        ["Before"],
        ("The backup is in place. What was here before is kept among the backups.", OPEN),
    ]
    kinds = [file.kind for file in Backups(owner.paths.database).list()]
    assert kinds == ["replaced", "hand"]


@pytest.mark.usefixtures("agreed", "qtbot")
def test_a_backup_that_was_damaged_meanwhile_changes_nothing(owner: Owner) -> None:
    write(owner.paths, "Here")
    found: list[object] = []

    def restore(wiring: WindowWiring) -> None:
        wiring.care._restore(str(owner.paths.data_dir / "gone.sqlite"))

    def look(wiring: WindowWiring) -> None:
        notice = wiring._window.page.notice_bar.notice()
        assert notice is not None
        found.extend([titles(wiring), notice.level])

    assert Lives(restore, look).live(owner) == 0
    assert found == [["Here"], "error"]


@pytest.mark.usefixtures("agreed", "qtbot")
def test_a_damaged_database_is_not_the_end_where_there_is_a_backup(
    owner: Owner, capsys: pytest.CaptureFixture[str]
) -> None:
    write(owner.paths, "Kept")
    Backups(owner.paths.database).create()
    damaged = b"no database at all" * 300
    owner.paths.database.write_bytes(damaged)
    found: list[list[str]] = []
    assert Lives(lambda wiring: found.append(titles(wiring))).live(owner) == 0
    assert found == [["Kept"]]
    assert "is damaged" in capsys.readouterr().err
    replaced = next(file for file in Backups(owner.paths.database).list() if file.kind == "replaced")
    assert replaced.path.read_bytes() == damaged


def test_the_dialog_is_filled_when_it_is_opened(care: Care, qtbot: QtBot) -> None:
    window = MainWindow()
    qtbot.addWidget(window)
    window.show()
    window.commands.insert("Choose a model", ExchangeDialogs(window).commands(lambda: None))
    wiring = CareWiring(window, care.services, care.bridge, window)
    with qtbot.waitSignal(wiring.controller.measured):
        wiring.open()
    dialog = wiring._dialog
    assert dialog is not None
    assert dialog.isVisible()
    assert dialog.trash_field.value() == 30
    with qtbot.waitSignal(wiring.controller.measured):
        dialog.backups.create_button.click()
    assert dialog.backups.list.count() == 1
    notice = dialog.notice_bar.notice()
    assert notice is not None
    assert "is whole" in notice.sentence
    wiring.close()
    window.page.transcript.workshop.close()
