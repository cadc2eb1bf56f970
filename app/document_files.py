"""Which files of a folder are documents."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from storage.errors import DocumentRefused
from storage.knowledge.kinds import kind_of

# What programs keep beside the work of a person; whatever begins with a dot is left out as well.
_NOT_OURS: Final = frozenset(("__pycache__", "node_modules", "site-packages"))


class DocumentFiles:
    """The documents below a source, as they are found.

    Attributes:
        refused: Links that lead out of the folder, folders that cannot be read; whole after the last file.
        n_skipped: Files of no kind that is read.
    """

    def __init__(self, source: Path) -> None:
        """Prepare.

        Args:
            source: A file, which is taken whatever it is called, or a folder.
        """
        self._source = source
        self.refused: list[DocumentRefused] = []
        self.n_skipped = 0

    def __iter__(self) -> Iterator[Path]:
        if not self._source.is_dir():
            yield self._source
            return
        inside = _real(self._source)
        for folder, folders, names in os.walk(self._source, onerror=self._refuse):
            # Linked folders are never entered: they may lead out, or round in circles.
            folders[:] = sorted(name for name in folders if _is_wanted(name))
            for name in sorted(names):
                path = Path(folder, name)
                if not _is_wanted(name) or kind_of(path) is None:
                    self.n_skipped += 1
                elif not is_text(path):
                    self.refused.append(DocumentRefused(path, "bad_name", ""))
                elif path.is_symlink() and not _real(path).is_relative_to(inside):
                    self.refused.append(DocumentRefused(path, "outside", str(_real(path))))
                else:
                    yield path

    def _refuse(self, error: OSError) -> None:
        path = Path(error.filename or self._source)
        self.refused.append(DocumentRefused(path, "unreadable", error.strerror or str(error)))


def is_text(path: Path) -> bool:
    """Whether its name can be kept: one of bytes that are no text cannot, and would not be found again."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_wanted(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_OURS


def _real(path: Path) -> Path:
    """Unlike `Path.resolve`, content with a link that leads to itself: opening it says what it is."""
    return Path(os.path.realpath(path))
