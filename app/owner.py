"""One owner per data folder: who it is, and how the others reach it.

The owner holds an operating-system lock on `owner.lock`; it goes with the process, however that ends, so
there is no stale lock. Beside it `owner.json` (mode 0600) tells the others where to knock:

    {"address": the control socket, "key": hex, "pid": int}

A file left over from a dead owner is harmless: whoever gets the lock replaces it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from app.control import ControlServer, OwnerLink
from app.errors import DataFolderUnusable, OwnerSilent
from app.paths import Paths

log = logging.getLogger(__name__)

# An owner answers at once even while it still opens its data; one that does not is stuck or stopped.
_PATIENCE_S = 15.0
_RETRY_S = 0.02


class Owner:
    """This process owns the data folder until `close`.

    Attributes:
        control: Where other programs knock; see `ControlServer.serve`.
        runtime_dir: Private folder for the sockets of this owner and its workers.
    """

    def __init__(self, paths: Paths, lock: FileLock) -> None:
        self.paths = paths
        self._lock = lock
        try:
            self.runtime_dir = paths.make_runtime_dir()
            key = secrets.token_bytes(32)
            self.control = ControlServer(_new_address(self.runtime_dir), key)
        except OSError as error:
            lock.release()
            raise DataFolderUnusable.of(paths.data_dir, error) from error
        except BaseException:
            lock.release()
            raise
        try:
            _write_private(
                paths.owner,
                json.dumps({"address": self.control.address, "key": key.hex(), "pid": os.getpid()}),
            )
        except OSError as error:
            self.close()
            raise DataFolderUnusable.of(paths.data_dir, error) from error

    def close(self) -> None:
        """Stop what runs for others and give the folder up; close the data before. May be called twice."""
        if not self._lock.is_locked:
            return
        self.control.close()
        with contextlib.suppress(OSError):
            self.paths.owner.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.runtime_dir.rmdir()  # empty, unless a worker was killed
        self._lock.release()


def acquire(paths: Paths) -> Owner | None:
    """Become the owner; None when another program is.

    Raises:
        DataFolderUnusable: The folder cannot be made or written.
    """
    paths.make_data_dir()
    # Never the soft lock of filelock: that one is a file that a killed program leaves behind.
    lock = FileLock(
        paths.lock, mode=0o600, thread_local=False, fallback_to_soft=False, preserve_lock_file=True
    )
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except OSError as error:
        raise DataFolderUnusable.of(paths.data_dir, error) from error
    return Owner(paths, lock)


def acquire_or_connect(paths: Paths) -> Owner | OwnerLink:
    """Become the owner, or reach the one there is.

    Between an owner's lock and its listening, and between its last word and the end of its process, there
    are moments when neither works; they pass.

    Raises:
        DataFolderUnusable: The folder cannot be made or written.
        OwnerSilent: Somebody holds the lock and does not answer.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        owner = acquire(paths)
        if owner is not None:
            return owner
        link = connect(paths)
        if link is not None:
            return link
        if time.monotonic() > deadline:
            raise OwnerSilent(paths.data_dir, owner_pid(paths))
        time.sleep(_RETRY_S)


def connect(paths: Paths) -> OwnerLink | None:
    """Reach the owner; None when there is none, or it does not answer."""
    try:
        found = json.loads(paths.owner.read_text("utf-8"))
        return OwnerLink(str(found["address"]), bytes.fromhex(found["key"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def owner_pid(paths: Paths) -> int | None:
    """The process id that the owner wrote down; of the last one when there is none now."""
    try:
        return int(json.loads(paths.owner.read_text("utf-8"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _new_address(runtime_dir: Path) -> str:
    if sys.platform == "win32":
        return rf"\\.\pipe\coterie-{secrets.token_hex(16)}"
    path = runtime_dir / "control"
    # We hold the lock, so a socket that lies here belongs to nobody.
    path.unlink(missing_ok=True)
    return str(path)


def _write_private(path: Path, text: str) -> None:
    """Write so that nobody else can read it and no reader sees half of it."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)  # on a full disk it is empty
