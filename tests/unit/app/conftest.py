"""An owner of a data folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.owner import Owner, acquire
from app.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "data")


@pytest.fixture
def owner(paths: Paths) -> Iterator[Owner]:
    owner = acquire(paths)
    assert owner is not None
    yield owner
    owner.close()
