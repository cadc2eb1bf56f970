"""The one thread that owns the database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from storage.store import Store

T = TypeVar("T")


class StorageThread:
    """Runs functions on the store, one after the other, in the order in which they came.

    All methods may be called from any thread. A function that is given must not keep the store.
    """

    def __init__(self, path: Path) -> None:
        """Start the thread and open the database in it.

        Raises:
            DatabaseUnusable: What opening raised; then no thread is left behind.
        """
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="storage")
        try:
            self._ident: int | None = self._executor.submit(threading.get_ident).result()
            self._store = self._executor.submit(Store, path).result()
        except BaseException:
            self._executor.shutdown()
            raise

    def call(self, fn: Callable[[Store], T]) -> T:
        """What `fn` returns, or what it raises; waits for everything that was submitted before.

        Raises:
            RuntimeError: The thread is closed.
        """
        if threading.get_ident() == self._ident:
            return fn(self._store)  # waiting for itself would wait for ever
        return self.submit(fn).result()

    def submit(self, fn: Callable[[Store], T]) -> Future[T]:
        """Run `fn` later.

        Raises:
            RuntimeError: The thread is closed.
        """
        return self._executor.submit(fn, self._store)

    def close(self) -> None:
        """Finish what was submitted, close the database, end the thread. Calling it again does nothing."""
        try:
            closed = self._executor.submit(self._store.close)
        except RuntimeError:
            return
        self._executor.shutdown()
        self._ident = None  # the system may give this number to another thread now
        closed.result()
