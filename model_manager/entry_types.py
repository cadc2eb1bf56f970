"""Values about the models of this machine; imported from `model_manager.types`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from model_manager.placement_types import Adapter

ModelState = Literal[
    "unverified", "verified", "changed", "damaged", "missing", "missing_shard", "broken_link"
]
"""What is known of an entry's files: nobody has read every byte yet; somebody has, and they look the same
since, or different; they are known to be wrong or no model any more; all are gone; some shards are gone; a
link to them leads nowhere."""

ImportStatus = Literal["added", "known", "found_again", "skipped"]
"""What became of a file: a new entry; it was an entry already; an entry whose file was gone has it now; it
was left out."""

SkipReason = Literal[
    "broken_link",
    "cycle",
    "outside",
    "not_a_file",
    "unreadable",
    "unfinished",
    "missing_shard",
    "missing_file",
    "not_gguf",
    "truncated",
    "damaged",
    "unsupported",
    "vision",
    "not_a_model",
    "bad_manifest",
    "too_many",
]
"""Why a file was left out; `ui.library_words` has a sentence for each."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of the library: files, a template override, what is known of them.

    Attributes:
        paths: All files of the model, the first shard first.
        sha256: Of the files, in the order of `paths`, as their source or a verification told; None until
            somebody did.
        is_ours: The program put the files where they are (or made them), so it may delete them.
        is_starter: Made by the program, always there, cannot be removed.
        is_missing: A file is not there; `state` says how, `missing_paths` which.
        n_experts: 0 for a dense model.
        sampling: Fields of `SamplingParams` that its makers recommend; they hold where nobody says otherwise.
        address: URL of the server that has it; empty for files of this machine. Such an entry has no paths.
        plan: Fields of its load plan that are not the default, as JSON values; `model_manager.plans` owns it.
        adapters: LoRA adapters that it is loaded with.
        tuning: What `coterie models tune` measured with this plan, as JSON values; empty where it did not.
        measured: What its last load took, as JSON values; `model_manager.measured_memory` owns it.
        mmproj_path: The vision tower, where its store keeps that elsewhere than beside the model.
        tags: Words that a person has given it, sorted.
        note: What a person has written about it.
        state: What is known of the files.
        verified_at: When every byte was last read and found right; None where never.
        missing_paths: The files that are not there.
        moving_to: The folder that it was being moved to when that was cut off; None otherwise.
        used_at: When it last answered or was loaded; None where never. Told by `Library.list` alone, as are
            the two rates.
        decode_tokens_per_s, prefill_tokens_per_s: Medians of its newest answers here; None without any.
    """

    name: str
    paths: tuple[Path, ...]
    size_bytes: int
    architecture: str
    n_experts: int
    n_experts_used: int
    n_ctx_train_tokens: int
    quantization: str
    sha256: tuple[str, ...] | None = None
    chat_template: str | None = None
    source: str = ""
    is_ours: bool = False
    is_starter: bool = False
    is_missing: bool = False
    sampling: Mapping[str, int | float] = field(default_factory=dict)
    address: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)
    adapters: tuple[Adapter, ...] = ()
    tuning: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    mmproj_path: Path | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    state: ModelState = "unverified"
    verified_at: datetime | None = field(default=None, compare=False)
    missing_paths: tuple[Path, ...] = ()
    moving_to: Path | None = None
    used_at: datetime | None = None
    decode_tokens_per_s: float | None = None
    prefill_tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A library entry as it is remembered between runs.

    Attributes:
        info: What the header said, and wishes (`plans.KEPT_KEYS`), as JSON values.
        looks: Size in bytes and modification time in nanoseconds of each file when its header was read: while
            they are the same, `info` holds. Empty where nobody noted them.
        verification: {"at", "is_good", "looks"} of the last time that every byte was read; None where never.
        home: The folder that the program itself moved the files to; empty for the models folder.
        moving: What a move has to finish or undo, see `model_manager.moving`; None where there is none.
    """

    name: str
    paths: tuple[str, ...]
    size_bytes: int
    sha256: tuple[str, ...] | None = None
    source: str = ""
    is_ours: bool = False
    chat_template: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    note: str = ""
    looks: tuple[tuple[int, int], ...] = ()
    verification: Mapping[str, Any] | None = None
    home: str = ""
    moving: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """When a model was last used on this machine, and how fast it was; None for what is not known."""

    used_at: datetime | None = None
    decode_tokens_per_s: float | None = None
    prefill_tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class ImportItem:
    """What became of one model of a store.

    Attributes:
        name: Of the entry; of what was left out, the name that its store gives it.
        path: Its first file; of what was left out, the file that is the reason.
        size_bytes: Of all files; 0 where they could not be read.
        reason: Why it was left out; None where it was not.
        detail: A technical detail of that, in English; may be empty.
    """

    status: ImportStatus
    name: str
    path: Path
    size_bytes: int = 0
    source: str = ""
    reason: SkipReason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came over from a store, and what did not.

    Attributes:
        store: Its key ("ollama", ...); "folder" for any other folder.
        folders: Those that were looked through.
        is_dry_run: Nothing was changed: the items say what would be.
    """

    store: str
    folders: tuple[Path, ...]
    items: tuple[ImportItem, ...]
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """A place where other programs keep models.

    Attributes:
        key: What `coterie models import --from` calls it.
        title: As its maker writes it.
        folders: Those that are there; none where the program is not installed.
    """

    key: str
    title: str
    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Entries whose files hold the same bytes.

    Attributes:
        sha256: Of the files, in the order of each entry's paths.
        size_bytes: Of one copy.
        names: The entries, those that are ours first.
        wasted_bytes: What all copies but one take; entries that share one file on the disk waste nothing.
    """

    sha256: tuple[str, ...]
    size_bytes: int
    names: tuple[str, ...]
    wasted_bytes: int
