"""A data folder that may not be written."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import coterie, refuse, succeed

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1


@pytest.fixture
def person() -> dict[str, Any]:
    """Options of a subprocess that modes of files hold for, as they do for everybody but root."""
    if os.geteuid() != 0:
        return {}
    if sys.platform != "linux":
        pytest.skip("root may write everywhere")
    prctl: Callable[..., int] = ctypes.CDLL(None).prctl

    def become_like_others() -> None:
        prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)

    return {"preexec_fn": become_like_others}


def test_read_only_folder(tmp_path: Path, person: dict[str, Any]) -> None:
    data_dir = tmp_path / "data"
    succeed(coterie(data_dir, "conversations", "list"))
    before = (data_dir / "coterie.sqlite").read_bytes()
    data_dir.chmod(0o555)
    try:
        refuse(coterie(data_dir, "conversations", "list", **person), str(data_dir), "--data-dir")
        refuse(coterie(data_dir / "new", "conversations", "list", **person), "--data-dir")
    finally:
        data_dir.chmod(0o755)
    assert (data_dir / "coterie.sqlite").read_bytes() == before
    succeed(coterie(data_dir, "conversations", "list"))


def test_read_only_database(tmp_path: Path, person: dict[str, Any]) -> None:
    data_dir = tmp_path / "data"
    succeed(coterie(data_dir, "conversations", "list"))
    before = (data_dir / "coterie.sqlite").read_bytes()
    (data_dir / "coterie.sqlite").chmod(0o444)
    refuse(coterie(data_dir, "conversations", "list", **person), "coterie.sqlite")
    assert (data_dir / "coterie.sqlite").read_bytes() == before
