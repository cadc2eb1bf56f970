"""Reads Qt's binary stream format, version Qt_6_2: big-endian, texts in UTF-16.

Source: https://doc.qt.io/qt-6/datastreamformat.html
"""

from __future__ import annotations

import struct
from typing import IO

_NULL = 0xFFFFFFFF
_SKIP_BYTES = 1 << 20
MAX_BYTES = 1 << 30
"""Of one text or array."""


class QtStream:
    """Takes values from a file in order; each method raises ValueError where the file ends or lies."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def raw(self, n_bytes: int) -> bytes:
        """So many bytes as they are."""
        if n_bytes > MAX_BYTES:
            raise ValueError(f"a value of {n_bytes} bytes")
        data = self._file.read(n_bytes)
        if len(data) != n_bytes:
            raise ValueError("the file ends too early")
        return data

    def int32(self) -> int:
        """A qint32."""
        return int(struct.unpack(">i", self.raw(4))[0])

    def int64(self) -> int:
        """A qint64."""
        return int(struct.unpack(">q", self.raw(8))[0])

    def count(self, n_bytes: int) -> int:
        """How many values follow, as 4 or 8 bytes."""
        found = int.from_bytes(self.raw(n_bytes), "big")
        if found > MAX_BYTES:
            raise ValueError(f"{found} values")
        return found

    def boolean(self) -> bool:
        """A bool."""
        return self.raw(1) != b"\0"

    def bytes(self) -> bytes:
        """A QByteArray; a null one is empty."""
        n_bytes = int.from_bytes(self.raw(4), "big")
        return b"" if n_bytes == _NULL else self.raw(n_bytes)

    def text(self) -> str:
        """A QString; a null one is empty."""
        return self.bytes().decode("utf-16-be", "surrogatepass")

    def variant(self) -> str | bool | int | float | None:
        """A QVariant of a plain type."""
        kind = self.int32()
        self.boolean()
        match kind:
            case 0:  # invalid: its value is an empty text
                self.text()
                return None
            case 1:
                return self.boolean()
            case 2 | 4:
                return int.from_bytes(self.raw(kind * 2), "big", signed=True)
            case 3 | 5:
                return int.from_bytes(self.raw(kind * 2 - 2), "big")
            case 6:
                (value,) = struct.unpack(">d", self.raw(8))
                return float(value)
            case 10:
                return self.text()
            case _:
                raise ValueError(f"a value of Qt's type {kind}")

    def skip(self, n_bytes: int) -> None:
        """Pass over so many bytes."""
        while n_bytes > 0:
            step = min(n_bytes, _SKIP_BYTES)
            self.raw(step)
            n_bytes -= step

    def skip_bytes(self) -> None:
        """Pass over a QByteArray of any length."""
        n_bytes = int.from_bytes(self.raw(4), "big")
        if n_bytes != _NULL:
            self.skip(n_bytes)
