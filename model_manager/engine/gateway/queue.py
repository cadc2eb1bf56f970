"""Whose turn it is. Belongs to the event loop of the gateway.

So many requests of a model run at once as its worker computes together, and one more to follow without a
pause: whoever uses the window beside them waits for a turn, not for all of them. The others wait here, where
they cost nothing and can be turned away. Clients (address and `user` of a request) take turns, so one that
sends a hundred requests delays another's single one by no more than what runs already; of one client, the
order of arrival is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass, field
from typing import Final

from model_manager.engine.gateway.refusals import QueueFull

N_WAITING: Final = 256
_LONGEST_RETRY_S: Final = 120.0


@dataclass(slots=True)
class _Line:
    """Those who want one model."""

    n_places: int
    n_running: int = 0
    waiting: dict[Hashable, deque[asyncio.Future[None]]] = field(default_factory=dict)


class Queue:
    """A line for each model."""

    def __init__(self, n_waiting: int = N_WAITING) -> None:
        """Nobody waits.

        Args:
            n_waiting: Requests that may wait, of all models together.
        """
        self._n_waiting_max = n_waiting
        self._lines: dict[str, _Line] = {}
        self._n_waiting = 0
        self._typical_s = 1.0

    @property
    def n_waiting(self) -> int:
        """How many wait for their turn."""
        return self._n_waiting

    @contextlib.asynccontextmanager
    async def turn(self, model_id: str, client: Hashable, n_places: int) -> AsyncIterator[None]:
        """Wait for a turn and have it while inside.

        Args:
            model_id: Whose line it is.
            client: Who shares a turn with others of the same name.
            n_places: Requests of this model that may run at once.

        Raises:
            QueueFull: Too many wait already.
        """
        line = self._lines.setdefault(model_id, _Line(n_places))
        line.n_places = n_places
        if line.n_running < n_places:
            line.n_running += 1
        else:
            await self._wait(line, client)
        began_s = time.monotonic()
        try:
            yield
        finally:
            self._typical_s += (time.monotonic() - began_s - self._typical_s) / 8
            self._pass_on(model_id, line)

    async def _wait(self, line: _Line, client: Hashable) -> None:
        if self._n_waiting >= self._n_waiting_max:
            ahead = self._n_waiting / line.n_places
            raise QueueFull(min(_LONGEST_RETRY_S, max(1.0, self._typical_s * ahead / 2)))
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.setdefault(client, deque()).append(mine)
        self._n_waiting += 1
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                line.n_running -= 1  # the turn came as its owner left
                self._next(line)
            raise
        finally:
            self._n_waiting -= 1
            with contextlib.suppress(KeyError, ValueError):
                line.waiting[client].remove(mine)
                if not line.waiting[client]:
                    del line.waiting[client]

    def _pass_on(self, model_id: str, line: _Line) -> None:
        line.n_running -= 1
        self._next(line)
        if not line.n_running and not line.waiting:
            self._lines.pop(model_id, None)

    def _next(self, line: _Line) -> None:
        while line.waiting and line.n_running < line.n_places:
            client, futures = next(iter(line.waiting.items()))
            future = futures.popleft()
            # To the end of the round; gone from it when nothing of this client waits.
            del line.waiting[client]
            if futures:
                line.waiting[client] = futures
            if not future.done():
                line.n_running += 1
                future.set_result(None)
