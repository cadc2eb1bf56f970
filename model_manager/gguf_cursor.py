"""A reading position in a GGUF header that can neither run away nor swallow much memory."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_manager.errors import DamagedGguf, TruncatedGguf

ReadAt = Callable[[int, int], bytes]
"""`read_at(offset, n_bytes)`: up to that many bytes; fewer only at the end of the file."""

MAX_HEADER_BYTES = 128 << 20
"""No known model's header takes more than 30 MiB (a vocabulary of 262,144 tokens with merges and scores)."""
MAX_TEXT_BYTES = 16 << 20
"""Of one string that is kept; chat templates are below 1 MiB."""
MAX_KEPT_BYTES = 128 << 20
"""Of all that a header keeps in memory, as Python objects, roughly."""
_OBJECT_BYTES = 64  # What a small Python object costs, roughly.


class Cursor:
    """Reads little-endian values one after another through a window of at most `chunk_bytes`.

    Every length is compared with what is left of the file before anything is allocated.

    Attributes:
        position: Bytes from the beginning of the file.
        size_bytes: Of the whole file.
    """

    def __init__(self, read_at: ReadAt, size_bytes: int, path: Path | str, chunk_bytes: int) -> None:
        self.position = 0
        self.size_bytes = size_bytes
        self._read_at = read_at
        self._path = path
        self._chunk_bytes = chunk_bytes
        self._window = b""
        self._window_start = 0
        self._kept_bytes = 0

    def damaged(self, reason: str) -> DamagedGguf:
        """The error for a contradiction found here."""
        return DamagedGguf(self._path, f"{reason} (before byte {self.position})")

    def require(self, n_bytes: int) -> None:
        """Makes sure that the file goes on for so long.

        Raises:
            TruncatedGguf: It does not.
            DamagedGguf: The header would become larger than any header is.
        """
        if n_bytes > self.size_bytes - self.position:
            missing_bytes = n_bytes - (self.size_bytes - self.position)
            raise TruncatedGguf(self._path, f"byte {self.position}: {missing_bytes} bytes are missing")
        if self.position + n_bytes > MAX_HEADER_BYTES:
            raise self.damaged(f"the header is larger than {MAX_HEADER_BYTES} bytes")

    def keep(self, n_objects: int, n_bytes: int = 0) -> None:
        """Accounts for objects that the header will hold.

        Raises:
            DamagedGguf: They are too many.
        """
        self._kept_bytes += n_objects * _OBJECT_BYTES + n_bytes
        if self._kept_bytes > MAX_KEPT_BYTES:
            raise self.damaged("the metadata is too large")

    def take(self, n_bytes: int) -> bytes:
        """The next bytes."""
        self.require(n_bytes)
        start = self._fill(n_bytes)
        self.position += n_bytes
        return self._window[start : start + n_bytes]

    def skip(self, n_bytes: int) -> None:
        """Moves on without reading."""
        self.require(n_bytes)
        self.position += n_bytes

    def skip_strings(self, count: int) -> None:
        """Moves over so many strings; a tight loop, for vocabularies have hundreds of thousands."""
        unpack = struct.Struct("<Q").unpack_from
        while count:
            self.require(8)
            start = self._fill(8)
            window, last = self._window, len(self._window) - 8
            first = start
            while count and start <= last:
                start += 8 + unpack(window, start)[0]
                count -= 1
            self.skip(start - first)

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next values of a fixed layout."""
        return layout.unpack(self.take(layout.size))

    def text(self) -> bytes:
        """The next string, not yet decoded: a length of 8 bytes, then the bytes."""
        (n_bytes,) = self.unpack(_U64)
        self.require(n_bytes)
        if n_bytes > MAX_TEXT_BYTES:
            raise self.damaged(f"a string of {n_bytes} bytes")
        self.keep(1, n_bytes)
        return self.take(n_bytes)

    def _fill(self, n_bytes: int) -> int:
        """Has the next bytes in the window; where they begin in it."""
        start = self.position - self._window_start
        if start < 0 or start + n_bytes > len(self._window):
            wanted_bytes = min(max(n_bytes, self._chunk_bytes), self.size_bytes - self.position)
            self._window = b""  # Before the next one is read: two of them are twice the memory.
            self._window = self._read_at(self.position, wanted_bytes)
            self._window_start = self.position
            start = 0
            if len(self._window) < n_bytes:
                raise TruncatedGguf(self._path, f"byte {self.position}: the file ends before its stated size")
        return start


_U64 = struct.Struct("<Q")
