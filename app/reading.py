"""Reads documents in a process of its own: a hostile file can end it, and nothing else.

stdin     {"path": ..., "known": sha256 or null}, a line a document
stdout    {"document": ...}, {"same": true} or {"refused": why, "detail": ...}, a line each

The process limits its own memory and processor time, and ends with its stdin. One that says nothing for too
long is ended, and the next document gets a new one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from storage.errors import DocumentRefused
from storage.knowledge.records import Passage, ReadDocument

log = logging.getLogger(__name__)

MAX_ADDRESS_SPACE_BYTES: Final = 4 * 2**30
MAX_WAIT_S: Final = 120.0
_MAX_PROCESSOR_S: Final = 300
_RENEW_AFTER_S: Final = 120.0  # so that no document pays with its processor time for those before it


class DocumentReader:
    """The process, started when it is first needed; for one thread, but for `stop`."""

    def __init__(self, command: Sequence[str], max_wait_s: float = MAX_WAIT_S) -> None:
        """Prepare.

        Args:
            command: What runs `main` of this module.
            max_wait_s: For one document.
        """
        self._command = tuple(command)
        self._max_wait_s = max_wait_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def read(self, path: Path, known_sha256: str | None) -> ReadDocument | None:
        """As `storage.knowledge.reading.read_document`.

        Raises:
            DocumentRefused: Also as "stuck": the process did not come to an end with it.
        """
        process = self._running()
        deadline = threading.Timer(self._max_wait_s, process.kill)
        deadline.daemon = True
        deadline.start()
        try:
            answer = self._ask(process, {"path": str(path), "known": known_sha256})
        finally:
            deadline.cancel()
            deadline.join()
        if answer is None:
            self.stop()
            raise DocumentRefused(path, "stuck", f"ended with {process.returncode}")
        if "refused" in answer:
            raise DocumentRefused(path, answer["refused"], answer["detail"])
        return None if "same" in answer else _document_from(answer["document"])

    def stop(self) -> None:
        """End the process; from any thread. The next document gets another."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with contextlib.suppress(OSError):
                    pipe.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and time.monotonic() - self._started_at > _RENEW_AFTER_S:
            self.stop()
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    # A group of its own: Ctrl-C in a terminal is for us alone.
                    process_group=None if sys.platform == "win32" else 0,
                )
                self._started_at = time.monotonic()
            return self._process

    @staticmethod
    def _ask(process: subprocess.Popen[bytes], request: dict[str, Any]) -> dict[str, Any] | None:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            return json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):  # it has ended, or `stop` closed its pipes
            return None


def _document_from(body: dict[str, Any]) -> ReadDocument:
    passages = tuple(
        Passage(text, tuple(headings), page, line, line_end)
        for text, headings, page, line, line_end in body["passages"]
    )
    return ReadDocument(body["kind"], body["title"], body["sha256"], passages)


# --- the process -----------------------------------------------------------------------------------------


def main(_argv: Sequence[str] | None = None) -> int:
    """Read documents until there are no more."""
    _limit()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answer = _answer(Path(request["path"]), request["known"])
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()
    return 0


def _answer(path: Path, known_sha256: str | None) -> dict[str, Any]:
    from storage.knowledge.reading import read_document  # libraries that only this process needs

    try:
        document = read_document(path, known_sha256)
    except DocumentRefused as error:
        return {"refused": error.why, "detail": error.detail}
    except (MemoryError, RecursionError) as error:
        return {"refused": "stuck", "detail": type(error).__name__}
    if document is None:
        return {"same": True}
    passages = [(p.text, p.headings, p.page, p.line, p.line_end) for p in document.passages]
    return {
        "document": {
            "kind": document.kind,
            "title": document.title,
            "sha256": document.sha256,
            "passages": passages,
        }
    }


def _limit() -> None:
    if sys.platform == "win32":
        return
    import resource

    for kind, value in (
        (resource.RLIMIT_AS, MAX_ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_CPU, _MAX_PROCESSOR_S),
        (resource.RLIMIT_FSIZE, 0),  # it has nothing to write
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # a lower hard limit stands already
            resource.setrlimit(kind, (value, value))
