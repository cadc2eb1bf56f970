from __future__ import annotations

import base64
import struct

import pytest

from model_manager.engine import images
from model_manager.errors import ImageRefused
from tests.helpers.mmprojs import png

JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 30, 40) + b"\x01\x01\x11\x00"
GIF = b"GIF89a" + struct.pack("<HH", 4, 5) + b"\0" * 8
BMP = b"BM" + b"\0" * 16 + struct.pack("<ii", 7, -8) + b"\0" * 8


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("data", [png(3, 2), JPEG, GIF, BMP])
def test_plain_formats_are_taken(data: bytes) -> None:
    assert images.from_data_url(data_url(data)) == data


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.png",
        "https://example.org/a.png",
        "file:///etc/passwd",
        "/etc/passwd",
        "",
        "data:image/png,plain",
        "data:image/png;base64",
        "data:image/png;base64,@@@",
    ],
)
def test_nothing_is_fetched(url: str) -> None:
    with pytest.raises(ImageRefused):
        images.from_data_url(url)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF....WEBPVP8 ",
        b"\x00\x00\x00 ftypisom",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\xff\xff",
        b"\xff\xd8\xff\xe0\x00\x00" * 3,
        png(1, 1)[:16] + struct.pack(">II", 0, 5),
        png(1, 1)[:16] + struct.pack(">II", 65_000, 65_000),
    ],
)
def test_other_data_is_refused(data: bytes) -> None:
    with pytest.raises(ImageRefused):
        images.check(data)


def test_size_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    with pytest.raises(ImageRefused):
        images.check(png(3, 2))
