"""Reading every byte of a model to see whether it is what it should be."""

from __future__ import annotations

from collections.abc import Callable

from model_manager import stamps
from model_manager.copying import counted
from model_manager.digest import sha256_of
from model_manager.errors import HashMismatch, MissingShard, ModelFileError, ModelNotFound
from model_manager.looks import looks_of
from model_manager.types import ModelEntry


def check_bytes(
    entry: ModelEntry, progress: Callable[[int, int], None] | None, cancelled: Callable[[], bool]
) -> tuple[str, ...]:
    """The SHA-256 of all files of an entry, compared with those that it should have.

    Args:
        entry: Of this machine.
        progress: `progress(done_bytes, total_bytes)`.
        cancelled: Asked at least every 4 MiB.

    Raises:
        HashMismatch: A file is not what it was; of a starter, it is made again when it is next wanted.
        ModelNotFound, MissingShard: It is not there.
        ModelFileError: It cannot be read.
        TransferCancelled: `cancelled()` was true.
    """
    tell = counted(progress, sum(size_bytes for size_bytes, _mtime in looks_of(entry.paths)))
    digests = []
    for number, path in enumerate(entry.paths):
        try:
            digest = sha256_of(path, tell, cancelled)
        except FileNotFoundError as error:
            raise MissingShard(path) if number else ModelNotFound(entry.name) from error
        except OSError as error:
            raise ModelFileError(path, str(error)) from error
        if entry.sha256 is not None and digest != entry.sha256[number]:
            if entry.is_starter:
                stamps.discard(path)
            raise HashMismatch(path, entry.sha256[number], digest)
        digests.append(digest)
    return tuple(digests)
