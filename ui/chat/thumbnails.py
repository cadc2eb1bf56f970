"""Small pictures of the images of messages, made beside the Qt thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage, QImageReader

from ui.chat.background import Background

SIDE: Final = 320
"""Pixels that neither side is longer than."""
N_KEPT: Final = 100
"""Messages whose pictures are kept; those of others are asked for again."""
# Others would be read by plugins that nobody asked for.
_FORMATS: Final = (b"png", b"jpeg", b"gif", b"bmp")


class Thumbnails(QObject):
    """The pictures of all messages that are looked at.

    Signals:
        wanted: message id (int) whose images nobody has brought yet.
        arrived: message id (int) whose pictures can be drawn now.
    """

    wanted = Signal(object)
    arrived = Signal(object)

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # By message: None until they are there.
        self._images: OrderedDict[int, tuple[QImage, ...] | None] = OrderedDict()
        self._background = background
        background.finished.connect(self._on_made)

    def image(self, message_id: int, number: int) -> QImage | None:
        """The picture of one of a message's attachments; None while it is not there, or is no image."""
        if message_id not in self._images:
            self._images[message_id] = None
            while len(self._images) > N_KEPT:
                self._images.popitem(last=False)
            self.wanted.emit(message_id)
            return None
        self._images.move_to_end(message_id)
        found = self._images[message_id] or ()
        return found[number] if number < len(found) and not found[number].isNull() else None

    def take(self, message_id: int, files: Sequence[bytes | None]) -> None:
        """The bytes of a message's attachments, in their order; None for what has none."""
        self._background.submit(("thumbnails", message_id), lambda: tuple(map(small, files)))

    def _on_made(self, key: object, result: object) -> None:
        match key, result:
            case ("thumbnails", int(message_id)), tuple(images):
                self._images[message_id] = images
                self.arrived.emit(message_id)


def small(data: bytes | None) -> QImage:
    """A small picture of an image file; null for what is none that can be drawn. On any thread."""
    buffer = QBuffer()
    buffer.setData(QByteArray(data or b""))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    if bytes(reader.format().data()) not in _FORMATS:
        return QImage()
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid() and max(size.width(), size.height()) > SIDE:
        reader.setScaledSize(size.scaled(QSize(SIDE, SIDE), Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()
