"""The window's view of the network: the log of requests, and the hub's token."""

from __future__ import annotations

from urllib.parse import urlsplit

from PySide6.QtCore import QObject, Signal

from app.bridge import Bridge
from app.errors import BadUsage
from app.services import Services
from ui.i18n import tr

_SHOWN = 1000


class NetworkController(QObject):
    """Lives on the Qt thread; asks on others: the log is a file, and a keyring may ask its person.

    Signals:
        listed: Records (the oldest first), whether the door is closed, the origins that may be asked.
        token_known: "environment", "kept" or "none", and the host that it is about.
        failed: An error.
    """

    listed = Signal(object, bool, object)
    token_known = Signal(str, str)
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._bridge = bridge

    def list_requests(self) -> None:
        """Read the log."""
        door = self._services.http
        self._bridge.run(
            lambda: (door.log.last(_SHOWN), door.is_offline(), door.allowed()),
            lambda found: self.listed.emit(*found),
            self.failed.emit,
        )

    def look_at_token(self) -> None:
        """Find out whether the hub has a token."""
        self._bridge.run(self._token, lambda found: self.token_known.emit(*found), self.failed.emit)

    def set_token(self, token: str) -> None:
        """Keep it for the hub that is set now."""

        def work() -> tuple[str, str]:
            if not token.isascii() or not token.isprintable() or " " in token:
                raise BadUsage(tr("The token must be one word of visible ASCII characters."))
            self._services.kept_tokens.set(self._services.sources.endpoint, token)
            return self._token()

        self._bridge.run(work, lambda found: self.token_known.emit(*found), self.failed.emit)

    def forget_token(self) -> None:
        """Remove the kept one."""

        def work() -> tuple[str, str]:
            self._services.kept_tokens.delete(self._services.sources.endpoint)
            return self._token()

        self._bridge.run(work, lambda found: self.token_known.emit(*found), self.failed.emit)

    def _token(self) -> tuple[str, str]:
        endpoint = self._services.sources.endpoint
        host = urlsplit(endpoint).hostname or endpoint
        if self._services.tokens.of_environment(endpoint) is not None:
            return "environment", host
        return ("kept" if self._services.kept_tokens.get(endpoint) is not None else "none"), host
