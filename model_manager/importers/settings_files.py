"""Single values out of other programs' settings. Whatever is wrong with such a file, it says nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

_MAX_BYTES: Final = 4 << 20


def first_line(path: Path) -> str:
    """The first line of a small text file; empty where there is none."""
    return _text(path).partition("\n")[0].strip()


def json_object(path: Path) -> dict[str, Any]:
    """What a JSON file holds; empty where it holds no object."""
    try:
        value = json.loads(_text(path))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def json_value(path: Path, key: str) -> str:
    """A text of a JSON file; empty where there is none."""
    value = json_object(path).get(key)
    return value if isinstance(value, str) else ""


def ini_value(path: Path, key: str) -> str:
    """A text of an INI file as Qt writes them, in whatever section; empty where there is none."""
    for line in _text(path).splitlines():
        name, separator, value = line.partition("=")
        if separator and name.strip() == key:
            return value.strip().strip('"')
    return ""


def yaml_values(path: Path) -> dict[str, str]:
    """The plain values of a YAML file's top level: all that the files that we read have of interest."""
    values = {}
    for line in _text(path).splitlines():
        name, separator, value = line.partition(":")
        if separator and name and name == name.strip() and not name.startswith(("#", "-")):
            values[name] = value.strip().strip("\"'")
    return values


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return ""
        text = path.read_text(encoding="utf-8-sig")
        return "" if "\0" in text else text  # such a file is none of these, and no path has one
    except (OSError, ValueError):
        return ""
