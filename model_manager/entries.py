"""Library entries: what is remembered of them, and how they are made from files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from model_manager.errors import ModelFileError, ModelNotFound
from model_manager.plans import KEPT_KEYS, kept_adapters, kept_tuning, kept_values
from model_manager.shards import GgufModel, read_model
from model_manager.types import ModelEntry, ModelRecord


def absolute(path: Path | str) -> Path:
    """A full path, links not followed: their names are the ones people know (a Hub cache links to hashes)."""
    return Path(os.path.abspath(os.path.expanduser(path)))


def read_files(path: Path) -> GgufModel:
    """As `shards.read_model`, with typed errors only.

    Raises:
        ModelNotFound: There is no such file.
        ModelFileError: It is no usable model (one of its subclasses says why), or cannot be read.
    """
    if not os.path.isfile(path):  # Path.is_file raises where a name is too long for the system.
        raise ModelNotFound(str(path))
    try:
        return read_model(path)
    except OSError as error:
        raise ModelFileError(path, str(error)) from error


def record_of(
    name: str, model: GgufModel, sha256: tuple[str, ...] | None = None, *, is_ours: bool = False
) -> ModelRecord:
    """What is worth remembering of a model's files."""
    header = model.header
    return ModelRecord(
        name=name,
        paths=tuple(str(path) for path in model.paths),
        size_bytes=model.size_bytes,
        sha256=sha256,
        is_ours=is_ours,
        info={
            "architecture": header.architecture,
            "n_layers": header.n_layers,
            "n_experts": header.n_experts,
            "n_experts_used": header.n_experts_used,
            "n_ctx_train_tokens": header.n_ctx_train_tokens,
            "quantization": model.quantization,
        },
    )


def refreshed(record: ModelRecord, model: GgufModel, sha256: tuple[str, ...] | None) -> ModelRecord:
    """The record after a new look at its files; what a person or a download has said of it stays."""
    seen = record_of(record.name, model)
    kept = {key: record.info[key] for key in KEPT_KEYS if key in record.info}
    return replace(record, size_bytes=seen.size_bytes, info={**seen.info, **kept}, sha256=sha256)


def entry_of(record: ModelRecord) -> ModelEntry:
    """The entry that a record stands for; looks whether its files are still there."""
    paths = tuple(map(Path, record.paths))
    info = record.info
    return ModelEntry(
        name=record.name,
        paths=paths,
        size_bytes=record.size_bytes,
        architecture=str(info.get("architecture", "")),
        n_experts=int(info.get("n_experts", 0)),
        n_experts_used=int(info.get("n_experts_used", 0)),
        n_ctx_train_tokens=int(info.get("n_ctx_train_tokens", 0)),
        quantization=str(info.get("quantization", "")),
        sha256=record.sha256,
        chat_template=record.chat_template,
        source=record.source,
        is_ours=record.is_ours,
        is_missing=not all(map(os.path.isfile, paths)),
        plan=kept_values(info.get("plan")),
        adapters=kept_adapters(info.get("adapters")),
        tuning=kept_tuning(info.get("tuning")),
        measured=info["measured"] if isinstance(info.get("measured"), dict) else {},
    )
