"""What was sent where and why, for the user to read."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

KEPT_IN_MEMORY = 1000


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
