from __future__ import annotations

import pytest

from model_manager import speed
from model_manager.speed import Observation


def test_a_model_of_half_the_bytes_is_twice_as_fast() -> None:
    observations = [
        Observation(2_000, 500, 10.0, 40.0),
        Observation(2_000, 500, 12.0, None),
        Observation(1_000, 250, 22.0, 84.0),
    ]
    pace = speed.pace_from(observations)
    assert pace is not None
    assert pace.bytes_per_s == 22_000  # the median
    forecast = speed.forecast(pace, 1_000, 250, 0)
    assert forecast.basis == "measured"
    assert forecast.decode_tokens_per_s == pytest.approx(22.0)
    assert forecast.prefill_tokens_per_s == pytest.approx((40_000 + 42_000) / 2 / 500)
    assert speed.forecast(pace, 500, 250, 500) == forecast  # keys and values are read, too


def test_without_answers_the_memory_is_measured() -> None:
    assert speed.pace_from([]) is None
    pace = speed.measure_memory()
    assert pace.basis == "memory"
    assert pace.bytes_per_s > 1e8


def test_nothing_is_divided_by_nothing() -> None:
    pace = speed.Pace(1.0, None, "measured")
    assert speed.forecast(pace, 0, 0, 0) == speed.SpeedForecast(None, None, "measured")


def test_what_pages_waits_for_the_disk() -> None:
    pace = speed.Pace(10_000, 1e6, "measured")
    found = speed.forecast(pace, 1_000, 10, 0, paged_bytes=500, disk_bytes_per_s=1_000)
    assert found.decode_tokens_per_s == pytest.approx(1 / (500 / 10_000 + 500 / 1_000))
    assert (found.basis, found.prefill_tokens_per_s) == ("disk", None)
    unknown = speed.forecast(pace, 1_000, 10, 0, paged_bytes=500)
    assert (unknown.decode_tokens_per_s, unknown.basis) == (None, "none")
