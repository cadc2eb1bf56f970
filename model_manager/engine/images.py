"""Images that come with a request: only as data in the request itself, and only of plain formats."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Final

from model_manager.errors import ImageRefused

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_PIXELS: Final = 64 * 1024 * 1024
"""A small file can unfold to any size; this is a quarter of a gigabyte."""

_JPEG_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def from_data_url(url: str) -> bytes:
    """The bytes in a `data:` URL.

    Raises:
        ImageRefused: It is another kind of URL (nothing is ever fetched), or damaged, or not an image.
    """
    if not url[:5].lower() == "data:":
        raise ImageRefused("images are taken from data: URLs only; files and addresses are not fetched")
    head, comma, body = url.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise ImageRefused("the data: URL is not base64")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise ImageRefused("the data: URL is not base64") from None
    check(data)
    return data


def to_data_url(data: bytes) -> str:
    """The inverse; what follows decides by the bytes, not by the type that is named here."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def check(data: bytes) -> None:
    """See that these are the bytes of a PNG, JPEG, GIF or BMP of sane size.

    Raises:
        ImageRefused: They are not.
    """
    if len(data) > MAX_BYTES:
        raise ImageRefused(f"it has more than {MAX_BYTES // 2**20} MiB")
    size = _size(data)
    if size is None:
        raise ImageRefused("only PNG, JPEG, GIF and BMP are understood")
    width, height = size
    if width < 1 or height < 1:
        raise ImageRefused("it is empty")
    if width * height > MAX_PIXELS:
        raise ImageRefused(f"{width} x {height} pixels are too many")


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header says; None for any other format."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", data, 16)
            return width, height
        if data.startswith((b"GIF87a", b"GIF89a")):
            width, height = struct.unpack_from("<HH", data, 6)
            return width, height
        if data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            return width, abs(height)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg_size(data)
    except struct.error:
        return None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 1 < len(data):
        if data[position] != 0xFF:
            return None
        kind = data[position + 1]
        if kind in (0xFF, 0x01) or 0xD0 <= kind <= 0xD8:  # fill bytes, and marks without a length
            position += 1 if kind == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if kind in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        position += 2 + length
    return None
