"""What a person has set, once for all conversations."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from storage.database import Database
from storage.errors import NoSuchSetting
from storage.rows import to_json

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "backup_every_days": 7,  # days between backups that are made by themselves; 0: none are
        "backups_kept": 3,  # of these
        "ca_file": None,  # a path: certificate authorities to believe besides the system's
        "default_model": None,  # name in the library; None: the first one there is
        "download_connections": 4,  # that share one file
        "download_rate": 0,  # bytes a second, of all downloads together; 0: no limit
        "downloads_at_once": 2,  # the others wait
        "hub_endpoint": "https://huggingface.co",
        "language": "system",  # "system", "en" or "zh_CN"
        "last_conversation_id": None,
        "models_dir": None,  # a path; None: beside the database
        "models_memory_bytes": 0,  # what all loaded models may take together; 0: as the machine allows
        "modelscope_endpoint": "https://modelscope.cn",
        "n_ctx_tokens": 0,  # 0: the model's own, at most 8192
        "offline": False,
        "prices": {},  # see `app.prices.is_price_list`; empty: there is no list
        "prompt_cache_bytes": 8 * 1024**3,  # most disk that conversations' states may take; 0: keep none
        "proxy": "system",  # as the system or the environment says; "none"; or an address
        "remote_engines": [],  # objects with name, url and model; their keys are in the system's keyring
        "sampling_defaults": {},  # by parameter name
        "splitter_sizes": None,  # pixels
        "trace": "replay",  # "live": note which experts tokens go to while answers are made
        "theme": "system",  # "system", "light" or "dark"
        "trash_days": 30,  # days after which what was thrown away is deleted; 0: never by itself
        "unload_after_min": 30,  # minutes without use after which a model leaves memory; 0: never
        "verified_models": {},  # by repository: when the hub confirmed the catalogue, and the commit
        "window_geometry": None,  # base64
        "window_state": None,  # base64
        "zoom_percent": 100,  # of the system's text size
    }
)


class Settings:
    """Values by key. Every key is declared in `DEFAULTS`; a file may hold more, from a later version."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> Any:
        """What was set, else the declared default.

        Raises:
            NoSuchSetting: The key is not declared.
        """
        _require_declared(key)
        rows = self._database.query("SELECT value FROM settings WHERE key = ?", [key])
        with self._database.sound():
            return json.loads(rows[0]["value"]) if rows else copy.deepcopy(DEFAULTS[key])

    def set(self, key: str, value: Any) -> None:
        """Keep a JSON value.

        Raises:
            NoSuchSetting: The key is not declared.
        """
        _require_declared(key)
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO settings (key, value) VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [key, to_json(value)],
            )

    def all(self) -> dict[str, Any]:
        """Every declared key with its value."""
        rows = self._database.query("SELECT key, value FROM settings")
        with self._database.sound():
            stored = {row["key"]: json.loads(row["value"]) for row in rows if row["key"] in DEFAULTS}
        return copy.deepcopy(dict(DEFAULTS)) | stored


def _require_declared(key: str) -> None:
    if key not in DEFAULTS:
        raise NoSuchSetting(key)
