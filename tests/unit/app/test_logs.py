from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app import logs
from app.paths import Paths


def test_a_log_that_cannot_be_written_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    handlers = logs.start(Paths(tmp_path))
    try:
        (file,) = handlers
        assert isinstance(file, logging.FileHandler)
        file.stream.close()  # as good as a full disk
        logging.getLogger("app.test").info("what nobody reads")
    finally:
        file.stream = None  # type: ignore[assignment]  # it is closed
        logs.stop(handlers)
    assert capfd.readouterr() == ("", "")
