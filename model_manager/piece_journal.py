"""Which pieces of a partial file are held, written down at every step: a killed process loses none of them.

The sidecar is written every few seconds, together with a sync. This file is written without one after each
write to the partial file, some 100 bytes at once: what a process has handed to the system outlives the
process. After a power cut it says nothing, and the sidecar counts.

    checksum (CRC-32), count, then start and size of each piece; little-endian, 4, 4, 8 and 8 bytes
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from model_manager.own_files import open_own

_COUNT = struct.Struct("<I")
_MAX_BYTES = 1 << 16


class PieceJournal:
    """The journal beside one partial file. Not thread-safe: `PartialFile` has the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is kept; only while a file has pieces beyond its front."""
        return self._file is not None

    def open(self, runs: Sequence[tuple[int, int]]) -> None:
        """Begin it with what is held now.

        Raises:
            OSError: The system refuses.
        """
        self._file = open_own(self.path)
        self.write(runs)

    def write(self, runs: Sequence[tuple[int, int]]) -> None:
        """Say what is held now.

        Raises:
            OSError: The system refuses.
        """
        assert self._file is not None
        body = _COUNT.pack(len(runs)) + b"".join(struct.pack("<QQ", *run) for run in runs)
        self._file.seek(0)
        self._file.write(_COUNT.pack(zlib.crc32(body)) + body)

    def read(self) -> list[tuple[int, int]] | None:
        """What was said last; None where there is no journal or it was torn."""
        try:
            with self.path.open("rb") as file:
                data = file.read(_MAX_BYTES)
        except OSError:
            return None
        if len(data) < 2 * _COUNT.size:
            return None
        (checksum,), (n_runs,) = _COUNT.unpack_from(data), _COUNT.unpack_from(data, _COUNT.size)
        body = data[_COUNT.size : 2 * _COUNT.size + 16 * n_runs]
        if len(body) != _COUNT.size + 16 * n_runs or zlib.crc32(body) != checksum:
            return None
        return list(struct.iter_unpack("<QQ", body[_COUNT.size :]))

    def close(self) -> None:
        """Let go of it; it stays on the disk."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Remove it; nothing happens where there is none.

        Raises:
            OSError: The system refuses.
        """
        self.close()
        self.path.unlink(missing_ok=True)
