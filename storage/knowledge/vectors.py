"""The passages' vectors: 32-bit floats, little-endian, of length 1; and the ones nearest to another.

They are ordinary blobs in the layout that sqlite-vec reads, so its distance function looks through them where
this Python can load it, and numpy where it cannot (the SQLite of many builds of Python loads no extension).
Both look at every vector, and give the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import numpy as np
import sqlite_vec
from numpy.typing import NDArray

from storage.database import Database

log = logging.getLogger(__name__)

_BATCH_ROWS: Final = 2048


class Vectors:
    """Of all collections."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_extension: bool | None = None

    @property
    def has_extension(self) -> bool:
        """Whether sqlite-vec does the searching; loads it the first time."""
        if self._has_extension is None:
            self._has_extension = self._database.load_extension(sqlite_vec.loadable_path())
            log.info("vectors are searched by %s", "sqlite-vec" if self._has_extension else "numpy")
        return self._has_extension

    def put(self, collection_id: int, vectors: Mapping[int, NDArray[np.float32]]) -> None:
        """Keep the vector of each passage, inside a transaction."""
        for passage_id, vector in vectors.items():
            self._database.execute(
                "INSERT OR REPLACE INTO vectors (passage_id, collection_id, data) VALUES (?, ?, ?)",
                [passage_id, collection_id, _packed(vector)],
            )

    def clear(self, collection_id: int) -> None:
        """Forget those of a collection, inside a transaction."""
        self._database.execute("DELETE FROM vectors WHERE collection_id = ?", [collection_id])

    def nearest(self, collection_id: int, vector: NDArray[np.float32], limit: int) -> list[int]:
        """Ids of the passages whose vectors have the smallest angle to `vector`, the nearest first."""
        if not self.has_extension:
            return self._nearest_by_numpy(collection_id, vector, limit)
        rows = self._database.query(
            "SELECT passage_id FROM vectors WHERE collection_id = ?"
            " ORDER BY vec_distance_cosine(data, ?), passage_id LIMIT ?",
            [collection_id, _packed(vector), limit],
        )
        return [row["passage_id"] for row in rows]

    def _nearest_by_numpy(self, collection_id: int, vector: NDArray[np.float32], limit: int) -> list[int]:
        best_ids: NDArray[np.int64] = np.empty(0, np.int64)
        best: NDArray[np.float32] = np.empty(0, np.float32)
        last_id = -1
        # A part at a time: those of a large collection need not fit into memory together.
        while rows := self._database.query(
            "SELECT passage_id, data FROM vectors WHERE collection_id = ? AND passage_id > ?"
            " ORDER BY passage_id LIMIT ?",
            [collection_id, last_id, _BATCH_ROWS],
        ):
            last_id = rows[-1]["passage_id"]
            matrix = np.frombuffer(b"".join(row["data"] for row in rows), "<f4").reshape(len(rows), -1)
            best = np.concatenate([best, matrix @ vector.astype(np.float32)])
            best_ids = np.concatenate([best_ids, np.array([row["passage_id"] for row in rows], np.int64)])
            kept = np.argsort(-best, kind="stable")[:limit]
            best, best_ids = best[kept], best_ids[kept]
        return [int(passage_id) for passage_id in best_ids]


def _packed(vector: NDArray[np.float32]) -> bytes:
    """Of length 1, which makes the angle a sum of products."""
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        raise ValueError("a vector without a direction")
    return (vector / length).astype("<f4").tobytes()
