"""Services on a data folder of their own, and what an answer yields, for the tests of this folder."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.answering import Answered, AnswerEvent, Started
from app.orders import Order
from app.paths import Paths
from app.services import Services
from model_manager.engine.client import Cancel
from model_manager.types import ReasoningDelta, TextDelta
from storage.records import Message

DEADLINE_S = 30


@contextlib.contextmanager
def open_services(folder: Path, runtime_dir: Path) -> Iterator[Services]:
    """The services of a data folder, closed at the end."""
    paths = Paths(folder)
    paths.make_data_dir()
    services = Services(paths, runtime_dir)
    try:
        yield services
    finally:
        services.close()


@dataclass
class Heard:
    """What one answer yielded."""

    events: list[AnswerEvent] = field(default_factory=list)

    @property
    def started(self) -> Started:
        assert isinstance(self.events[0], Started)
        return self.events[0]

    @property
    def answered(self) -> Answered:
        assert isinstance(self.events[-1], Answered)
        return self.events[-1]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def reasoning(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, ReasoningDelta))


def hear(
    services: Services, order: Order, cancel: Cancel | None = None, after: Callable[[str], None] | None = None
) -> Heard:
    """The whole answer; `after` is called with the text so far after each piece of it."""
    heard = Heard()
    for event in services.answering.answer(order, cancel or Cancel()):
        heard.events.append(event)
        if after is not None and isinstance(event, TextDelta):
            after(heard.text)
    return heard


def stored(services: Services, message_id: int) -> Message:
    """The message as the database has it now."""
    return services.storage.call(lambda store: store.conversations.message(message_id))


def wait_until(condition: Callable[[], bool]) -> None:
    """For states that no signal announces."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
