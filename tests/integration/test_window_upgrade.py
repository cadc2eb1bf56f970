"""The start of the window with a database of an earlier version."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app import main
from storage.errors import DatabaseCorrupt
from storage.upgrading import is_behind
from tests.helpers.old_databases import FOLDER, unpack
from ui.upgrade_dialog import UpgradeDialog


def test_it_is_brought_up_to_date_and_shown(tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "coterie.sqlite"
    unpack(FOLDER / "schema1.sqlite.gz", path)
    main._upgrade(path)
    assert not is_behind(path)
    main._upgrade(path)
    dialog = UpgradeDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.set_progress(420)
    assert dialog.bar.value() == 420
    dialog.close()
    assert dialog.isVisible()


def test_what_goes_wrong_is_said_by_the_usual_way(tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "coterie.sqlite"
    unpack(FOLDER / "schema1.sqlite.gz", path)
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 4] = b"\xff" * (4096 * 3)
    path.write_bytes(data)
    with pytest.raises(DatabaseCorrupt):
        main._upgrade(path)
