"""Ollama: manifests with the names, blobs with the bytes, by their hash.

    manifests/HOST/NAMESPACE/MODEL/TAG      JSON; layers of the types below have digests and sizes
    blobs/sha256-HEX                        older versions: `sha256:HEX`

Source: ollama, types/model/name.go (names), manifest/layer.go and server/modelpath.go (blobs), docs/faq.md
(folders).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from model_manager.importers.found import Findings, Found, LeftOut, Variables
from model_manager.importers.settings_files import json_object
from model_manager.importers.walking import confined

MODEL_LAYER: Final = "application/vnd.ollama.image.model"
PROJECTOR_LAYER: Final = "application/vnd.ollama.image.projector"
_DIGEST: Final = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MAX_MANIFESTS: Final = 10_000
VARIABLES: Final = ("OLLAMA_MODELS",)


def folders(variables: Variables) -> Sequence[Path]:
    """Where it keeps models: as the environment says, else a person's own and the system service's."""
    chosen = variables("OLLAMA_MODELS")
    if chosen:
        return [Path(chosen).expanduser()]
    return [Path.home() / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")]


def scan(root: Path) -> Findings:
    """All models that manifests name; a blob that several names share comes once for each."""
    manifests = root / "manifests"
    n_seen = 0
    for folder, below, files in os.walk(manifests):
        below.sort()
        for file in sorted(files):
            n_seen += 1
            if n_seen > _MAX_MANIFESTS:
                yield LeftOut(manifests, "", "too_many", f"more than {_MAX_MANIFESTS} manifests")
                return
            path = Path(folder, file)
            yield _from_manifest(path, path.relative_to(manifests).parts, root)


def _from_manifest(manifest: Path, parts: Sequence[str], root: Path) -> Found | LeftOut:
    name = display_name(parts)
    reason = confined(manifest, root)
    if reason is not None:
        return LeftOut(manifest, name, reason)
    told = json_object(manifest).get("layers")
    layers = told if isinstance(told, list) else []
    models = [layer for layer in layers if _is_of(layer, MODEL_LAYER)]
    if not models:
        return LeftOut(manifest, name, "bad_manifest", "no model layer")
    if len(models) > 1:
        return LeftOut(manifest, name, "unsupported", "a model in several layers")
    sha256 = _sha256_of(models[0])
    if sha256 is None:
        return LeftOut(manifest, name, "bad_manifest", "a digest that is none")
    blob = _blob(root, sha256)
    reason = confined(blob, root)
    if reason is not None:
        return LeftOut(blob, name, reason)
    size_bytes = models[0].get("size")
    return Found(
        blob,
        name,
        f"ollama:{name}",
        root,
        sha256,
        size_bytes if isinstance(size_bytes, int) else None,
        _tower(layers, root),
    )


def display_name(parts: Sequence[str]) -> str:
    """The name by which `ollama list` and `ollama rm` know a manifest."""
    *path, tag = parts
    if path[:1] == ["registry.ollama.ai"]:
        path = path[1:]
        if path[:1] == ["library"]:
            path = path[1:]
    return f"{'/'.join(path)}:{tag}"


def _tower(layers: Sequence[Any], root: Path) -> Path | None:
    towers = [layer for layer in layers if _is_of(layer, PROJECTOR_LAYER)]
    sha256 = _sha256_of(towers[0]) if len(towers) == 1 else None
    if sha256 is None:
        return None
    blob = _blob(root, sha256)
    return blob if confined(blob, root) is None else None


def _sha256_of(layer: dict[str, Any]) -> str | None:
    digest = _DIGEST.fullmatch(str(layer.get("digest", "")))
    return None if digest is None else digest[1]


def _blob(root: Path, sha256: str) -> Path:
    blob, old = (root / "blobs" / f"sha256{separator}{sha256}" for separator in "-:")
    return old if os.path.lexists(old) and not os.path.lexists(blob) else blob


def _is_of(layer: Any, media_type: str) -> bool:
    return isinstance(layer, dict) and layer.get("mediaType") == media_type
