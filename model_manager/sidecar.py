"""What is written beside a partial file, so that the next run knows what its bytes are of.

x.gguf.part.json    {"url": str, "etag": str|null, "sha256": str|null, "size_bytes": int|null,
                     "runs": [[start, size], ...], "boot": str, "adopted_bytes": int}
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_manager.pieces import are_runs

log = logging.getLogger(__name__)

_KINDS: dict[str, Any] = {
    "url": str,
    "etag": (str, type(None)),
    "sha256": (str, type(None)),
    "size_bytes": (int, type(None)),
    "boot": str,
    "adopted_bytes": int,
}


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


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One record.

    Attributes:
        runs: Start and size of the bytes that were put on the disk itself.
        boot: In which run of the machine; see `boot`.
        adopted_bytes: How many at the beginning were taken over from another program's file.
    """

    origin: Origin
    runs: Sequence[tuple[int, int]]
    boot: str
    adopted_bytes: int = 0

    def write(self, path: Path, fresh: Path) -> None:
        """Put it on the disk, whole or not at all, by way of the file `fresh`.

        Raises:
            OSError: The system refuses.
        """
        record = asdict(self.origin) | {
            "runs": self.runs,
            "boot": self.boot,
            "adopted_bytes": self.adopted_bytes,
        }
        fresh.unlink(missing_ok=True)
        with fresh.open("x", encoding="utf-8") as file:  # a link there would lead elsewhere
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def read_sidecar(path: Path) -> Sidecar | None:
    """What stands there; None where there is nothing, or nothing that makes sense.

    Raises:
        OSError: The system refuses.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        log.info("%s is damaged; the download begins anew", path)
        return None
    if not isinstance(record, dict):
        return None
    if "runs" not in record and type(record.get("synced_bytes")) is int:
        # As version 0.1 wrote it: one piece, and another name for the run of the machine.
        record |= {"runs": [[0, record["synced_bytes"]]], "boot": ""}
    record.setdefault("adopted_bytes", 0)
    is_right = all(key in record and isinstance(record[key], kind) for key, kind in _KINDS.items())
    if not is_right or not are_runs(record.get("runs"), sys.maxsize):
        return None
    origin = Origin(record["url"], record["etag"], record["sha256"], record["size_bytes"])
    runs = [(start, size) for start, size in record["runs"]]
    return Sidecar(origin, runs, record["boot"], record["adopted_bytes"])
