"""Arrays that belong to a message: the ids of its tokens, and which experts they went to.

A trace is numbers in row-major order, little-endian, compressed as one zlib stream; its row says their type
and shape. `docs/database.md` shows how others read one.
"""

from __future__ import annotations

import json
import math
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from storage.database import Database
from storage.errors import NoSuchMessage
from storage.records import PackedArray, TraceKind

Array = NDArray[np.generic]

# How each kind is kept: type of its numbers, and how many dimensions they have.
_FORMATS: Final[Mapping[TraceKind, tuple[str, int]]] = {
    "prompt_tokens": ("<i4", 1),
    "answer_tokens": ("<i4", 1),
    "expert_layers": ("<i4", 1),
    "experts": ("<i2", 3),
    "expert_weights": ("<f2", 3),
    "logprobs": ("<f4", 1),
    "top_tokens": ("<i4", 2),
    "top_logprobs": ("<f4", 2),
}
_MAX_NUMBERS: Final = 1 << 28  # of one trace, before anything is made of a row that lies


class Traces:
    """All traces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, message_id: int, traces: Mapping[TraceKind, ArrayLike | PackedArray]) -> None:
        """Keep these arrays beside a message; those of the same kind are replaced.

        Args:
            message_id: Whose.
            traces: Arrays, packed ones, or lists, of numbers that the type of their kind can hold.

        Raises:
            NoSuchMessage: Its conversation was deleted meanwhile.
            ValueError, OverflowError: They are not of the form of their kind.
        """
        rows = [(message_id, kind, *_packed(kind, numbers)) for kind, numbers in traces.items()]
        with self._database.transaction():
            if not self._database.query("SELECT 1 FROM messages WHERE id = ?", [message_id]):
                raise NoSuchMessage(message_id)
            for row in rows:
                self._database.execute(
                    "INSERT INTO traces (message_id, kind, dtype, shape, data) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (message_id, kind) DO UPDATE SET"
                    " dtype = excluded.dtype, shape = excluded.shape, data = excluded.data",
                    row,
                )

    def insert(self, message_id: int, kind: str, dtype: str, shape: Sequence[int], data: bytes) -> None:
        """Keep an array that comes compressed, as another database held it; inside a transaction.

        Raises:
            ValueError: It is not of the form of its kind, or cannot be read.
        """
        if kind not in _FORMATS:
            raise ValueError(f"there is no trace {kind}")
        array = _unpacked({"kind": kind, "dtype": dtype, "shape": json.dumps(list(shape)), "data": data})
        if problem := _problem_of(kind, array):
            raise ValueError(problem)
        self._database.execute(
            "INSERT INTO traces (message_id, kind, dtype, shape, data) VALUES (?, ?, ?, ?, ?)",
            [message_id, kind, dtype, json.dumps(list(shape)), data],
        )

    def get(self, message_id: int, kind: TraceKind) -> Array | None:
        """One array of a message; None where there is none, or none that can be read."""
        rows = self._database.query(
            "SELECT * FROM traces WHERE message_id = ? AND kind = ?", [message_id, kind]
        )
        if not rows:
            return None
        try:
            return _unpacked(rows[0])
        except ValueError:
            return None

    def kinds(self, message_id: int) -> set[str]:
        """Which arrays a message has."""
        rows = self._database.query("SELECT kind FROM traces WHERE message_id = ?", [message_id])
        return {row["kind"] for row in rows}

    def problems(self) -> list[str]:
        """One sentence for each trace that cannot be read or says what cannot be; empty is good. Slow."""
        found = []
        for key in self._database.query("SELECT id FROM traces ORDER BY id"):
            (row,) = self._database.query(
                "SELECT traces.*, role FROM traces JOIN messages ON messages.id = message_id"
                " WHERE traces.id = ?",
                [key["id"]],
            ) or (None,)
            if row is None:
                continue  # a row without its message is found by SQLite itself
            problem = "belongs to no answer" if row["role"] != "assistant" else _problem(row)
            if problem:
                found.append(f"trace {row['kind']} of message {row['message_id']} {problem}")
        return found


def _problem(row: sqlite3.Row) -> str:
    try:
        array = _unpacked(row)
    except ValueError as error:
        return f"cannot be read: {error}"
    return _problem_of(row["kind"], array)


def _problem_of(kind: str, array: Array) -> str:
    if kind in ("prompt_tokens", "answer_tokens") and min(array.tolist(), default=0) < 0:
        return "holds an id below 0"
    return ""


def _packed(kind: TraceKind, numbers: ArrayLike | PackedArray) -> tuple[str, str, bytes]:
    dtype, n_dimensions = _FORMATS[kind]
    if isinstance(numbers, PackedArray):
        numbers = np.frombuffer(numbers.data, dtype).reshape(numbers.shape)
    array = np.ascontiguousarray(numbers, dtype)
    if array.ndim != n_dimensions:
        raise ValueError(f"{kind} has {array.ndim} dimensions")
    # Level 6 of zlib: a prompt of 8,000 tokens takes 15 KB and a millisecond.
    data = zlib.compress(array.tobytes())
    return dtype, json.dumps(list(array.shape)), data


def _unpacked(row: sqlite3.Row | Mapping[str, Any]) -> Array:
    dtype, n_dimensions = _FORMATS.get(row["kind"], (row["dtype"], None))
    if row["dtype"] != dtype:
        raise ValueError(f"its numbers are {row['dtype']}")
    shape: Any = json.loads(row["shape"])
    if not (isinstance(shape, list) and all(isinstance(n, int) and n >= 0 for n in shape)):
        raise ValueError("it has no shape")
    if n_dimensions not in (None, len(shape)) or math.prod(shape) > _MAX_NUMBERS:
        raise ValueError(f"its shape is {shape}")
    expected_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        data = zlib.decompressobj().decompress(row["data"], expected_bytes + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(data) != expected_bytes:
        raise ValueError("it has another length than its shape")
    return np.frombuffer(data, dtype).reshape(shape)
