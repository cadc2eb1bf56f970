"""LM Studio: PUBLISHER/REPO/FILE.gguf below its models folder, which a person may have moved.

Source: lmstudio-ai/docs, 1_app/0_basics/import-model.md; `~/.lmstudio-home-pointer` names its home,
`settings.json` there the folder (`downloadsFolder`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from model_manager.importers.found import Findings, Variables
from model_manager.importers.settings_files import first_line, json_value
from model_manager.importers.walking import gguf_files


def folders(_variables: Variables) -> Sequence[Path]:
    """Where models may lie: as set, then the places of newer and of older versions."""
    home = Path.home()
    homes = [home / ".lmstudio", home / ".cache" / "lm-studio"]
    pointer = first_line(home / ".lmstudio-home-pointer")
    if pointer:
        homes.insert(0, Path(pointer))
    found = []
    for place in homes:
        chosen = json_value(place / "settings.json", "downloadsFolder")
        found += [Path(chosen)] if chosen else []
        found.append(place / "models")
    return found


def scan(root: Path) -> Findings:
    """All models below its folder."""
    return gguf_files(root, partial(_source, root))


def _source(root: Path, path: Path) -> str:
    return f"lmstudio:{path.parent.relative_to(root).as_posix()}"
