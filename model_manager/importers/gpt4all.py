"""GPT4All: one flat folder, which a person may have moved (`modelPath` in its settings).

Source: nomic-ai/gpt4all, gpt4all-chat/src/main.cpp (organization, INI format), mysettings.cpp
(`defaultLocalModelsPath`, `modelPath`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from model_manager.importers.found import Findings, Variables
from model_manager.importers.settings_files import ini_value
from model_manager.importers.walking import gguf_files


def folders(variables: Variables) -> Sequence[Path]:
    """Where models may lie: as set, then its own place."""
    home = Path.home()
    if sys.platform == "win32":
        data = Path(variables("LOCALAPPDATA") or home / "AppData" / "Local")
        settings = Path(variables("APPDATA") or home / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        data = home / "Library" / "Application Support"
        settings = home / ".config"
    else:
        data = Path(variables("XDG_DATA_HOME") or home / ".local" / "share")
        settings = Path(variables("XDG_CONFIG_HOME") or home / ".config")
    chosen = ini_value(settings / "nomic.ai" / "GPT4All.ini", "modelPath")
    return [*([Path(chosen)] if chosen else []), data / "nomic.ai" / "GPT4All"]


def scan(root: Path) -> Findings:
    """All models of its folder."""
    return gguf_files(root, lambda path: f"gpt4all:{path.name}")
