"""Keys of engines and tokens of hubs: in the system's keyring, or in memory for the run where there is none.

They never reach the database, an export, the log or a command line. Where the keyring cannot be used, a key
may also come from the environment: `COTERIE_ENGINE_KEY`.
"""

from __future__ import annotations

import logging
import os
import threading

log = logging.getLogger(__name__)

ENVIRONMENT = "COTERIE_ENGINE_KEY"
_SERVICE = "coterie"


class Secrets:
    """A store of keys by the name of what they open. For any thread; a keyring may ask its person."""

    def __init__(self, kind: str = "engine") -> None:
        """Prepare.

        Args:
            kind: Of what they open; keeps names of different kinds apart.
        """
        self._kind = kind
        self._in_memory: dict[str, str] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """The key; None where there is none."""
        with self._lock:
            if name in self._in_memory:
                return self._in_memory[name]
        return _from_keyring(self._user(name))

    def set(self, name: str, key: str) -> bool:
        """Keep a key; False where it is kept for this run only."""
        if _to_keyring(self._user(name), key):
            with self._lock:
                self._in_memory.pop(name, None)
            return True
        with self._lock:
            self._in_memory[name] = key
        return False

    def delete(self, name: str) -> None:
        """Forget a key; nothing happens where there is none."""
        with self._lock:
            self._in_memory.pop(name, None)
        _delete_from_keyring(self._user(name))

    def _user(self, name: str) -> str:
        return f"{self._kind}:{name}"


def from_environment() -> str | None:
    """The key that the environment of this process names."""
    return os.environ.get(ENVIRONMENT) or None


# keyring is imported when a key is first wanted: finding its backend takes a while, and asks the session bus.


def _from_keyring(name: str) -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(_SERVICE, name)
    except KeyringError as error:
        log.info("no key of %s from the keyring: %s", name, type(error).__name__)
        return None


def _to_keyring(name: str, key: str) -> bool:
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_SERVICE, name, key)
        # Some backends take everything and keep nothing.
        return keyring.get_password(_SERVICE, name) == key
    except KeyringError as error:
        log.info("the keyring does not keep the key of %s: %s", name, type(error).__name__)
        return False


def _delete_from_keyring(name: str) -> None:
    import keyring
    from keyring.errors import KeyringError

    try:
        if keyring.get_password(_SERVICE, name) is not None:
            keyring.delete_password(_SERVICE, name)
    except KeyringError as error:
        log.info("the key of %s stays in the keyring: %s", name, type(error).__name__)
