"""Copies of model files into the models folder: hashed on the way, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from model_manager.digest import CHUNK_BYTES, Sha256
from model_manager.errors import CannotWrite, NotEnoughDisk, TransferCancelled

RESERVE_BYTES = 1 << 30
"""What stays free on the disk: a full one harms the whole system, and the database first of all."""


def copy_files(
    sources: Sequence[Path],
    targets: Sequence[Path],
    progress: Callable[[int], None],
    cancelled: Callable[[], bool],
) -> tuple[str, ...]:
    """Copies all files or none; their SHA-256.

    Args:
        sources: Files of one model.
        targets: Final paths in one folder, none of which exists; each file is a `.part` until it is on the
            disk.
        progress: Told the size in bytes of each chunk, at most 4 MiB.
        cancelled: Asked before every chunk.

    Raises:
        NotEnoughDisk: The copies would leave less than `RESERVE_BYTES` free; nothing was written.
        TransferCancelled: `cancelled()` was true; nothing is left.
        CannotWrite: Writing failed; nothing is left.
        OSError: A source cannot be read; nothing is left.
    """
    folder = targets[0].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        raise CannotWrite(folder, str(error)) from error
    needed_bytes = sum(source.stat().st_size for source in sources) + RESERVE_BYTES
    if free_bytes < needed_bytes:
        raise NotEnoughDisk(needed_bytes, free_bytes, folder)
    parts = [target.with_name(target.name + ".part") for target in targets]
    with contextlib.ExitStack() as undo:
        for path in (*parts, *targets):
            undo.callback(_discard, path)
        digests = [
            _copy(source, part, progress, cancelled) for source, part in zip(sources, parts, strict=True)
        ]
        try:
            for part, target in zip(parts, targets, strict=True):
                part.replace(target)
        except OSError as error:
            raise CannotWrite(targets[0], str(error)) from error
        undo.pop_all()
    return tuple(digests)


def counted(progress: Callable[[int, int], None] | None, total_bytes: int) -> Callable[[int], None]:
    """Makes of chunks, as copying and hashing tell them, what has been done of all."""
    done_bytes = 0

    def tell(n_bytes: int) -> None:
        nonlocal done_bytes
        done_bytes += n_bytes
        if progress is not None:
            progress(done_bytes, total_bytes)

    return tell


def _copy(source: Path, part: Path, progress: Callable[[int], None], cancelled: Callable[[], bool]) -> str:
    digest = Sha256()
    with source.open("rb") as reader:
        try:
            part.unlink(missing_ok=True)
            with part.open("xb") as writer:  # a link there would lead elsewhere
                while chunk := reader.read(CHUNK_BYTES):
                    if cancelled():
                        raise TransferCancelled
                    writer.write(chunk)
                    digest.update(chunk)
                    progress(len(chunk))
                writer.flush()
                os.fsync(writer.fileno())
        except OSError as error:
            raise CannotWrite(part, str(error)) from error
    return digest.hexdigest()


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
