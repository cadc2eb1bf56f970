"""Opens what a person gave: a file, a zip, or a folder of files.

A zip comes from elsewhere. Nothing of it is ever written to the disk: its files are read piece by piece,
and a zip inside it stays closed. Refused whole are a zip with a name that leads out of it, and one that
would become absurdly large (`docs/exchange.md` has the limits).
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

from storage.errors import ArchiveRefused

MAX_FILES = 100_000
"""In one zip or folder."""
MAX_TOTAL_BYTES = 64 << 30
"""Of all files of a zip, unpacked."""
MAX_RATIO = 200
"""Of the unpacked length of all files to the zip's own; conversations reach 15."""
FREE_BYTES = 64 << 20
"""So much may come out of a zip of any length."""

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_DRIVE = re.compile(r"^[A-Za-z]:")


class Member(Protocol):
    """One file of what was given.

    Attributes:
        name: Path within it, with "/", for people and to tell formats apart.
        path: Where it lies on the disk; None within a zip.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 : described by the class

    @property
    def path(self) -> Path | None: ...  # noqa: D102 : described by the class

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """Its bytes, from the beginning.

        Raises:
            OSError: It cannot be read, or is damaged within a zip.
        """


class DiskFile:
    """A file on the disk; see `Member`."""

    def __init__(self, path: Path, name: str) -> None:
        self.path: Path | None = path
        self.name = name
        self._path = path

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """See `Member`."""
        return self._path.open("rb")


class ZippedFile:
    """A file in a zip; see `Member`."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self.path: Path | None = None
        self.name = info.filename
        self._archive = archive
        self._info = info

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """See `Member`. A file that turns out longer than the zip says is cut off by `zipfile`."""
        try:
            with self._archive.open(self._info) as file:
                yield file
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise OSError(f"{self.name}: {error}") from error


@contextmanager
def members(path: Path) -> Iterator[list[Member]]:
    """The files of a zip or of a folder and those below it, by name; a plain file is the only one.

    Raises:
        ArchiveRefused: A zip that must not be read; the reason says why.
        OSError: It cannot be read at all.
    """
    if path.is_dir():
        yield list(_of_folder(path))
        return
    with path.open("rb") as file:
        magic = file.read(4)
    if magic not in _ZIP_MAGIC:
        yield [DiskFile(path, path.name)]
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise ArchiveRefused(path, "damaged", str(error)) from error
    with archive:
        yield _of_zip(path, archive)


def _of_folder(folder: Path) -> Iterator[Member]:
    n_files = 0
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted(names):
            found = Path(parent, name)
            if found.is_symlink() or not found.is_file():
                continue
            n_files += 1
            if n_files > MAX_FILES:
                raise ArchiveRefused(folder, "too_many_files", str(MAX_FILES))
            yield DiskFile(found, found.relative_to(folder).as_posix())


def _of_zip(path: Path, archive: zipfile.ZipFile) -> list[Member]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_FILES:
        raise ArchiveRefused(path, "too_many_files", str(len(infos)))
    for info in infos:
        _require_inside(path, info)
        if info.flag_bits & 1:
            raise ArchiveRefused(path, "encrypted", info.filename)
    total_bytes = sum(info.file_size for info in infos)
    allowed_bytes = min(MAX_TOTAL_BYTES, max(FREE_BYTES, MAX_RATIO * path.stat().st_size))
    if total_bytes > allowed_bytes:
        raise ArchiveRefused(path, "too_large", str(total_bytes))
    _require_apart(path, infos)
    return [ZippedFile(archive, info) for info in sorted(infos, key=lambda info: info.filename)]


def _require_inside(path: Path, info: zipfile.ZipInfo) -> None:
    """No name that leads out, under the rules of either system; no links."""
    name = info.filename.replace("\\", "/")
    leads_out = name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/") or "\0" in name
    if leads_out or stat.S_ISLNK(info.external_attr >> 16):
        raise ArchiveRefused(path, "leads_out", info.filename)


def _require_apart(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Files that share their compressed bytes are how a small zip becomes endless.

    Source: https://www.bamsoftware.com/hacks/zipbomb/
    """
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ArchiveRefused(path, "overlapping", info.filename)
        end = info.header_offset + info.compress_size
