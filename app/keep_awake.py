"""The machine does not go to sleep while something runs that a person waits for."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

log = logging.getLogger(__name__)

# It tells every method that it tried and why, at INFO; one line of ours is enough.
logging.getLogger("wakepy").setLevel(logging.WARNING)


@contextlib.contextmanager
def keep_awake() -> Iterator[None]:
    """While inside, the system does not suspend; the screen may still go dark.

    Where no desktop service takes such a wish (a server, a container), nothing happens but a line in the log.
    """
    from wakepy import keep  # 0.1 s, which the start of the window need not wait for

    mode = keep.running(on_fail=lambda _result: log.info("cannot keep the machine awake here"))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(mode)
        except Exception as error:  # noqa: BLE001 : whatever a desktop's service does, the answer matters more
            log.info("cannot keep the machine awake: %s", error)
        yield
