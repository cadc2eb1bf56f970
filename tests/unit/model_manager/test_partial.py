"""What lies on the disk while a file arrives: locks, full disks, older records, jumping clocks."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from model_manager import boot
from model_manager.errors import CannotWrite, DiskFull, FileInUse
from model_manager.partial import PartialFile
from model_manager.sidecar import Origin, read_sidecar

ORIGIN = Origin("https://hub.example/x.gguf", "v1", "0" * 64, 1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "x.gguf"


def begin(path: Path, data: bytes = b"abc") -> None:
    """Leave a partial file that holds `data`."""
    partial = PartialFile(path)
    partial.open()
    partial.describe(ORIGIN)
    partial.write(partial.open_front(), data)
    partial.close()


def held(path: Path) -> int:
    partial = PartialFile(path)
    partial.open()
    partial.close()
    return partial.held_bytes


def test_second_one_is_told_that_the_file_is_in_use(path: Path) -> None:
    first = PartialFile(path)
    first.open()
    with pytest.raises(FileInUse):
        PartialFile(path).open()
    with pytest.raises(FileInUse):
        PartialFile(path).discard()
    assert first.path.exists()
    first.close()
    assert held(path) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("suffix", [".part", ".part.pieces", ".part.json", ".part.new"])
def test_link_in_the_folder_leads_nowhere(tmp_path: Path, path: Path, suffix: str) -> None:
    victim = tmp_path / "letter.txt"
    victim.write_text("Dear Ada")
    path.parent.mkdir()
    path.with_name(path.name + suffix).symlink_to(victim)
    partial = PartialFile(path)
    with contextlib.suppress(CannotWrite):
        partial.open()
        partial.describe(replace(ORIGIN, size_bytes=1 << 30))
        partial.open_front()
        behind = partial.claim(1 << 20)
        assert behind is not None
        partial.write(behind, b"abc")
        partial.save()
    partial.close()
    assert victim.read_text() == "Dear Ada"


def test_another_program_is_kept_out_too(path: Path) -> None:
    begin(path)
    code = (
        "import sys; from pathlib import Path; from model_manager.partial import PartialFile\n"
        "from model_manager.errors import FileInUse\n"
        "try: PartialFile(Path(sys.argv[1])).open()\n"
        "except FileInUse: sys.exit(7)"
    )
    ours = PartialFile(path)
    ours.open()
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 7
    ours.close()
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 0


def test_file_that_was_removed_meanwhile_is_made_anew(path: Path) -> None:
    begin(path)
    partial = PartialFile(path)
    partial.open()
    partial.path.unlink()
    partial.close()
    assert held(path) == 0


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, DiskFull), (errno.EIO, CannotWrite)])
def test_disk_that_fills_is_told_from_one_that_breaks(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[CannotWrite]
) -> None:
    partial = PartialFile(path)
    partial.open()

    def refuse(*_arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(PartialFile, "_write_at", refuse)
    with pytest.raises(kind) as caught:
        partial.write(partial.open_front(), b"x")
    assert type(caught.value) is kind
    partial.close()


def test_clock_that_jumps_costs_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start of the machine is computed from the clock; its own name for this run is not."""
    begin(path)
    monkeypatch.setattr("psutil.boot_time", lambda: 4e9)
    assert held(path) == 3


def test_without_a_name_for_the_run_a_small_correction_of_the_clock_counts_for_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot, "_LINUX_ID", path)
    monkeypatch.setattr("psutil.boot_time", lambda: 1000.0)
    begin(path)
    monkeypatch.setattr("psutil.boot_time", lambda: 1030.0)
    assert held(path) == 3
    monkeypatch.setattr("psutil.boot_time", lambda: 9000.0)
    assert held(path) == 0  # as after a power cut: nothing of it was synced


def test_record_of_the_first_version_is_understood(path: Path) -> None:
    begin(path)
    sidecar = path.with_name("x.gguf.part.json")
    old = {"url": ORIGIN.url, "etag": "v1", "sha256": None, "size_bytes": 9}
    sidecar.write_text(json.dumps(old | {"synced_bytes": 2, "booted_at": 1.0}))
    assert held(path) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"runs": None},
        {"runs": [[5, 1]]},
        {"boot": 3},
        {"size_bytes": "9"},
        {"url": None},
        {"adopted_bytes": "x"},
    ],
)
def test_record_that_makes_no_sense_is_none(path: Path, change: dict[str, object]) -> None:
    begin(path)
    sidecar = path.with_name("x.gguf.part.json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | change))
    assert read_sidecar(sidecar) is None
    assert held(path) == 0


def test_shorter_file_than_its_record_says_counts_as_it_is(path: Path) -> None:
    begin(path, b"x" * 100)
    partial = PartialFile(path)
    partial.open()
    partial.save()
    partial.close()
    with partial.path.open("r+b") as file:
        file.truncate(40)
    sidecar = path.with_name("x.gguf.part.json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"boot": "another run"}))
    assert held(path) == 40
