"""SHA-256 of files, in chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from model_manager.errors import TransferCancelled

CHUNK_BYTES = 4 << 20
Sha256 = hashlib.sha256


def sha256_of(
    path: Path, progress: Callable[[int], None] | None = None, cancelled: Callable[[], bool] | None = None
) -> str:
    """The file's hash as lower-case hex; about a second a gigabyte on a processor with SHA instructions.

    Args:
        path: The file.
        progress: Told the size in bytes of each chunk that was read, at most 4 MiB.
        cancelled: Asked before every chunk.

    Raises:
        TransferCancelled: `cancelled()` was true.
        OSError: The file cannot be read.
    """
    digest = Sha256()
    buffer = bytearray(CHUNK_BYTES)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while True:
            if cancelled is not None and cancelled():
                raise TransferCancelled
            n_bytes = file.readinto(view)
            if not n_bytes:
                return digest.hexdigest()
            digest.update(view[:n_bytes])
            if progress is not None:
                progress(n_bytes)
