"""Names that come from outside (hubs, imports, shards) and become paths: checked in this one place.

A name is refused, never repaired: a repaired name could collide with another one. The rules of all systems
apply on each, so that a models folder can be moved between them.

Source: Microsoft, "Naming Files, Paths, and Namespaces" (reserved names and characters, trailing dots and
spaces).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from model_manager.errors import UnsafeFilename

_MAX_COMPONENT_BYTES = 255 - len(".part.json")
"""Longest name of most file systems, less the longest suffix that a running download adds."""
_MAX_PATH_BYTES = 1024
_FORBIDDEN = frozenset('<>:"|?*\\')  # `:` covers drive letters and alternate data streams, `\\` UNC paths.
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE)


def safe_relative_path(name: str) -> PurePosixPath:
    """The path that `name` (`file.gguf`, `folder/file.gguf`) means below a folder of ours.

    Returns:
        A relative path without `.` and `..`; joined to any folder it stays inside it, symbolic links aside.

    Raises:
        UnsafeFilename: It is empty, absolute, climbs, is too long, is not valid on some system, or looks
            different from what it is (control and direction characters).
    """
    if len(name.encode("utf-8", "surrogatepass")) > _MAX_PATH_BYTES:
        raise UnsafeFilename(name)
    components = name.split("/")
    if not all(_is_safe_component(component) for component in components):
        raise UnsafeFilename(name)
    return PurePosixPath(*components)


def safe_path_in(folder: Path, name: str) -> Path:
    """The file that `name` means below `folder`, symbolic links inside the folder followed.

    Raises:
        UnsafeFilename: As `safe_relative_path`, or a link inside the folder leads out of it.
    """
    path = folder / safe_relative_path(name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UnsafeFilename(name)
    return path


def safe_paths_in(folder: Path, names: Sequence[str]) -> None:
    """Check what is to lie side by side below `folder`.

    Raises:
        UnsafeFilename: As `safe_path_in`; or two of them are one file where upper and lower case, or the ways
            to write an accent, are the same.
    """
    seen: set[str] = set()
    for name in names:
        safe_path_in(folder, name)
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            raise UnsafeFilename(name)
        seen.add(key)


def _is_safe_component(component: str) -> bool:
    """Whether it is one harmless name on every system; "", "." and ".." are not."""
    if not component or component[-1] in ". " or component[0] == " ":
        return False
    if any(
        char in _FORBIDDEN or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for char in component
    ):
        return False
    # Windows takes `NUL.tar.gguf` and `NUL .gguf` for the device as well.
    if _RESERVED.fullmatch(component.partition(".")[0].rstrip(" ")):
        return False
    return len(component.encode()) <= _MAX_COMPONENT_BYTES
