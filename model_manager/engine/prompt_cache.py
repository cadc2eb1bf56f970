"""The folder in which conversations' states outlive the worker that computed them.

    DATA_DIR/cache/prompts/<key>-<tokens>.seq       `key` names what must be equal, see `state_identity`

A file is found by the longest common prefix of its tokens and a prompt. Several workers may use one folder:
files appear whole, under names that depend on nothing but what is in them, and one that is gone is a miss.
Nothing here is trusted: a file that is not as it was written is removed and the prompt computed.
Source: docs/decisions/0013-prompt-cache-files.md
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from model_manager.engine import state_file
from model_manager.engine.state_file import Header, Snapshot, StateFileDamaged, Tokens
from model_manager.engine.state_identity import key_of

log = logging.getLogger(__name__)

SUFFIX: Final = ".seq"
MIN_TOKENS: Final = 64
"""Fewer tokens are computed in less time than a file takes."""

_KEY_CHARS: Final = 24
_SHARE_OF_FREE_MEMORY: Final = 0.5
_RESERVE_BYTES: Final = 1024**3  # of the disk, for what a person would miss


@dataclass(frozen=True, slots=True)
class CacheFile:
    """A file of the folder, as people see it.

    Attributes:
        model: Its name when the file was written.
        used_at: Seconds since the epoch when it was written or last read.
    """

    path: Path
    model: str
    n_tokens: int
    size_bytes: int
    used_at: float


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a prompt can build on.

    Attributes:
        n_tokens: How many of the prompt's first tokens it saves.
    """

    path: Path
    n_tokens: int


@dataclass(frozen=True, slots=True)
class _Known:
    look: tuple[int, int]
    header: Header
    tokens: Tokens


class PromptCache:
    """What one loaded model finds in the folder and puts there; thread-safe."""

    def __init__(
        self, folder: Path, identity: Mapping[str, str], model: str, limit_bytes: int, *, can_cut: bool = True
    ) -> None:
        """Look at the folder; it is made when the first file is written.

        Args:
            folder: Shared by all models.
            identity: What must be equal, see `state_identity`.
            model: Its name, for people.
            limit_bytes: What all files of the folder may take.
            can_cut: The model's memory can end at any of its tokens, so a file serves any shorter prefix.
        """
        self.folder = folder
        self._identity = dict(identity)
        self._key = key_of(identity)
        self._model = model
        self._limit_bytes = limit_bytes
        self._can_cut = can_cut
        self._known: dict[Path, _Known] = {}
        self._lock = threading.Lock()
        remove_unfinished(folder)
        self._files()  # reads all headers now, so that the first answer need not wait for it

    def find(self, prompt: Tokens, most_tokens: int) -> Found | None:
        """The file that saves most of `prompt`, if any saves something; headers alone are read.

        Args:
            prompt: Token ids.
            most_tokens: Files with more do not fit the context.
        """
        best: Found | None = None
        for path, known in self._files().items():
            if len(known.tokens) > most_tokens:
                continue
            n_tokens = self._usable(known, prompt)
            if n_tokens > (best.n_tokens if best else 0):
                best = Found(path, n_tokens)
        return best

    def read(self, found: Found) -> Snapshot | None:
        """The states of a file, verified; None where it cannot be used. May be called on any thread."""
        try:
            n_bytes = found.path.stat().st_size
            if n_bytes > psutil.virtual_memory().available * _SHARE_OF_FREE_MEMORY:
                log.info("prompt cache: %s is too large for the memory that is free", found.path.name)
                return None
            header, snapshot = state_file.read(found.path)
        except FileNotFoundError:
            return None
        except StateFileDamaged as error:
            discard(found.path, str(error))
            return None
        except (OSError, MemoryError) as error:
            log.info("prompt cache: %s cannot be read: %s", found.path.name, error)
            return None
        if header.key != self._key:
            return None
        with contextlib.suppress(OSError):
            os.utime(found.path)  # least recently used goes first
        return snapshot

    def write(self, snapshot: Snapshot) -> Path | None:
        """Keep a state; files that it makes useless go, and the least recently used ones beyond the limit.

        None where it could not be kept, which nobody but the log is told: it only costs time later.
        """
        path = self.folder / f"{self._key[:_KEY_CHARS]}-{_digest(snapshot.tokens)}{SUFFIX}"
        n_bytes = snapshot.state.nbytes + sum(state.nbytes for _, state in snapshot.checkpoints)
        if n_bytes > self._limit_bytes:
            log.info("prompt cache: a state of %d bytes is above the limit", n_bytes)
            return None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < n_bytes + _RESERVE_BYTES:
                log.info("prompt cache: too little room is left on the disk for %d bytes", n_bytes)
                return None
            n_bytes = state_file.write(path, snapshot, self._key, self._identity, self._model)
        except OSError as error:
            log.info("prompt cache: nothing could be written: %s", error)
            return None
        for other, known in self._files().items():
            if other != path and _begins_with(snapshot.tokens, known.tokens):
                with contextlib.suppress(OSError):
                    other.unlink(missing_ok=True)
        prune(self.folder, self._limit_bytes)
        log.debug("prompt cache: kept %d tokens in %d bytes", len(snapshot.tokens), n_bytes)
        return path

    def n_covered(self, tokens: Tokens) -> int:
        """How many first tokens a file would give back already."""
        found = self.find(tokens, most_tokens=2**31)
        return found.n_tokens if found else 0

    def _usable(self, known: _Known, prompt: Tokens) -> int:
        n_common = n_common_tokens(known.tokens, prompt)
        if self._can_cut:
            return n_common
        return max((part.n_tokens for part in known.header.parts if part.n_tokens <= n_common), default=0)

    def _files(self) -> dict[Path, _Known]:
        """This model's files with their headers, read again where a file is another one now."""
        with self._lock:
            seen = {}
            for entry in _scan(self.folder):
                if entry.name.startswith(self._key[:_KEY_CHARS]):
                    known = self._look(entry)
                    if known is not None and known.header.key == self._key:
                        seen[Path(entry.path)] = known
            self._known = seen
            return seen

    def _look(self, entry: os.DirEntry[str]) -> _Known | None:
        path = Path(entry.path)
        try:
            facts = entry.stat()
            look = (facts.st_ino, facts.st_size)  # not the time, which its use changes as well
            known = self._known.get(path)
            if known is not None and known.look == look:
                return known
            return _Known(look, *state_file.read_header(path))
        except StateFileDamaged as error:
            discard(path, str(error))
        except OSError as error:
            log.debug("prompt cache: %s: %s", path.name, error)
        return None


def list_files(folder: Path) -> list[CacheFile]:
    """What is there, the most recently used first; damaged files count too, without a model."""
    files = []
    for entry in _scan(folder):
        with contextlib.suppress(OSError):
            facts = entry.stat()
            model, n_tokens = "", 0
            with contextlib.suppress(StateFileDamaged):
                header, _tokens = state_file.read_header(Path(entry.path))
                model, n_tokens = header.model, header.n_tokens
            files.append(CacheFile(Path(entry.path), model, n_tokens, facts.st_size, facts.st_mtime))
    return sorted(files, key=lambda file: file.used_at, reverse=True)


def prune(folder: Path, limit_bytes: int) -> int:
    """Remove the least recently used files until all together fit; returns how many went."""
    sizes = []
    for entry in _scan(folder):
        with contextlib.suppress(OSError):
            facts = entry.stat()
            sizes.append((facts.st_mtime_ns, facts.st_size, entry.path))
    total_bytes = sum(size_bytes for _, size_bytes, _ in sizes)
    n_removed = 0
    for _, size_bytes, path in sorted(sizes):
        if total_bytes <= limit_bytes:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
            n_removed += 1
        total_bytes -= size_bytes
    return n_removed


@contextlib.contextmanager
def trying(snapshot: Snapshot) -> Iterator[None]:
    """While a state is put into a context; if that ends the process, nobody tries its file again.

    llama.cpp checks much, and ends the process over what it does not expect. The file has the name of an
    unfinished one meanwhile, which the next worker removes.
    """
    path = snapshot.path
    hidden = None if path is None else state_file.unfinished_path(path)
    if path is None or hidden is None:
        yield
        return
    with contextlib.suppress(OSError):
        path.rename(hidden)
    yield
    with contextlib.suppress(OSError):
        hidden.rename(path)


def forget(folder: Path, conversation: str) -> int:
    """Remove what is kept of a conversation, whatever the model; returns how many files went."""
    n_removed = 0
    for entry in _scan(folder):
        with contextlib.suppress(OSError, StateFileDamaged):
            header, _tokens = state_file.read_header(Path(entry.path))
            if header.conversation == conversation != "":
                os.unlink(entry.path)
                n_removed += 1
    return n_removed


def clear(folder: Path, model: str | None = None) -> int:
    """Remove every file, or those of one model by its name then; returns how many went."""
    n_removed = 0
    for file in list_files(folder):
        if model in (None, file.model):
            with contextlib.suppress(OSError):
                file.path.unlink(missing_ok=True)
                n_removed += 1
    return n_removed


def remove_unfinished(folder: Path) -> None:
    """Take away what writers left behind that were killed; those that are alive are let alone."""
    if not folder.is_dir():
        return
    for path in folder.glob("*.part"):
        writer = path.suffixes[0].lstrip(".").partition("-")[0]
        if writer.isdecimal() and psutil.pid_exists(int(writer)) and int(writer) != os.getpid():
            continue
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def discard(path: Path, reason: str) -> None:
    """Remove a file that cannot be used; the prompt is computed instead."""
    log.info("prompt cache: %s is discarded: %s", path.name, reason)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def n_common_tokens(one: Tokens, other: Tokens) -> int:
    """Number of leading tokens that both have."""
    n_both = min(len(one), len(other))
    differs = one[:n_both] != other[:n_both]
    return int(differs.argmax()) if differs.any() else n_both


def _begins_with(tokens: Tokens, beginning: Tokens) -> bool:
    return len(beginning) <= len(tokens) and bool((tokens[: len(beginning)] == beginning).all())


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name.endswith(SUFFIX)]
    except OSError:
        return []


def _digest(tokens: Tokens) -> str:
    return hashlib.sha256(np.ascontiguousarray(tokens, "<i4").tobytes()).hexdigest()[:_KEY_CHARS]
