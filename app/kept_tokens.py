"""Access tokens that a person has given, in the system's keyring, each for the address it was given for."""

from __future__ import annotations

import threading

from app.secrets import Secrets
from model_manager.hosts import origin_of


class KeptTokens:
    """Tokens by address. For any thread.

    Each is looked up once: a keyring asks the session bus, and every request would wait for it.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._seen: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def get(self, url: str) -> str | None:
        """The token for an address, whatever its path; None where none was given."""
        origin = origin_of(url)
        with self._lock:
            if origin not in self._seen:
                self._seen[origin] = self._secrets.get(origin)
            return self._seen[origin]

    def set(self, url: str, token: str) -> bool:
        """Keep a token; False where it is kept for this run only."""
        with self._lock:
            self._seen[origin_of(url)] = token
            return self._secrets.set(origin_of(url), token)

    def delete(self, url: str) -> None:
        """Forget a token; nothing happens where there is none."""
        with self._lock:
            self._seen[origin_of(url)] = None
            self._secrets.delete(origin_of(url))
