"""Jan: a folder for each model, with a `model.yml` that names its file (mostly `model.gguf`).

    DATA/llamacpp/models/ID/model.yml       model_path: llamacpp/models/ID/model.gguf (from DATA, or absolute)
                                            mmproj_path: likewise, where it can see
    DATA/models/ID/                         older versions; `ID/model.json` beside the file

Source: janhq/jan, extensions/llamacpp-extension/src/index.ts (`model.yml`),
src-tauri/src/core/app/commands.rs and paths.rs (`settings.json`, variables).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from model_manager.importers.found import Findings, Found, LeftOut, Variables
from model_manager.importers.settings_files import json_value, yaml_values
from model_manager.importers.walking import confined, gguf_files
from model_manager.types import SkipReason

VARIABLES: Final = ("JAN_DATA_FOLDER", "JAN_DATA_ROOT")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def folders(variables: Variables) -> Sequence[Path]:
    """Its data folders: as set, then the places of newer and of older versions."""
    home = Path.home()
    if root := variables("JAN_DATA_ROOT"):
        places = [Path(root) / "Jan"]
    elif sys.platform == "win32":
        places = [Path(variables("APPDATA") or home / "AppData" / "Roaming") / "Jan"]
    elif sys.platform == "darwin":
        places = [home / "Library" / "Application Support" / "Jan"]
    else:
        places = [
            Path(variables("XDG_DATA_HOME") or home / ".local" / "share") / "Jan",
            Path(variables("XDG_CONFIG_HOME") or home / ".config") / "Jan",
        ]
    chosen = [variables("JAN_DATA_FOLDER") or ""]
    chosen += [json_value(place / "settings.json", "data_folder") for place in places]
    return [*map(Path, filter(None, chosen)), *(place / "data" for place in places), home / "jan"]


def scan(root: Path) -> Findings:
    """All models below its data folder: those that `model.yml` files name, then what else lies there."""
    told: set[str] = set()
    for folder in (root / "llamacpp" / "models", root / "models"):
        for manifest in sorted(folder.rglob("model.yml")):
            finding = _from_manifest(manifest, folder, root)
            told.add(os.path.realpath(finding.path))
            yield finding
        if folder.is_dir():
            for finding in gguf_files(folder, partial(_source, folder), root):
                if os.path.realpath(finding.path) in told:
                    continue
                # Named after its folder: most files are called `model.gguf`.
                if isinstance(finding, Found) and finding.path.stem == "model":
                    name = _id(finding.path.parent, folder)
                    finding = Found(finding.path, name, finding.source, root)
                yield finding


def _from_manifest(manifest: Path, folder: Path, root: Path) -> Found | LeftOut:
    model_id = _id(manifest.parent, folder)
    values = yaml_values(manifest)
    told = values.get("model_path", "")
    if not told:
        return LeftOut(manifest, model_id, "bad_manifest", "no model_path")
    path, home, reason = _place(told, root)
    if reason is not None:
        return LeftOut(path, model_id, reason)
    sha256 = values.get("model_sha256", "").lower()
    tower, _, not_there = _place(values.get("mmproj_path", ""), root)
    return Found(
        path,
        model_id,
        f"jan:{model_id}",
        home,
        sha256=sha256 if _SHA256.fullmatch(sha256) else None,
        mmproj=tower if not_there is None else None,
    )


def _place(told: str, root: Path) -> tuple[Path, Path, SkipReason | None]:
    """What a manifest means by a path, the folder that it must not lead out of, and why it is no file."""
    path = Path(told)
    if path.is_absolute():
        # A file that a person has imported where it was: Jan itself names a place outside.
        return path, path.parent, confined(path, path.parent)
    path = root / path
    return path, root, "outside" if ".." in path.parts else confined(path, root)


def _source(folder: Path, path: Path) -> str:
    return f"jan:{_id(path.parent, folder)}"


def _id(folder: Path, top: Path) -> str:
    return folder.relative_to(top).as_posix()
