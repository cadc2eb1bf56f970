"""Errors of this package as text and back, so that a failure still has its facts after a restart."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from model_manager import errors
from model_manager.errors import HubUnavailable, ModelManagerError


def encode(error: ModelManagerError) -> str:
    """JSON of an error: its type and the facts it was made from, which it keeps as attributes."""
    names = inspect.signature(type(error)).parameters
    facts = {name: _plain(getattr(error, name)) for name in names if hasattr(error, name)}
    return json.dumps({"type": type(error).__name__, "facts": facts})


def decode(text: str) -> ModelManagerError:
    """The error that `encode` was given; one that only quotes the text if another version wrote it."""
    try:
        record = json.loads(text)
        kind = getattr(errors, record["type"])
        if issubclass(kind, ModelManagerError):
            facts = {name: _rich(name, value) for name, value in record["facts"].items()}
            error: ModelManagerError = kind(**facts)
            return error
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return HubUnavailable("", text)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _rich(name: str, value: Any) -> Any:
    if name == "path":
        return Path(value)
    return tuple(value) if isinstance(value, list) else value
