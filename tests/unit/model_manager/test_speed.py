from __future__ import annotations

import pytest

from model_manager import speed
from model_manager.speed import Observation, Pace, TokenReads


def test_a_model_of_half_the_bytes_is_twice_as_fast() -> None:
    observations = [
        Observation(2_000, 500, 10.0, 40.0),
        Observation(2_000, 500, 12.0, None),
        Observation(1_000, 250, 22.0, 84.0),
    ]
    pace = speed.pace_from(observations)
    assert pace is not None
    assert pace.bytes_per_s == 22_000  # the median
    forecast = speed.forecast(TokenReads(1_000), 250, pace)
    assert forecast.basis == "measured"
    assert forecast.decode_tokens_per_s == pytest.approx(22.0)
    assert forecast.prefill_tokens_per_s == pytest.approx((40_000 + 42_000) / 2 / 500)


def test_without_answers_the_memory_is_measured() -> None:
    assert speed.pace_from([]) is None
    pace = speed.measure_memory()
    assert pace.basis == "memory"
    assert pace.bytes_per_s > 1e8


UNKNOWN = speed.SpeedForecast(None, None, "none")
RAM = Pace(10_000, 1e6, "measured")


def test_nothing_is_divided_by_nothing() -> None:
    assert speed.forecast(TokenReads(0), 0, RAM) == UNKNOWN


def test_what_pages_waits_for_the_disk() -> None:
    reads = TokenReads(500, disk_bytes=500)
    found = speed.forecast(reads, 10, RAM, disk_bytes_per_s=1_000)
    assert found.decode_tokens_per_s == pytest.approx(1 / (500 / 10_000 + 500 / 1_000))
    assert (found.basis, found.prefill_tokens_per_s) == ("disk", None)
    assert speed.forecast(reads, 10, RAM) == UNKNOWN


def test_each_part_is_read_where_it_lies() -> None:
    reads, card = TokenReads(500, 2_000), Pace(100_000, 1e8, "measured")
    found = speed.forecast(reads, 10, RAM, card)
    assert found.decode_tokens_per_s == pytest.approx(1 / (500 / 10_000 + 2_000 / 100_000))
    assert (found.basis, found.prefill_tokens_per_s) == ("measured", None), "a prompt is read by both"
    assert speed.forecast(reads, 10, RAM, speed.ordinary_card()).basis == "card"
    assert speed.forecast(reads, 10, Pace(1, 1, "memory"), card).basis == "memory"
    on_card = speed.forecast(TokenReads(0, 2_000), 10, RAM, card)
    assert (on_card.decode_tokens_per_s, on_card.prefill_tokens_per_s) == (pytest.approx(50), 5e6)
    assert speed.forecast(reads, 10, RAM) == UNKNOWN
