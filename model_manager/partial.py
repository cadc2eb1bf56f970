"""A file that is still arriving: its bytes, what they are of, and how much of them can be trusted.

On disk, while it grows:

    models/<owner>/<repo>/x.gguf.part         the bytes received so far, each in its place
    models/<owner>/<repo>/x.gguf.part.json    see `sidecar`
    models/<owner>/<repo>/x.gguf.part.pieces  see `piece_journal`; only while there are bytes beyond a gap

Bytes are written the moment they arrive, without a buffer of our own, so a killed process loses none that it
had read. A machine that loses power may have lost what the system had not put on the disk yet while the file
kept its length: the sidecar therefore says what was synced, and in which run of the machine. After a reboot
only that counts; otherwise the length of the file does, or the journal where there is one.

Whoever has the file open holds a lock on it: a second program is told so and touches nothing.

Source: docs/decisions, "own the byte loop", "several connections".
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from model_manager.boot import boot_mark, is_this_run
from model_manager.errors import CannotWrite, DiskFull, FileInUse
from model_manager.file_lock import lock
from model_manager.own_files import open_own, sync_folder
from model_manager.piece_journal import PieceJournal
from model_manager.pieces import Piece, Pieces, are_runs
from model_manager.sidecar import Origin, Sidecar, read_sidecar

log = logging.getLogger(__name__)

SAVE_INTERVAL_S = 3.0
SAVE_INTERVAL_BYTES = 64 << 20


class PartialFile:
    """One partial file and its sidecar. Several threads may write, each its own piece; others hash and save.

    Attributes:
        final_path: The name it gets when it is whole and right.
        path: The name it has until then.
        origin: What its bytes are of; None in a fresh one.
        size_bytes: Bytes held without a gap from the beginning; any thread may read it.
        held_bytes: Bytes held in all; any thread may read it.
        adopted_bytes: How many at the beginning were taken over from another program's file.
        generation: Counts how often the file began anew, for who follows it.
    """

    def __init__(self, final_path: Path) -> None:
        self.final_path = final_path
        self.path = final_path.with_name(final_path.name + ".part")
        self.origin: Origin | None = None
        self.size_bytes = 0
        self.held_bytes = 0
        self.adopted_bytes = 0
        self.generation = 0
        self._sidecar = final_path.with_name(final_path.name + ".part.json")
        self._fresh = final_path.with_name(final_path.name + ".part.new")
        self._journal = PieceJournal(final_path.with_name(final_path.name + ".part.pieces"))
        self._pieces = Pieces()
        self._file: BinaryIO | None = None
        self._saved_at = 0.0
        self._synced_bytes = 0
        self._lock = threading.Lock()  # the sidecar is written by several threads
        self._map_lock = threading.Lock()  # the pieces and their journal

    def open(self) -> None:
        """Create or reopen the file, and keep of it what can be trusted.

        Raises:
            FileInUse: Another program, or another download, has it open.
            CannotWrite: The system refuses.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._locked()
            length_bytes = os.fstat(self._file.fileno()).st_size
            self._pieces = Pieces(self._trusted_runs(length_bytes))
            self._file.truncate(self._pieces.end_bytes)
            if self._pieces.has_gaps:
                self._journal.open(self._pieces.runs())
            else:
                self._journal.discard()
            self._count()
            self._synced_bytes = self.held_bytes
        except OSError as error:
            self.close()
            raise _refusal(self.path, error) from error
        except BaseException:
            self.close()
            raise

    @property
    def next_held_bytes(self) -> int | None:
        """Where the bytes behind the first gap begin; None where there is none."""
        with self._map_lock:
            return self._pieces.after_front()

    def close(self) -> None:
        """Let go of the file; what it holds stays."""
        self._journal.close()
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

    # --- writing -----------------------------------------------------------------------------------------

    def open_front(self) -> Piece:
        """The piece at the beginning, to be written on; nobody else may be writing."""
        with self._map_lock:
            return self._pieces.open_front()

    def claim(self, chunk_bytes: int) -> Piece | None:
        """A range for one more writer; None where there is none left that would pay.

        Raises:
            CannotWrite: The system refuses to keep a journal of pieces.
        """
        assert self.origin is not None
        assert self.origin.size_bytes is not None
        with self._map_lock:
            piece = self._pieces.claim(self.origin.size_bytes, chunk_bytes)
            if piece is not None and piece.start_bytes and not self._journal.is_open:
                try:
                    self._journal.open(self._pieces.runs())
                except OSError as error:
                    self._pieces.release(piece)
                    raise _refusal(self._journal.path, error) from error
            return piece

    def room(self, piece: Piece) -> int | None:
        """How many bytes its writer may still write; None while nobody knows.

        A writer that has come to the range of another who has not got a byte yet takes that range over.
        """
        with self._map_lock:
            if piece.is_open and piece.next_bytes == piece.end_bytes:
                self._pieces.extend(piece)
            end_bytes = piece.end_bytes
        if end_bytes is None and self.origin is not None:
            end_bytes = self.origin.size_bytes
        return None if end_bytes is None else max(0, end_bytes - piece.next_bytes)

    def write(self, piece: Piece, data: bytes | memoryview) -> None:
        """Write bytes at the end of a piece.

        Raises:
            CannotWrite: The system refuses, for example because the disk is full; what was written stays.
        """
        view = memoryview(data)
        try:
            while view:
                n_bytes = self._write_at(view, piece.next_bytes)
                with self._map_lock:
                    piece.size_bytes += n_bytes
                    self._count()
                    if self._journal.is_open:
                        self._journal.write(self._pieces.runs())
                view = view[n_bytes:]
        except OSError as error:
            raise _refusal(self.path, error) from error

    def release(self, piece: Piece) -> None:
        """Its writer has ended."""
        with self._map_lock:
            self._pieces.release(piece)
            self._count()

    def restart(self) -> None:
        """Forget all bytes, and what they were of.

        Raises:
            CannotWrite: The system refuses.
        """
        assert self._file is not None
        with self._lock, self._map_lock:
            self.generation += 1
            self._pieces.revoke()
            self._pieces = Pieces()
            self._count()
            self._synced_bytes = self.adopted_bytes = 0
            self.origin = None
            try:
                self._file.truncate(0)
                self._journal.discard()
                self._sidecar.unlink(missing_ok=True)
            except OSError as error:
                raise _refusal(self.path, error) from error

    # --- what stays --------------------------------------------------------------------------------------

    def save(self) -> None:
        """Put the bytes and then the sidecar on the disk itself.

        Raises:
            CannotWrite: The system refuses.
        """
        assert self._file is not None
        with self._lock:
            if self.origin is None:
                return
            with self._map_lock:
                runs, held_bytes = self._pieces.runs(), self.held_bytes
            record = Sidecar(self.origin, runs, boot_mark(), self.adopted_bytes)
            try:
                os.fsync(self._file.fileno())
                record.write(self._sidecar, self._fresh)
            except OSError as error:
                raise _refusal(self.path, error) from error
            self._saved_at = time.monotonic()
            self._synced_bytes = held_bytes

    def save_if_due(self) -> None:
        """Save if that was done more than some seconds or some bytes ago.

        The bytes make the disk work while the network does, so that little is left to sync at the end.
        """
        is_old = time.monotonic() - self._saved_at >= SAVE_INTERVAL_S
        if is_old or self.held_bytes - self._synced_bytes >= SAVE_INTERVAL_BYTES:
            self.save()

    def commit(self) -> Path:
        """Give the whole, verified file its final name, so that a power cut cannot undo it.

        Raises:
            CannotWrite: The system refuses; the partial file stays.
        """
        assert self._file is not None
        try:
            os.fsync(self._file.fileno())
            if sys.platform == "win32":
                self.close()  # Windows renames nothing that is open; elsewhere the lock is held to the end
            self.path.replace(self.final_path)
            sync_folder(self.final_path.parent)
            self._sidecar.unlink(missing_ok=True)
            self._journal.discard()
        except OSError as error:
            raise _refusal(self.final_path, error) from error
        self.close()
        return self.final_path

    def discard(self) -> None:
        """Remove the partial file and what is beside it; nothing happens where there is none.

        Raises:
            FileInUse: Another program writes it just now.
            CannotWrite: The system refuses.
        """
        if self._file is None and self.path.exists():
            try:
                self._file = self._locked()  # held until the names are gone
            except OSError as error:
                raise _refusal(self.path, error) from error
        if sys.platform == "win32":
            self.close()  # Windows removes nothing that is open
        try:
            for path in (self.path, self._sidecar, self._journal.path, self._fresh):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise _refusal(self.path, error) from error
        finally:
            self.close()

    def received_on_disk(self) -> int:
        """How much of the file an earlier run has left, by a look at the disk alone."""
        try:
            return sum(size for _start, size in self._trusted_runs(self.path.stat().st_size))
        except OSError:
            return 0

    def _locked(self) -> BinaryIO:
        """The file, open and locked."""
        while True:
            file = open_own(self.path)
            descriptor = file.fileno()
            if not lock(descriptor):
                file.close()
                raise FileInUse(self.path)
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), self.path.stat()):
                    return file
            file.close()  # between opening and locking it was removed or got its final name

    def _write_at(self, view: memoryview, at_bytes: int) -> int:
        assert self._file is not None
        if sys.platform != "win32":
            return os.pwrite(self._file.fileno(), view, at_bytes)
        with self._map_lock:
            self._file.seek(at_bytes)
            return self._file.write(view)

    def _count(self) -> None:
        self.size_bytes = self._pieces.front_bytes
        self.held_bytes = self._pieces.held_bytes

    def _trusted_runs(self, length_bytes: int) -> list[tuple[int, int]]:
        """What of the file is known to be right, as far as that can be known without hashing it."""
        nothing = [(0, 0)]
        record = read_sidecar(self._sidecar)
        if record is None:
            return nothing  # nobody knows what these bytes are of
        runs = [
            (start, min(size, length_bytes - start)) for start, size in record.runs if start <= length_bytes
        ]
        if is_this_run(record.boot):
            journalled = self._journal.read()
            if journalled is not None and are_runs(journalled, length_bytes):
                runs = journalled
            elif len(runs) == 1 and not self._journal.path.exists():
                runs = [(0, length_bytes)]
        origin = record.origin
        if origin.size_bytes is not None and runs[-1][0] + runs[-1][1] > origin.size_bytes:
            log.info("%s is longer than its source and begins anew", self.path)
            return nothing
        self.origin = origin
        self.adopted_bytes = record.adopted_bytes
        return runs


def without_query(url: str) -> str:
    """A URL as it may be kept and shown: a query can hold a signature."""
    return url.partition("?")[0].partition("#")[0]


def _refusal(path: Path, error: OSError) -> CannotWrite:
    """What the system's refusal means."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DiskFull(path, error.strerror or str(error))
    return CannotWrite(path, error.strerror or str(error))
