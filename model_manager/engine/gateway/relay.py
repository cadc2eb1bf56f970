"""One request on its way through an engine: a thread speaks to the engine, the event loop to the client.

The thread is needed anyway, to wait for the model and to hold it while it is used; so the same blocking
client serves workers, remote engines behind the program's network door, and everything else here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass, replace
from typing import Any, Final

from model_manager.engine.client import Cancel
from model_manager.engine.failures import error_in
from model_manager.engine.gateway.models import Models, Served
from model_manager.engine.gateway.queue import Queue
from model_manager.engine.stream_reader import EVENT_STREAM, check_type, json_or_none
from model_manager.errors import AnswerUnreadable, EngineBrokeOff, RequestRefused
from model_manager.recommended import filled

log = logging.getLogger(__name__)

BACKLOG_BYTES: Final = 8 * 2**20
STREAM_SILENCE_S: Final = 120.0
_LAST_BYTES: Final = 8 * 1024
_ENDS: Final = (b"[DONE]", b'{"error"', b'"finish_reason":"', b'"finish_reason": "')
"""What stands near the end of a stream that was not broken off."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of an engine.

    Attributes:
        fields: The body as it says; `body` as it came.
        client: Who asks, for fairness.
        n_places: Requests of this model that may run at once.
        is_stream: The answer comes in events, so silence means something.
    """

    path: str
    model_id: str
    fields: dict[str, Any]
    body: bytes
    client: Hashable
    n_places: int
    is_stream: bool

    def with_fields(self, fields: dict[str, Any], path: str) -> Call:
        """Another request for the same client and model."""
        return replace(self, path=path, fields=fields, body=json.dumps(fields).encode())

    def body_for(self, served: Served) -> bytes:
        """The body that its engine gets: as it came, where nothing is to be changed."""
        fields = self.fields if served.name is None else self.fields | {"model": served.name}
        if self.path.endswith("/completions"):
            fields = filled(fields, served.sampling)
        return self.body if fields == self.fields else json.dumps(fields).encode()


class NobodyReads(Exception):
    """A client does not take what it has asked for."""


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    content_type: str


class Upstream:
    """The answer of an engine as it arrives; used on the event loop.

    Attributes:
        content_type: Of the answer, once `begin` has returned.
    """

    def __init__(self, models: Models, call: Call) -> None:
        self.content_type = ""
        self._models = models
        self._call = call
        self._cancel = Cancel()
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._arrived: deque[_Head | bytes] = deque()
        self._arrived_bytes = 0
        self._error: BaseException | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    async def begin(self) -> None:
        """Send the request, and wait until it is answered.

        Raises:
            ModelManagerError: The model cannot be used, or refused the request.
        """
        self._thread.start()
        head = await self._next()
        assert isinstance(head, _Head)
        self.content_type = head.content_type
        if head.status >= 400:
            raise error_in(await self.read(), head.status)
        check_type(head.content_type, EVENT_STREAM if self._call.is_stream else "application/json")

    async def read(self) -> bytes:
        """The rest of a whole answer.

        Raises:
            EngineError, NobodyReads: As `chunks`.
        """
        return b"".join([chunk async for chunk in self._bytes()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """Events, as they arrive.

        Raises:
            EngineError: The engine has ended in the middle.
            NobodyReads: Too much has gathered.
        """
        last = b""
        async for chunk in self._bytes():
            last = (last + chunk)[-_LAST_BYTES:]
            yield chunk
        if not self._cancel.is_set and not any(end in last for end in _ENDS):
            raise EngineBrokeOff(self._call.model_id, "the stream ended early")

    def cancel(self) -> None:
        """Nobody wants it any more; harmless when it is over."""
        self._cancel.set()

    async def _bytes(self) -> AsyncIterator[bytes]:
        while (chunk := await self._next()) is not None:
            assert isinstance(chunk, bytes)
            self._arrived_bytes -= len(chunk)
            yield chunk

    async def _next(self) -> _Head | bytes | None:
        while True:
            is_over = self._is_over  # before looking: what arrived before the end must not be lost
            if self._arrived:
                return self._arrived.popleft()
            if is_over:
                if self._error is not None:
                    raise self._error
                return None
            self._wake.clear()
            if not self._arrived and not self._is_over:
                await self._wake.wait()

    # --- its thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        call, cancel = self._call, self._cancel
        try:
            with self._models.use(call.model_id, cancel) as served:
                body = call.body_for(served)
                silence_s = STREAM_SILENCE_S if call.is_stream else None
                with served.client.forward(call.path, body, cancel, read_timeout_s=silence_s) as answer:
                    self._put(_Head(answer.status, answer.content_type))
                    for chunk in answer.chunks:
                        self._put(chunk)
        except NobodyReads as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 : raised where it is waited for
            # What a cancelled wait ends with is no news.
            self._error = RequestRefused(499, "cancelled") if cancel.is_set else error
        self._is_over = True
        self._signal()

    def _put(self, item: _Head | bytes) -> None:
        if isinstance(item, bytes):
            self._arrived_bytes += len(item)
            if self._arrived_bytes > BACKLOG_BYTES:
                self._cancel.set()
                raise NobodyReads
        self._arrived.append(item)
        self._signal()

    def _signal(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended with the gateway
            self._loop.call_soon_threadsafe(self._wake.set)


class Relay:
    """Opens ways to engines, in turn."""

    def __init__(self, models: Models, queue: Queue) -> None:
        self._models = models
        self._queue = queue
        self._running: set[Upstream] = set()

    @contextlib.asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[Upstream]:
        """Wait for a turn, ask, and be answered; what is left of the answer is cancelled at the end.

        Raises:
            QueueFull: Too many wait already.
            ModelManagerError: The model cannot be used, or refused the request.
        """
        async with self._queue.turn(call.model_id, call.client, call.n_places):
            upstream = Upstream(self._models, call)
            self._running.add(upstream)
            try:
                await upstream.begin()
                yield upstream
            finally:
                upstream.cancel()
                self._running.discard(upstream)

    async def ask(self, call: Call) -> dict[str, Any]:
        """A whole answer.

        Raises:
            QueueFull, ModelManagerError: As `open`.
        """
        async with self.open(call) as upstream:
            answer = json_or_none(await upstream.read())
        if not isinstance(answer, dict):
            raise AnswerUnreadable("it is not a JSON object")
        return answer

    def close(self) -> None:
        """Cancel everything that runs."""
        for upstream in list(self._running):
            upstream.cancel()
