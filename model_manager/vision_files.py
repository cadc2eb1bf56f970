"""The file that lets a model see: `mmproj`, kept beside the model's own, as repositories on a hub do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from model_manager.errors import ModelFileError
from model_manager.shards import GgufModel, read_model

log = logging.getLogger(__name__)

ARCHITECTURE: Final = "clip"
"""What such a file calls itself, whatever its tower is."""

_PREFERRED: Final = ("bf16", "f16", "q8_0", "f32")


def is_vision_file(model: GgufModel) -> bool:
    """Whether a GGUF file is a vision tower and no model of its own."""
    return model.header.architecture == ARCHITECTURE


def is_vision_name(filename: str) -> bool:
    """Whether a file is named as vision towers are."""
    return "mmproj" in filename.lower() and filename.lower().endswith(".gguf")


def vision_rank(filename: str) -> tuple[int, str]:
    """Sorts towers of several precisions: the one that loses nothing and takes least comes first."""
    name = filename.lower()
    marks = [i for i, mark in enumerate(_PREFERRED) if mark in name]
    return (min(marks, default=len(_PREFERRED)), name)


def find_mmproj(model: GgufModel) -> Path | None:
    """The vision tower of a model: a file named `*mmproj*.gguf` in its folder whose output is as wide as it.

    Where a publisher offers several precisions, the one that loses nothing and takes least is taken.
    """
    width = model.header.metadata.get(f"{model.header.architecture}.embedding_length")
    fitting = [path for path in _candidates(model.paths[0].parent) if _width(path) == width]
    return min(fitting, key=lambda path: vision_rank(path.name), default=None)


def _candidates(folder: Path) -> Sequence[Path]:
    try:
        return sorted(path for path in folder.glob("*.gguf") if is_vision_name(path.name))
    except OSError as error:
        log.info("%s cannot be looked through: %s", folder, error)
        return []


def _width(path: Path) -> object:
    try:
        return read_model(path).header.metadata.get("clip.vision.projection_dim")
    except (ModelFileError, OSError) as error:
        log.info("%s is no vision tower: %s", path, error)
        return None
