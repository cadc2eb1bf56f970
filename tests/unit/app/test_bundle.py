from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.bundle import supply_starter
from model_manager import starter
from model_manager.digest import sha256_of
from tests.helpers.ggufs import write_model


@pytest.fixture
def supplied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle with a tiny model in place of the real one, on a machine with an empty cache."""
    monkeypatch.setenv("COTERIE_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "bundle" / "starter"
    folder.mkdir(parents=True)
    path = write_model(folder / starter.dense_path().name)
    monkeypatch.setattr(starter, "DENSE_SHA256", sha256_of(path))
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "bundle"), raising=False)
    return path


def test_bundle_puts_its_model_into_the_cache(supplied: Path) -> None:
    supply_starter()
    assert starter.dense_is_intact()
    assert starter.dense_path().read_bytes() == supplied.read_bytes()


def test_what_is_there_is_left_alone(supplied: Path) -> None:
    supply_starter()
    supplied.unlink()
    supply_starter()
    assert starter.dense_is_intact()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"cut")])
def test_bundle_that_is_damaged_supplies_nothing(supplied: Path, damage: object) -> None:
    damage(supplied)  # type: ignore[operator]  # one of the two above
    supply_starter()
    assert not starter.dense_path().exists()


def test_without_a_bundle_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_CACHE_DIR", str(tmp_path / "cache"))
    supply_starter()
    assert not (tmp_path / "cache").exists()
