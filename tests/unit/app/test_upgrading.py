from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from app import upgrading
from app.console import Console
from app.upgrading import upgrade_on_terminal
from storage.upgrading import is_behind
from tests.helpers.old_databases import FOLDER, unpack


class Lines:
    """A console of which only the error lines matter."""

    n_columns = 80

    def __init__(self, is_screen: bool) -> None:
        self.is_screen = is_screen
        self.told: list[str] = []

    def err(self, text: str) -> None:
        self.told.append(text)


@pytest.mark.parametrize("is_screen", [True, False])
def test_a_long_one_is_told_and_a_short_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_screen: bool
) -> None:
    path, lines = tmp_path / "coterie.sqlite", Lines(is_screen)
    console = cast("Console", cast("Any", lines))
    unpack(FOLDER / "schema1.sqlite.gz", path)
    upgrade_on_terminal(path, console)
    assert lines.told == []
    assert not is_behind(path)
    unpack(FOLDER / "schema1.sqlite.gz", path)
    monkeypatch.setattr(upgrading, "SILENT_S", -1.0)
    upgrade_on_terminal(path, console)
    assert "Bringing the database up to date" in lines.told[0]
    if not is_screen:
        assert len(lines.told) == 1
    upgrade_on_terminal(tmp_path / "none.sqlite", console)
