"""A file that is still arriving: its bytes, what they are of, and how much of them can be trusted.

On disk, while it grows:

    models/<owner>/<repo>/x.gguf.part        the bytes received so far, always a prefix of the whole
    models/<owner>/<repo>/x.gguf.part.json   {"url": str, "etag": str|null, "sha256": str|null,
                                              "size_bytes": int|null, "synced_bytes": int, "booted_at": float}

Bytes are written the moment they arrive, without a buffer of our own, so a killed process loses none that it
had read. A machine that loses power may have lost what the system had not put on the disk yet while the file
kept its length: the sidecar therefore says how many bytes were synced, and in which run of the machine. After
a reboot only those count; otherwise the length of the file does.

Source: docs/decisions, "own the byte loop".
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from model_manager.errors import CannotWrite

log = logging.getLogger(__name__)

HASH_BLOCK_BYTES = 1 << 20
SAVE_INTERVAL_S = 3.0
SAVE_INTERVAL_BYTES = 64 << 20
BOOT_TOLERANCE_S = 60.0
"""The system computes the time of its start from a clock that is corrected now and then."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the bytes of a partial file are of.

    Attributes:
        url: Where they come from, without any query.
        etag: The server's name for this version of the file; None if it gives none.
        sha256: Of the whole file, where it is known beforehand.
        size_bytes: Of the whole file; None while no server has said.
    """

    url: str
    etag: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None


class PartialFile:
    """One partial file and its sidecar. One thread appends, another may hash and save meanwhile.

    Attributes:
        final_path: The name it gets when it is whole and right.
        path: The name it has until then.
        origin: What its bytes are of; None in a fresh one.
        size_bytes: Bytes held; any thread may read it.
        generation: Counts how often the file began anew, for who follows it.
    """

    def __init__(self, final_path: Path) -> None:
        self.final_path = final_path
        self.path = final_path.with_name(final_path.name + ".part")
        self.origin: Origin | None = None
        self.size_bytes = 0
        self.generation = 0
        self._sidecar = final_path.with_name(final_path.name + ".part.json")
        self._file: BinaryIO | None = None
        self._saved_at = 0.0
        self._synced_bytes = 0
        self._lock = threading.Lock()  # the sidecar is written by both threads

    def open(self) -> None:
        """Create or reopen the file, and keep of it what can be trusted.

        Raises:
            CannotWrite: The system refuses.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            self._file = open(descriptor, "r+b", buffering=0)  # noqa: SIM115  (held until close)
            kept_bytes = self._trusted_bytes(os.fstat(descriptor).st_size)
            self._file.truncate(kept_bytes)
            self._file.seek(kept_bytes)
            self.size_bytes = self._synced_bytes = kept_bytes
        except OSError as error:
            self.close()
            raise CannotWrite(self.path, error.strerror or str(error)) from error

    def close(self) -> None:
        """Let go of the file; what it holds stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def describe(self, origin: Origin) -> None:
        """Say what the bytes are of; on disk before the first of them is.

        Raises:
            CannotWrite: The system refuses.
        """
        if origin != self.origin:
            self.origin = origin
            self.save()

    def append(self, data: bytes | memoryview) -> None:
        """Write bytes at the end.

        Raises:
            CannotWrite: The system refuses, for example because the disk is full; what was written stays.
        """
        assert self._file is not None
        view = memoryview(data)
        try:
            while view:
                n_bytes = self._file.write(view)
                self.size_bytes += n_bytes
                view = view[n_bytes:]
        except OSError as error:
            raise CannotWrite(self.path, error.strerror or str(error)) from error

    def restart(self) -> None:
        """Forget all bytes, and what they were of.

        Raises:
            CannotWrite: The system refuses.
        """
        assert self._file is not None
        with self._lock:
            self.generation += 1
            self.size_bytes = self._synced_bytes = 0
            self.origin = None
            try:
                self._file.seek(0)
                self._file.truncate()
                self._sidecar.unlink(missing_ok=True)
            except OSError as error:
                raise CannotWrite(self.path, error.strerror or str(error)) from error

    def save(self) -> None:
        """Put the bytes and then the sidecar on the disk itself.

        Raises:
            CannotWrite: The system refuses.
        """
        assert self._file is not None
        with self._lock:
            if self.origin is None:
                return
            synced_bytes = self.size_bytes
            record = asdict(self.origin) | {
                "synced_bytes": synced_bytes,
                "booted_at": psutil.boot_time(),
            }
            fresh = self.path.with_name(self.path.name + ".new")
            try:
                os.fsync(self._file.fileno())
                with fresh.open("w", encoding="utf-8") as file:
                    json.dump(record, file)
                    file.flush()
                    os.fsync(file.fileno())
                fresh.replace(self._sidecar)
            except OSError as error:
                raise CannotWrite(self.path, error.strerror or str(error)) from error
            self._saved_at = time.monotonic()
            self._synced_bytes = synced_bytes

    def save_if_due(self) -> None:
        """Save if that was done more than some seconds or some bytes ago.

        The bytes make the disk work while the network does, so that little is left to sync at the end.
        """
        is_old = time.monotonic() - self._saved_at >= SAVE_INTERVAL_S
        if is_old or self.size_bytes - self._synced_bytes >= SAVE_INTERVAL_BYTES:
            self.save()

    def commit(self) -> Path:
        """Give the whole, verified file its final name, so that a power cut cannot undo it.

        Raises:
            CannotWrite: The system refuses; the partial file stays.
        """
        assert self._file is not None
        try:
            os.fsync(self._file.fileno())
            self.close()
            self.path.replace(self.final_path)
            _sync_folder(self.final_path.parent)
            self._sidecar.unlink(missing_ok=True)
        except OSError as error:
            raise CannotWrite(self.final_path, error.strerror or str(error)) from error
        return self.final_path

    def discard(self) -> None:
        """Remove the partial file and its sidecar; nothing happens where there is none."""
        self.close()
        for path in (self.path, self._sidecar, self.path.with_name(self.path.name + ".new")):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise CannotWrite(path, error.strerror or str(error)) from error

    def _trusted_bytes(self, length_bytes: int) -> int:
        record = self._read_sidecar()
        if record is None:
            return 0  # nobody knows what these bytes are of
        origin = Origin(record["url"], record["etag"], record["sha256"], record["size_bytes"])
        same_run = abs(psutil.boot_time() - record["booted_at"]) < BOOT_TOLERANCE_S
        kept_bytes = length_bytes if same_run else min(length_bytes, record["synced_bytes"])
        if origin.size_bytes is not None and kept_bytes > origin.size_bytes:
            log.info("%s is longer than its source and begins anew", self.path)
            return 0
        self.origin = origin
        return kept_bytes

    def _read_sidecar(self) -> dict[str, Any] | None:
        try:
            record = json.loads(self._sidecar.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            log.info("%s is damaged; the download begins anew", self._sidecar)
            return None
        kinds: dict[str, Any] = {
            "url": str,
            "etag": (str, type(None)),
            "sha256": (str, type(None)),
            "size_bytes": (int, type(None)),
            "synced_bytes": int,
            "booted_at": (int, float),
        }
        if isinstance(record, dict) and all(
            key in record and isinstance(record[key], kind) for key, kind in kinds.items()
        ):
            return record
        return None


class Follower:
    """The SHA-256 of a partial file while it grows. Two threads may use it.

    The thread that appends feeds what it has just written, still in the processor's cache. Where that does
    not follow on what was hashed, because an earlier run left bytes, the other thread reads the file until it
    has caught up. Measured: a thread that does both costs less time than one that hands blocks to another.
    """

    def __init__(self, partial: PartialFile) -> None:
        self.hashed_bytes = 0
        self._partial = partial
        self._file = partial.path.open("rb", buffering=0)
        self._buffer = memoryview(bytearray(HASH_BLOCK_BYTES))
        self._lock = threading.Lock()
        self._start(partial.generation)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the file holds and the hash does not."""
        return self._partial.size_bytes - self.hashed_bytes

    def feed(self, data: bytes | memoryview) -> None:
        """Hash what was just appended, if all before it was hashed."""
        with self._lock:
            self._notice_restart()
            if self.waiting_bytes == len(data):
                self._update(data)

    def advance(self, *, at_least_bytes: int = 1) -> bool:
        """Hash the next block of the file, at most 1 MiB; False when fewer than `at_least_bytes` wait."""
        with self._lock:
            self._notice_restart()
            waiting_bytes = self.waiting_bytes
            if waiting_bytes < at_least_bytes:
                return False
            self._file.seek(self.hashed_bytes)
            n_bytes = self._file.readinto(self._buffer[:waiting_bytes])
            self._update(self._buffer[:n_bytes])
            return bool(n_bytes)

    def hexdigest(self) -> str:
        """The hash of the first `hashed_bytes`, as lower-case hex."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _notice_restart(self) -> None:
        if self._partial.generation != self._generation:
            self._start(self._partial.generation)

    def _start(self, generation: int) -> None:
        self._generation = generation
        self._digest = hashlib.sha256()
        self.hashed_bytes = 0

    def _update(self, data: bytes | memoryview) -> None:
        self._digest.update(data)
        self.hashed_bytes += len(data)


def without_query(url: str) -> str:
    """A URL as it may be kept and shown: a query can hold a signature."""
    return url.partition("?")[0].partition("#")[0]


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows has no handle for this
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
