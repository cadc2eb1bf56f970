"""A person's home with nothing in it yet, and the library that shall take over what a test puts there."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_manager.importers import stores
from model_manager.library import Library
from tests.helpers.shelf import Shelf


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in stores.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("COTERIE_CACHE_DIR", str(tmp_path / "cache"))
    return Library(Shelf(), tmp_path / "models")
