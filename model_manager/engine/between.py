"""Things to be done on the decode thread while no answer runs: changes that would spoil one in the middle."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from model_manager.errors import RequestRefused

T = TypeVar("T")


class Between:
    """Actions that wait until the running answers have ended; answers that come later wait for them."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Nothing is to be done yet.

        Args:
            wake: Tells the decode thread that there is.
        """
        self._wake = wake
        self._lock = threading.Lock()
        self._actions: deque[tuple[Callable[[], object], Future[object]]] = deque()
        self._is_closed = False

    @property
    def is_wanted(self) -> bool:
        """Whether something is to be done."""
        return bool(self._actions)

    def run(self, action: Callable[[], T]) -> T:
        """Have something done, from any other thread; blocks until it is, and raises what it raises.

        Raises:
            RequestRefused: The engine is ending.
        """
        future: Future[object] = Future()
        with self._lock:
            if self._is_closed:
                raise RequestRefused(503, "the model is being unloaded")
            self._actions.append((action, future))
        self._wake()
        return future.result()  # type: ignore[return-value]  # what the action returned

    def do(self) -> None:
        """Do all of it; called by the decode thread."""
        while self._actions:
            action, future = self._actions.popleft()
            try:
                future.set_result(action())
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
                future.set_exception(error)

    def close(self) -> None:
        """Refuse what is still to be done; called by the decode thread at its end."""
        with self._lock:
            self._is_closed = True
            left, self._actions = self._actions, deque()
        for _action, future in left:
            future.set_exception(RequestRefused(503, "the model is being unloaded"))
