"""What was sent where and why, for the user to read."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

KEPT_IN_MEMORY = 1000
_BLOCK_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that left, or tried to leave, this program. Never holds a query, a header or a token.

    Attributes:
        at: When it began; UTC, ISO 8601.
        status: The HTTP status; None when there was no answer.
        received_bytes: Of the body, as far as it was read.
        why: The purpose in the program's own words, for example "download".
        error: What prevented an answer, or cut it short.
    """

    at: str
    method: str
    host: str
    path: str
    status: int | None
    received_bytes: int
    why: str
    error: str = ""


class RequestLog:
    """The last requests in memory, all of them in a file of JSON lines. Any thread may write and read.

    Attributes:
        path: The file; None keeps nothing on disk.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._records: deque[RequestRecord] = deque(maxlen=KEPT_IN_MEMORY)
        self._lock = threading.Lock()

    def add(self, record: RequestRecord) -> None:
        """Keep a record; a file that cannot be written is logged and never stops a request."""
        with self._lock:
            self._records.append(record)
            if self.path is None:
                return
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
            except OSError as error:
                log.info("the request log %s cannot be written: %s", self.path, error)

    def records(self) -> tuple[RequestRecord, ...]:
        """The last requests of this run, the oldest first."""
        with self._lock:
            return tuple(self._records)

    def last(self, limit: int) -> tuple[RequestRecord, ...]:
        """The last requests of all runs, the oldest first; without a file, those of this run.

        Lines that are no records (a power cut, another version) are left out.

        Args:
            limit: At most so many, at least 1.

        Raises:
            OSError: The file is there and cannot be read.
        """
        with self._lock:  # a line that is being written is not read by halves
            if self.path is None or not self.path.exists():
                return tuple(self._records)[-limit:]
            lines = _last_lines(self.path, limit)
        return tuple(record for line in lines if (record := _record(line)) is not None)


def _last_lines(path: Path, limit: int) -> list[bytes]:
    """From the end backwards: the file grows for as long as the program is used."""
    with path.open("rb") as file:
        place = file.seek(0, 2)
        tail = b""
        while place and tail.count(b"\n") <= limit:
            n_bytes = min(place, _BLOCK_BYTES)
            place -= n_bytes
            file.seek(place)
            tail = file.read(n_bytes) + tail
    return [line for line in tail.split(b"\n") if line][-limit:]


def _record(line: bytes) -> RequestRecord | None:
    try:
        values = json.loads(line)
        names = {field.name for field in fields(RequestRecord)}
        record = RequestRecord(**{name: value for name, value in values.items() if name in names})
        texts = (record.at, record.method, record.host, record.path, record.why, record.error)
        numbers = (record.received_bytes, record.status or 0)
    except (ValueError, TypeError, AttributeError):
        return None
    is_sound = all(isinstance(text, str) for text in texts) and all(isinstance(n, int) for n in numbers)
    return record if is_sound else None


class OpenEntry:
    """One line of the log in the making; written when the answer ends.

    Attributes:
        received_bytes: Of the body, so far.
    """

    def __init__(self, log: RequestLog, method: str, host: str, path: str, *, why: str) -> None:
        self._log = log
        self._method = method
        self._host = host
        self._path = path
        self._why = why
        self._at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.received_bytes = 0

    def close(self, status: int | None, error: str) -> None:
        """It has ended: with a status, or with the name of an error."""
        self._log.add(
            RequestRecord(
                at=self._at,
                method=self._method,
                host=self._host,
                path=self._path,
                status=status,
                received_bytes=self.received_bytes,
                why=self._why,
                error=error,
            )
        )
