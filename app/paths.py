"""Where everything lies.

    DATA_DIR/                   --data-dir, $COTERIE_DATA_DIR, or the system's place for a person's data
        coterie.sqlite          conversations, library, downloads, settings
        backups/                copies of the database, see `storage.backups`
        models/                 downloaded and copied models; the setting `models_dir` moves it
        cache/prompts/          states of conversations, see `model_manager.engine.prompt_cache`
        logs/coterie.log        what the program did, rotated at 1 MB, three older ones kept
        owner.lock              locked by the operating system while a program owns this folder
        owner.json              how to reach that program (mode 0600), see `app.owner`
    RUNTIME_DIR/                a private folder (mode 0700) with a short path, for sockets only

The lock lies beside the data it protects, so two sessions with different runtime folders (a desktop and
an ssh login, say) still agree on the owner. Starter files lie in a cache that all data folders share, see
`model_manager.starter`.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from app.errors import DataFolderUnusable

# The kernel's limit for a socket's path is 108 bytes on Linux, 104 on macOS; the longest name we append is
# that of a worker's socket.
_MAX_RUNTIME_DIR_BYTES = 70


@dataclass(frozen=True, slots=True)
class Paths:
    """The places of one data folder; nothing is created by looking at them."""

    data_dir: Path

    @property
    def database(self) -> Path:
        """The one file that must not be lost."""
        return self.data_dir / "coterie.sqlite"

    @property
    def backups_dir(self) -> Path:
        """Copies of the database."""
        return self.data_dir / "backups"

    @property
    def models_dir(self) -> Path:
        """Where models go unless the setting `models_dir` says otherwise."""
        return self.data_dir / "models"

    @property
    def prompt_cache_dir(self) -> Path:
        """States of conversations, which may be removed at any time."""
        return self.data_dir / "cache" / "prompts"

    @property
    def log_file(self) -> Path:
        """The newest log."""
        return self.data_dir / "logs" / "coterie.log"

    @property
    def lock(self) -> Path:
        """Locked by the owner for as long as it lives."""
        return self.data_dir / "owner.lock"

    @property
    def owner(self) -> Path:
        """The owner's address and key."""
        return self.data_dir / "owner.json"

    def make_data_dir(self) -> None:
        """Create the data folder, private to its person.

        Raises:
            DataFolderUnusable: It cannot be made.
        """
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DataFolderUnusable.of(self.data_dir, error) from error

    def make_runtime_dir(self) -> Path:
        """Create and return the folder for sockets; the same for everyone who asks in one session.

        Raises:
            DataFolderUnusable: It cannot be made, or somebody else made it first.
        """
        key = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        for base in _runtime_bases():
            path = base / f"coterie-{key}"
            if len(os.fsencode(path)) > _MAX_RUNTIME_DIR_BYTES:
                continue
            try:
                path.mkdir(mode=0o700, exist_ok=True)
            except OSError:
                continue
            if _is_private(path):
                return path
        raise DataFolderUnusable(Path(tempfile.gettempdir()), "no private folder for sockets")


def resolve(data_dir: str | Path | None = None) -> Paths:
    """The places for `--data-dir`, the environment, or the default, in this order."""
    chosen = data_dir or os.environ.get("COTERIE_DATA_DIR") or ""
    if chosen:
        # Resolved, so that two spellings of one folder have one owner.
        return Paths(Path(chosen).expanduser().resolve())
    return Paths(Path(platformdirs.user_data_dir("coterie", appauthor=False, roaming=False)).resolve())


def _runtime_bases() -> list[Path]:
    bases = []
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session and _is_private(Path(session)):
        bases.append(Path(session))
    if sys.platform == "win32":
        bases.append(Path(tempfile.gettempdir()))
        return bases
    user = os.getuid()
    for temp in dict.fromkeys((tempfile.gettempdir(), "/tmp")):
        base = Path(temp) / f"coterie-{user}"
        try:
            base.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            continue
        if _is_private(base):
            bases.append(base)
    return bases


def _is_private(path: Path) -> bool:
    """A real folder (not a link) that is ours alone; anything else could be somebody's trap."""
    try:
        found = path.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if sys.platform == "win32":
        return True
    return found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o077 == 0
