"""Half-finished files of other programs as the beginning of ours.

The Hub's own library keeps what it is fetching as `blobs/<etag>.incomplete` or
`blobs/<etag>.<random>.incomplete` in its cache, where for large files the etag is their SHA-256, and since
its version 1.18 it never goes on with it.
The bytes are copied, for the file is not ours; whether they are right, the hash of the whole will tell.

Source: huggingface_hub 1.29 and 2.4, `file_download._download_to_tmp_and_move`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from model_manager.errors import TransferCancelled

if TYPE_CHECKING:
    from model_manager.follower import Follower
    from model_manager.partial import PartialFile

log = logging.getLogger(__name__)

MIN_BYTES = 1 << 20
"""Less is fetched sooner than looked for."""
_BLOCK_BYTES = 1 << 20
_TAIL_BYTES = 4096


def find_beginning(cache_dir: Path, sha256: str, size_bytes: int) -> Path | None:
    """The longest half-finished file of this hash that can be the beginning of it; None if there is none."""
    found = [
        (length_bytes, path)
        for path in _incomplete(cache_dir, sha256)
        if MIN_BYTES <= (length_bytes := _usable_bytes(path)) <= size_bytes
    ]
    return max(found)[1] if found else None


def copy_beginning(
    path: Path, partial: PartialFile, follower: Follower, cancelled: Callable[[], bool]
) -> None:
    """Copy a file into a fresh partial file, and hash it on the way. What cannot be read is left out.

    Args:
        path: Of `find_beginning`.
        partial: Its origin is described, and it holds nothing.
        follower: Its hash.
        cancelled: Asked before every block, of 1 MiB.

    Raises:
        TransferCancelled: `cancelled()` was true; what was copied is kept.
        CannotWrite: The system refuses.
    """
    piece = partial.open_front()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK_BYTES):
                if cancelled():
                    raise TransferCancelled
                block = block[: partial.room(piece)]
                partial.write(piece, block)
                follower.feed(block, piece.next_bytes)
                partial.adopted_bytes = piece.next_bytes
                partial.save_if_due()
    except OSError as error:
        log.info("%s cannot be read on: %s", path, error)
    finally:
        partial.release(piece)
    partial.save()
    log.info("%s begins with %d bytes of %s", partial.path, partial.adopted_bytes, path)


def _incomplete(cache_dir: Path, sha256: str) -> Iterator[Path]:
    try:
        for folder in cache_dir.glob("models--*/blobs"):
            for path in folder.glob(f"{sha256}*.incomplete"):
                if path.is_file() and not path.is_symlink():
                    yield path
    except OSError as error:
        log.info("%s cannot be looked through: %s", cache_dir, error)


def _usable_bytes(path: Path) -> int:
    """Its length; 0 for one that was not written from its beginning on: with holes, or nothing at its end."""
    try:
        stat = path.stat()
        n_blocks = getattr(stat, "st_blocks", None)
        if n_blocks is not None and n_blocks * 512 < stat.st_size:
            return 0
        with path.open("rb") as file:
            file.seek(max(0, stat.st_size - _TAIL_BYTES))
            return stat.st_size if any(file.read(_TAIL_BYTES)) else 0
    except OSError as error:
        log.info("%s cannot be read: %s", path, error)
        return 0
