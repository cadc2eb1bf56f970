"""Library entries: what is remembered of them, and how they are made from files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_manager.errors import ModelFileError, ModelNotFound, OnlyVision, UnsafeFilename
from model_manager.looks import Look, look_at, looks_of, state_of_missing
from model_manager.move_journal import destination
from model_manager.plans import KEPT_KEYS, kept_adapters, kept_tuning, kept_values
from model_manager.recommended import kept_sampling, recommended_sampling
from model_manager.shards import GgufModel, read_model
from model_manager.types import ModelEntry, ModelRecord, ModelState
from model_manager.vision_files import is_vision_file


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


def read_whole_model(path: Path) -> GgufModel:
    """As `read_files`, of a model that can answer by itself.

    Raises:
        OnlyVision: It is the vision tower of another model.
        UnsafeFilename: Its path is not text, and so cannot be remembered.
        ModelNotFound, ModelFileError: As `read_files`.
    """
    shown = str(path).encode("utf-8", "replace").decode()
    if shown != str(path):  # a name on Linux may be any bytes
        raise UnsafeFilename(shown)
    model = read_files(path)
    if is_vision_file(model):
        raise OnlyVision(path)
    return model


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
            "sampling": recommended_sampling(header),
        },
        looks=looks_of(model.paths),
    )


def refreshed(record: ModelRecord, model: GgufModel, sha256: tuple[str, ...] | None) -> ModelRecord:
    """The record after a new look at its files; what a person or a download has said of it stays."""
    seen = record_of(record.name, model)
    kept = {key: record.info[key] for key in KEPT_KEYS if key in record.info}
    return replace(
        record, size_bytes=seen.size_bytes, info={**seen.info, **kept}, looks=seen.looks, sha256=sha256
    )


def imported_again(record: ModelRecord, model: GgufModel) -> ModelRecord:
    """The record of files that a person adds once more: where they are other ones, no checksum holds.

    A download keeps the checksum that its source promised; a file of a person may have been made anew.
    """
    has_same_size = record.size_bytes == model.size_bytes
    if has_same_size and (record.is_ours or entry_of(record).state not in ("changed", "damaged")):
        return refreshed(record, model, record.sha256)
    return replace(refreshed(record, model, None), verification=None)


def verified(record: ModelRecord, looks: Sequence[Look], *, is_good: bool) -> ModelRecord:
    """The record after every byte of its files was read.

    Args:
        record: As it was.
        looks: Of the files, from before the reading.
        is_good: They were what they should be.
    """
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    looks_as_read = [list(look) for look in looks]
    return replace(record, verification={"at": moment, "is_good": is_good, "looks": looks_as_read})


def entry_of(record: ModelRecord) -> ModelEntry:
    """The entry that a record stands for; looks at its files, and does not open them."""
    paths = tuple(map(Path, record.paths))
    looks = [look_at(path) for path in record.paths]
    missing = tuple(path for path, look in zip(paths, looks, strict=True) if look is None)
    info = record.info
    verification = record.verification or {}
    return ModelEntry(
        name=record.name,
        paths=paths,
        size_bytes=record.size_bytes,
        architecture=str(info.get("architecture", "")),
        n_experts=int(info.get("n_experts", 0)),
        n_experts_used=int(info.get("n_experts_used", 0)),
        n_ctx_train_tokens=int(info.get("n_ctx_train_tokens", 0)),
        quantization=str(info.get("quantization", "")),
        sampling=kept_sampling(info.get("sampling")),
        sha256=record.sha256,
        chat_template=record.chat_template,
        source=record.source,
        is_ours=record.is_ours,
        is_missing=bool(missing),
        plan=kept_values(info.get("plan")),
        adapters=kept_adapters(info.get("adapters")),
        tuning=kept_tuning(info.get("tuning")),
        measured=info["measured"] if isinstance(info.get("measured"), dict) else {},
        mmproj_path=_existing(info.get("mmproj")),
        tags=record.tags,
        note=record.note,
        state=state_of_missing(missing, len(paths)) if missing else _state(verification, looks),
        verified_at=_moment(verification.get("at")) if verification.get("is_good") else None,
        missing_paths=missing,
        moving_to=destination(record.moving),
    )


def _state(verification: Mapping[str, Any], looks: Sequence[Look | None]) -> ModelState:
    if not verification:
        return "unverified"
    if verification.get("looks") != [list(look) for look in looks if look is not None]:
        return "changed"
    return "verified" if verification.get("is_good") else "damaged"


def _existing(path: object) -> Path | None:
    return Path(path) if isinstance(path, str) and os.path.isfile(path) else None


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
