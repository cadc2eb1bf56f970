"""Which models are loaded: each once, as many as fit, the least recently used one out, in fair turns."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.engines import Engines, LoadCancelled
from app.orders import Ask
from app.services import Services, self_command
from app.vetting import Vetting
from model_manager import starter
from model_manager.engine.client import Cancel
from model_manager.engine.probe import Prober
from model_manager.http import Http
from model_manager.types import EngineState, ModelEntry
from tests.helpers.asking import Heard, hear, open_services, wait_until
from tests.integration.conftest import WORKER_COMMAND

ONE_AT_A_TIME = 1
"""A limit in bytes: whatever is loaded is alone."""


def _entry(name: str) -> ModelEntry:
    return next(entry for entry in starter.entries() if entry.name == name)


DENSE, MIXTURE, THINKING = map(_entry, (starter.STARTER_DENSE, starter.STARTER, starter.STARTER_THINKING))


@pytest.fixture
def services(tmp_path: Path, runtime_dir: Path) -> Iterator[Services]:
    with open_services(tmp_path / "data", runtime_dir) as opened:
        yield opened


@pytest.fixture
def narrow(runtime_dir: Path) -> Iterator[Engines]:
    """There is memory for one model."""
    engines = Engines(WORKER_COMMAND, runtime_dir, lambda: 512, lambda: ONE_AT_A_TIME)
    yield engines
    engines.close()


class Wish:
    """Somebody on a thread of its own who wants a model, keeps it until told, and notes when it got it."""

    def __init__(self, engines: Engines, entry: ModelEntry, order: list[str]) -> None:
        self.cancel = Cancel()
        self.error: BaseException | None = None
        self.may_leave = threading.Event()
        self._engines, self._entry, self._order = engines, entry, order
        self.thread = threading.Thread(target=self._want)
        n_before = len(engines._line)
        self.thread.start()
        wait_until(
            lambda: (
                len(engines._line) > n_before
                or bool(order)
                or engines._vetting_turn.locked()
                or not self.thread.is_alive()
            )
        )

    def _want(self) -> None:
        try:
            with self._engines.use(self._entry, self.cancel):
                self._order.append(self._entry.name)
                self.may_leave.wait()
        except BaseException as error:  # noqa: BLE001 : handed to the test's thread
            self.error = error

    def leave(self) -> None:
        self.may_leave.set()
        self.thread.join()


def test_unload_ends_the_process(services: Services) -> None:
    with services.engines.use(services.library.get(starter.STARTER_DENSE)):
        pid = services.engines.worker_pid
    assert pid is not None
    assert psutil.pid_exists(pid)
    services.engines.unload("another")
    assert services.engines.worker_pid == pid
    services.engines.unload(starter.STARTER_DENSE)
    assert services.engines.worker_pid is None
    assert not psutil.pid_exists(pid)


def test_two_that_ask_at_once_load_once(services: Services) -> None:
    states: list[EngineState] = []
    services.engines.subscribe(states.append)
    heard: list[Heard] = []

    def ask(text: str) -> None:
        sampling = {"temperature": 0.0, "max_tokens": 8}
        heard.append(hear(services, Ask(text, model=starter.STARTER_DENSE, sampling=sampling)))

    threads = [threading.Thread(target=ask, args=[text]) for text in ("Hello", "Good morning")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.answered.error for each in heard] == [None, None]
    assert all(each.text for each in heard)
    assert [state.status for state in states].count("ready") == 1


def test_models_that_fit_are_loaded_beside_each_other(services: Services) -> None:
    """An answer of one goes on while the other is loaded and answers."""
    engines = services.engines
    with engines.use(DENSE) as first:
        dense_pid = engines.worker_pid
        with engines.use(THINKING) as second:
            assert engines.worker_pid != dense_pid
            assert [state.name for state in engines.states()] == [DENSE.name, THINKING.name]
            sampling = {"temperature": 0.0, "max_tokens": 8}
            assert hear(services, Ask("Hello", model=DENSE.name, sampling=sampling)).answered.error is None
            assert first.client.info().name == DENSE.name
            assert second.client.info().name == THINKING.name
    state = engines.state_of(DENSE.name)
    assert state is not None
    assert state.status == "ready"
    assert engines.state_of(MIXTURE.name) is None


def test_the_least_recently_used_one_makes_room(runtime_dir: Path) -> None:
    limit_bytes = 0
    engines = Engines(WORKER_COMMAND, runtime_dir, lambda: 512, lambda: limit_bytes)
    try:
        for entry in (DENSE, THINKING, DENSE):
            with engines.use(entry):
                pid = engines.worker_pid
        limit_bytes = sum(slot.need_bytes for slot in engines._slots)
        with engines.use(MIXTURE):
            assert [state.name for state in engines.states()] == [DENSE.name, MIXTURE.name]
        with engines.use(DENSE):
            assert engines.worker_pid == pid
    finally:
        engines.close()


def test_one_without_room_waits_for_the_users_of_the_other(narrow: Engines) -> None:
    order: list[str] = []
    with narrow.use(DENSE):
        pid = narrow.worker_pid
        wish = Wish(narrow, THINKING, order)
        assert narrow.worker_pid == pid
        assert not order
        order.append(DENSE.name)
    wish.leave()
    assert order == [DENSE.name, THINKING.name]
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_a_busy_model_does_not_keep_others_out(narrow: Engines) -> None:
    """Whoever wants what is loaded queues up behind the one who waits for room."""
    order: list[str] = []
    with ExitStack() as wishes, narrow.use(DENSE):
        for entry in (THINKING, DENSE, THINKING):
            wish = Wish(narrow, entry, order)
            wishes.callback(wish.leave)
            wish.may_leave.set()
        assert not order
    assert order == [THINKING.name, DENSE.name, THINKING.name]


def test_waiting_for_a_model_can_be_given_up(narrow: Engines) -> None:
    order: list[str] = []
    with narrow.use(DENSE):
        wish = Wish(narrow, THINKING, order)
        behind = Wish(narrow, DENSE, order)
        wish.cancel.set()
        wish.leave()
        # The place of the one who left is taken by the next, for whom there is room.
        behind.leave()
        assert narrow.state.name == DENSE.name
    assert isinstance(wish.error, LoadCancelled)
    assert order == [DENSE.name]


def test_model_that_nobody_uses_leaves_memory_and_comes_back(runtime_dir: Path) -> None:
    limit_s = 1000.0
    engines = Engines(WORKER_COMMAND, runtime_dir, lambda: 512, unload_after_s=lambda: limit_s)
    try:
        with engines.use(DENSE):
            limit_s = 0.05
        wait_until(lambda: not engines.states())
        assert engines.state.status == "stopped"
        with engines.use(DENSE) as engine:
            assert engine.info.name == DENSE.name
    finally:
        engines.close()


class NotedVetting(Vetting):
    """Notes how many look at once, and how many processes were asked."""

    def __init__(self, prober: Prober, http: Http) -> None:
        super().__init__(prober, http)
        self.n_looking = 0
        self.most_looking = 0

    def before_load(self, *arguments: Any, **named: Any) -> int:
        self.n_looking += 1
        self.most_looking = max(self.most_looking, self.n_looking)
        try:
            return super().before_load(*arguments, **named)
        finally:
            self.n_looking -= 1


def test_of_many_that_want_a_cold_model_one_looks(runtime_dir: Path) -> None:
    with contextlib.closing(Http()) as http:
        vetting = NotedVetting(Prober((*self_command(), "probe")), http)
        engines = Engines(WORKER_COMMAND, runtime_dir, lambda: 512, vetting=vetting)
        # As a file of somebody's: the starter itself is trusted.
        entry = replace(DENSE, name="a-file", is_starter=False)
        order: list[str] = []
        try:
            wishes = [Wish(engines, entry, order) for _ in range(4)]
            for wish in wishes:
                wish.leave()
        finally:
            engines.close()
    assert [wish.error for wish in wishes] == [None] * 4
    assert order == ["a-file"] * 4
    assert vetting.most_looking == 1
