"""Ollama: manifests with the names, blobs with the bytes, by their hash.

    manifests/HOST/NAMESPACE/MODEL/TAG      JSON; the layer of the type below has the model's digest and size
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

from model_manager.importers.found import Findings, Found, LeftOut
from model_manager.importers.settings_files import json_object
from model_manager.importers.walking import confined

MODEL_LAYER: Final = "application/vnd.ollama.image.model"
_DIGEST: Final = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MAX_MANIFESTS: Final = 10_000


def folders() -> Sequence[Path]:
    """Where it keeps models: as the environment says, else a person's own and the system service's."""
    chosen = os.environ.get("OLLAMA_MODELS")
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
    layers = json_object(manifest).get("layers")
    models = [layer for layer in layers if _is_model(layer)] if isinstance(layers, list) else []
    if not models:
        return LeftOut(manifest, name, "bad_manifest", "no model layer")
    if len(models) > 1:
        return LeftOut(manifest, name, "unsupported", "a model in several layers")
    digest = _DIGEST.fullmatch(str(models[0].get("digest", "")))
    if digest is None:
        return LeftOut(manifest, name, "bad_manifest", "a digest that is none")
    sha256 = digest[1]
    blob = root / "blobs" / f"sha256-{sha256}"
    if not os.path.lexists(blob):
        old = root / "blobs" / f"sha256:{sha256}"
        blob = old if os.path.lexists(old) else blob
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
    )


def display_name(parts: Sequence[str]) -> str:
    """The name by which `ollama list` and `ollama rm` know a manifest."""
    *path, tag = parts
    if path[:1] == ["registry.ollama.ai"]:
        path = path[1:]
        if path[:1] == ["library"]:
            path = path[1:]
    return f"{'/'.join(path)}:{tag}"


def _is_model(layer: Any) -> bool:
    return isinstance(layer, dict) and layer.get("mediaType") == MODEL_LAYER
