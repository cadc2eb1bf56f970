from __future__ import annotations

import logging

import pytest

from model_manager.engine.native_log import NativeLog

DEBUG, INFO, WARN, ERROR, CONTINUED = 1, 2, 3, 4, 5


def test_errors_are_kept_as_last_words_and_stay_below_warning(caplog: pytest.LogCaptureFixture) -> None:
    native_log = NativeLog()
    with caplog.at_level(logging.DEBUG, "model_manager"):
        native_log.write(INFO, "loading\n")
        native_log.write(ERROR, "first problem\nsecond ")
        native_log.write(CONTINUED, "problem\n")
    assert native_log.last_words() == "first problem; second problem"
    assert [record.levelno for record in caplog.records] == [logging.DEBUG, logging.INFO, logging.INFO]


def test_forget_drops_the_last_words() -> None:
    native_log = NativeLog()
    native_log.write(ERROR, "old\n")
    native_log.forget()
    assert native_log.last_words() == ""


def test_only_the_latest_errors_are_kept() -> None:
    native_log = NativeLog(n_kept=2)
    for i in range(5):
        native_log.write(ERROR, f"e{i}\n")
    assert native_log.last_words() == "e3; e4"


def test_gathering_collects_every_line_whatever_is_logged() -> None:
    native_log = NativeLog()
    with native_log.gathering() as lines:
        native_log.write(DEBUG, "layer 0\n")
        native_log.write(INFO, "size = ")
        native_log.write(CONTINUED, "5\n")
    native_log.write(INFO, "later\n")
    assert lines == ["layer 0", "size = 5"]
