"""The cache that `huggingface_hub` and llama.cpp's `-hf` share.

    models--OWNER--REPO/blobs/SHA256                        the bytes of large files, by their hash
    models--OWNER--REPO/refs/main                           a commit
    models--OWNER--REPO/snapshots/COMMIT/PATH -> ../../blobs/SHA256

Source: huggingface_hub, docs/source/en/guides/manage-cache.md, constants.py (`HF_HUB_CACHE`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from model_manager.importers.found import Findings, Found, Variables
from model_manager.importers.walking import gguf_files

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
VARIABLES: Final = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")
_BELOW: Final = ("", "", "hub", "huggingface/hub")


def folders(variables: Variables) -> Sequence[Path]:
    """Where it lies: one place."""
    return [cache_dir(variables)]


def cache_dir(variables: Variables) -> Path:
    """Where it lies; the environment decides, in the order in which `huggingface_hub` asks it."""
    for name, below in zip(VARIABLES, _BELOW, strict=True):
        if value := variables(name):
            return Path(value).expanduser() / below
    return Path.home() / ".cache" / "huggingface" / "hub"


def scan(root: Path) -> Findings:
    """All models of the cache; a file that several snapshots have comes once, from the newest of them."""
    for repository in sorted(root.glob("models--*")):
        yield from _scan_repository(repository)


def _scan_repository(repository: Path) -> Findings:
    repo_id = "/".join(repository.name.split("--")[1:3])
    seen: set[str] = set()
    for snapshot in _snapshots(repository):
        source = f"hub:{repo_id}@{snapshot.name}"
        # The repository is the root: links of a snapshot lead to the blobs beside it.
        for finding in gguf_files(snapshot, partial(_same, source), repository):
            real = os.path.realpath(finding.path)
            if real in seen:
                continue
            seen.add(real)
            blob = os.path.basename(real)
            if isinstance(finding, Found) and _SHA256.fullmatch(blob):
                finding = replace(finding, sha256=blob)
            yield finding


def _same(source: str, _path: Path) -> str:
    return source


def _snapshots(repository: Path) -> Sequence[Path]:
    """The one that `main` names, then the others, the newest first."""
    try:
        main = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        main = ""
    try:
        found = [path for path in (repository / "snapshots").iterdir() if path.is_dir()]
    except OSError:
        return []
    return sorted(found, key=lambda path: (path.name != main, -path.stat().st_mtime, path.name))
