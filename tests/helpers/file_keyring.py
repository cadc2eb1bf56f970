"""A keyring that other processes share: `PYTHON_KEYRING_BACKEND=tests.helpers.file_keyring.Drawer`.

Its secrets are in the JSON file that `FILE_KEYRING` names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend


class Drawer(KeyringBackend):
    """Keeps things in a file for a test."""

    priority = 1  # type: ignore[assignment]  # a class attribute, as its documentation has it

    def get_password(self, service: str, username: str) -> str | None:
        return _read().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        _file().write_text(json.dumps(_read() | {f"{service} {username}": password}), "utf-8")

    def delete_password(self, service: str, username: str) -> None:
        kept = _read()
        del kept[f"{service} {username}"]
        _file().write_text(json.dumps(kept), "utf-8")


def _file() -> Path:
    return Path(os.environ["FILE_KEYRING"])


def _read() -> dict[str, str]:
    found: dict[str, str] = json.loads(_file().read_text("utf-8")) if _file().exists() else {}
    return found
