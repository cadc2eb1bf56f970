"""Which model is loaded: one at a time, loaded once, given up on request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.answering import Ask
from app.engines import LoadCancelled
from app.services import Services
from model_manager import starter
from model_manager.engine.client import Cancel
from model_manager.types import EngineState
from tests.helpers.asking import Heard, hear, open_services


@pytest.fixture
def services(tmp_path: Path, runtime_dir: Path) -> Iterator[Services]:
    with open_services(tmp_path / "data", runtime_dir) as opened:
        yield opened


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


def test_another_model_waits_for_the_answer(services: Services) -> None:
    dense = services.library.get(starter.STARTER_DENSE)
    thinking = services.library.get(starter.STARTER_THINKING)
    order: list[str] = []
    is_waiting = threading.Event()

    def want_another() -> None:
        is_waiting.set()
        with services.engines.use(thinking) as engine:
            order.append(engine.entry.name)

    with services.engines.use(dense):
        pid = services.engines.worker_pid
        waiter = threading.Thread(target=want_another)
        waiter.start()
        is_waiting.wait()
        sampling = {"temperature": 0.0, "max_tokens": 20}
        heard = hear(services, Ask("Hello", model=starter.STARTER_DENSE, sampling=sampling))
        assert heard.answered.error is None
        assert services.engines.worker_pid == pid
        order.append(dense.name)
    waiter.join()
    assert order == [starter.STARTER_DENSE, starter.STARTER_THINKING]
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_waiting_for_a_model_can_be_given_up(services: Services) -> None:
    dense = services.library.get(starter.STARTER_DENSE)
    thinking = services.library.get(starter.STARTER_THINKING)
    cancel = Cancel()
    raised: list[BaseException] = []

    def want_another() -> None:
        try:
            with services.engines.use(thinking, cancel):
                raise AssertionError("it was loaded")
        except BaseException as error:  # noqa: BLE001 : handed to the test's thread
            raised.append(error)

    with services.engines.use(dense):
        waiter = threading.Thread(target=want_another)
        waiter.start()
        cancel.set()
        waiter.join()
        assert services.engines.state.name == starter.STARTER_DENSE
    assert isinstance(raised[0], LoadCancelled)
