"""The use case of looking at the images and files of messages."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.bridge import Bridge
from app.services import Services


class AttachmentsController(QObject):
    """Reads them when their message comes into sight: they may be large, so messages are read without.

    Signals:
        loaded: message id (int), its images and files (tuple of Part), whole.
        failed: Exception, for a sentence.
    """

    loaded = Signal(object, object)
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = services.storage
        self._bridge = bridge

    def load(self, message_id: int) -> None:
        """Read those of one message; none where it is gone meanwhile."""
        self._bridge.run(
            lambda: self._storage.call(lambda store: store.parts.attachments([message_id])),
            lambda found: self.loaded.emit(message_id, found.get(message_id, ())),
            self.failed.emit,
        )
