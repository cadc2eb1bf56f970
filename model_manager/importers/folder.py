"""Any folder, and ours: every GGUF file in it, under its own name."""

from __future__ import annotations

from pathlib import Path

from model_manager.importers.found import Findings
from model_manager.importers.walking import gguf_files


def scan(root: Path) -> Findings:
    """All models below a folder."""
    return gguf_files(root, lambda _path: "")
