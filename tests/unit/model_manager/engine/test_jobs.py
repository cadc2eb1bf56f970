from __future__ import annotations

from concurrent.futures import Future

import numpy as np

from model_manager.engine.jobs import Job
from model_manager.engine.state_file import Snapshot
from model_manager.types import SamplingParams
from tests.helpers.answers import Recorder


def test_job_that_was_cancelled_while_its_file_is_read_does_not_wait_for_it() -> None:
    job = Job([1, 2, 3], SamplingParams(), Recorder(), lambda: None)
    job.stored = Future()
    assert job.is_being_read
    job.cancel()
    assert not job.is_being_read
    assert job.take_stored() is None


def test_what_was_read_is_taken_once() -> None:
    job = Job([1, 2, 3], SamplingParams(), Recorder(), lambda: None)
    snapshot = Snapshot(np.zeros(2, np.int32), np.zeros(1, np.uint8))
    job.stored = Future()
    job.stored.set_result(snapshot)
    assert not job.is_being_read
    assert job.take_stored() is snapshot
    assert job.take_stored() is None
