"""What hubs offer and what is downloaded; imported from `model_manager.types`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Source = Literal["hub", "modelscope"]
"""Which kind of service has a repository: one with the Hugging Face API, or one with ModelScope's."""

DownloadStatus = Literal["queued", "running", "verifying", "paused", "failed", "done", "cancelled"]
DownloadPlace = Literal["first", "up", "down", "last"]
"""Where to move a download in the queue."""


def ref_of(source: Source, repo_id: str) -> str:
    """What to type to name a repository."""
    return repo_id if source == "hub" else f"{source}:{repo_id}"


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository on a hub.

    Attributes:
        sha256: From the LFS metadata; None for small files that git itself holds.
    """

    path: str
    size_bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class HubFacts:
    """What a hub says of a repository; all of it may be wrong, and none of it was seen in a file.

    Attributes:
        downloads: Of the last month; all there ever were on ModelScope.
        modified_at: ISO 8601, UTC.
        license: As the card names it, for example "apache-2.0"; "" where it does not.
        architecture: By llama.cpp's name; "" where the hub does not tell.
        total_params: 0 where the hub does not tell.
        n_ctx_train_tokens: Likewise.
        is_moe: By its architecture, its tags or its name.
        is_reasoning: By its chat template where the hub tells that, its architecture, its tags or its name.
    """

    repo_id: str
    downloads: int = 0
    likes: int = 0
    trending: float = 0.0
    modified_at: str = ""
    license: str = ""
    architecture: str = ""
    total_params: int = 0
    n_ctx_train_tokens: int = 0
    is_moe: bool = False
    is_gated: bool = False
    is_reasoning: bool = False
    source: Source = "hub"

    @property
    def ref(self) -> str:
        """What to type to name it."""
        return ref_of(self.source, self.repo_id)


@dataclass(frozen=True, slots=True)
class HubModel:
    """A repository on a hub at one commit.

    Attributes:
        facts: What else the hub says of it; None where it was not asked.
    """

    repo_id: str
    revision: str
    files: tuple[HubFile, ...]
    is_gated: bool = False
    facts: HubFacts | None = None
    source: Source = "hub"

    @property
    def ref(self) -> str:
        """What to type to name it."""
        return ref_of(self.source, self.repo_id)


@dataclass(frozen=True, slots=True)
class DownloadFile:
    """One file that is to be downloaded.

    Attributes:
        path: Where it goes, relative to the models folder, with forward slashes.
        size_bytes: None while no server has said.
        sha256: None where nobody has published it.
    """

    url: str
    path: str
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class DownloadItem:
    """What one reference means: a file, or all shards of a split model, the first one first."""

    name: str
    files: tuple[DownloadFile, ...]


@dataclass(frozen=True, slots=True)
class DownloadRecord:
    """A download as a store keeps it, so that it survives the program.

    Attributes:
        status: A `DownloadStatus`.
        plan: The item's files as JSON values; `model_manager.downloads` owns it.
        error: Why it failed, as `model_manager.downloads` writes it.
    """

    id: int
    ref: str
    name: str
    status: str
    plan: Mapping[str, Any]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class DownloadSnapshot:
    """A download at one moment, for people and scripts.

    Attributes:
        size_bytes: Of all its files together; None while no server has said.
        rate_bytes_per_s: Over the last seconds; None while nothing moves.
        eta_s: Seconds left at that rate; None when unknown.
        path: The final path of the first file once `status` is "done".
        sha256: Of the first file once `status` is "done".
        files: Path and sha256 of every file once `status` is "done".
        verified_bytes: How many of `received_bytes` the hash has seen; the rest is left to verify.
        position: Its place in the queue, from 1; waiting ones are begun in this order.
        n_files: How many files it has: shards and what lets the model see; 0 while nobody has said.
        n_connections: How many bring bytes at this moment.
        waiting: What a running one waits for, between two attempts: the network, which may take as long as it
            likes, or the server; None while it does not wait.
        retry_in_s: When it will be tried again; None while it does not wait.
    """

    id: int
    ref: str
    name: str
    status: DownloadStatus
    received_bytes: int
    size_bytes: int | None
    rate_bytes_per_s: float | None = None
    eta_s: float | None = None
    error: Exception | None = None
    path: Path | None = None
    sha256: str | None = None
    files: tuple[tuple[Path, str], ...] = ()
    verified_bytes: int = 0
    position: int = 0
    n_files: int = 0
    n_connections: int = 0
    waiting: Literal["network", "server"] | None = None
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """What a person allows downloads to take.

    Attributes:
        n_files: So many models are fetched at once; the others wait.
        n_connections: So many connections share one file, where that helps.
        rate_bytes_per_s: Of all together; 0 for no limit.
    """

    n_files: int = 2
    n_connections: int = 4
    rate_bytes_per_s: int = 0
