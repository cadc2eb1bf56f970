"""Image files that a person gives with a message."""

from __future__ import annotations

from pathlib import Path

from model_manager.engine import images
from model_manager.errors import ImageRefused
from storage.records import Part


def image_from(path: Path) -> Part:
    """Read an image file.

    Raises:
        ImageRefused: It cannot be read, or is no image of the plain formats.
    """
    try:
        with path.open("rb") as file:
            data = file.read(images.MAX_BYTES + 1)
    except OSError as error:
        raise ImageRefused(f"{path}: {error.strerror}") from error
    images.check(data)
    return Part("image", name=path.name, data=data)
