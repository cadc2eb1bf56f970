"""Where things lie, and that sockets lie where nobody else can put or read them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from app.errors import DataFolderUnusable
from app.paths import Paths, resolve


@pytest.fixture
def private_tmp(monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="c-"))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return folder


def test_option_beats_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_DATA_DIR", str(tmp_path / "environment"))
    assert resolve(None).data_dir == tmp_path / "environment"
    assert resolve(tmp_path / "option").data_dir == tmp_path / "option"


def test_spellings_of_one_folder_are_one_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert resolve(tmp_path / "link") == resolve(f"{tmp_path}/x/../real")


def test_looking_creates_nothing(tmp_path: Path) -> None:
    paths = resolve(tmp_path / "data")
    assert paths.database.parent == paths.models_dir.parent == paths.lock.parent == tmp_path / "data"
    assert not paths.data_dir.exists()


def test_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderUnusable):
        Paths(tmp_path / "file" / "data").make_data_dir()


def test_runtime_folder_is_private_and_one_a_data_folder(tmp_path: Path, private_tmp: Path) -> None:
    one = Paths(tmp_path / "one").make_runtime_dir()
    assert one.is_relative_to(private_tmp)
    assert one.stat().st_mode & 0o777 == 0o700
    assert Paths(tmp_path / "one").make_runtime_dir() == one
    assert Paths(tmp_path / "two").make_runtime_dir() != one


def test_session_folder_is_preferred_when_it_is_private(
    tmp_path: Path, private_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = private_tmp / "session"
    session.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert Paths(tmp_path).make_runtime_dir().parent == session
    session.chmod(0o755)
    assert Paths(tmp_path).make_runtime_dir().parent != session


def test_folder_that_somebody_else_opened_is_not_used(tmp_path: Path, private_tmp: Path) -> None:
    trap = private_tmp / f"coterie-{os.getuid()}"
    trap.mkdir()
    trap.chmod(0o777)
    assert not Paths(tmp_path).make_runtime_dir().is_relative_to(private_tmp)


def test_link_is_not_followed(tmp_path: Path, private_tmp: Path) -> None:
    (private_tmp / "elsewhere").mkdir(mode=0o700)
    (private_tmp / f"coterie-{os.getuid()}").symlink_to(private_tmp / "elsewhere")
    assert not Paths(tmp_path).make_runtime_dir().is_relative_to(private_tmp)


def test_long_temporary_folder_is_passed_over(
    tmp_path: Path, private_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has about a hundred bytes."""
    long = private_tmp / ("x" * 90)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert len(str(Paths(tmp_path).make_runtime_dir())) <= 70
