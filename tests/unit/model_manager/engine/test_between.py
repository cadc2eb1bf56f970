from __future__ import annotations

import threading

import pytest

from model_manager.engine.between import Between
from model_manager.errors import RequestRefused


def test_an_action_is_done_on_the_other_thread_and_its_outcome_comes_back() -> None:
    woken = threading.Event()
    between = Between(woken.set)
    names: list[str] = []

    def decode() -> None:
        assert woken.wait(5)
        assert between.is_wanted
        between.do()

    thread = threading.Thread(target=decode, name="decode")
    thread.start()

    def action() -> int:
        names.append(threading.current_thread().name)
        return 7

    assert between.run(action) == 7
    thread.join()
    assert names == ["decode"]
    assert not between.is_wanted


def test_what_an_action_raises_belongs_to_who_asked() -> None:
    between = Between(lambda: between.do())

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        between.run(fail)


def test_after_the_end_nothing_is_done() -> None:
    between = Between(lambda: between.close())
    with pytest.raises(RequestRefused):
        between.run(lambda: None)
    with pytest.raises(RequestRefused):
        between.run(lambda: None)
