from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ui import formats, i18n

NOW = datetime(2026, 11, 24, 15, 0)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (98_000_000, "98.0 MB"),
        (999_600_000, "1.00 GB"),
        (4_370_000_000, "4.37 GB"),
        (23_000_000_000, "23.0 GB"),
        (512_000_000, "512 MB"),
        (3_200_000_000_000_000, "3,200 TB"),
    ],
)
def test_size(size_bytes: int, text: str) -> None:
    assert formats.size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (12.4, "12 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (100_800, "1 d 4 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("age", "group"),
    [
        (timedelta(hours=-1), "Today"),
        (timedelta(hours=14), "Today"),
        (timedelta(hours=16), "Yesterday"),
        (timedelta(days=2), "Last 7 days"),
        (timedelta(days=7), "Last 7 days"),
        (timedelta(days=8), "Last 30 days"),
        (timedelta(days=60), "September 2026"),
    ],
)
def test_day_group(age: timedelta, group: str) -> None:
    assert formats.day_group(NOW - age, NOW) == group


def test_moment_is_as_short_as_it_can_be() -> None:
    assert formats.moment(NOW - timedelta(minutes=5), NOW) == "14:55"
    assert formats.moment(NOW - timedelta(days=1), NOW) == "Mon"
    assert formats.moment(NOW - timedelta(days=40), NOW) == "15 Oct"
    assert formats.moment(NOW - timedelta(days=400), NOW) == "20 Oct 2025"


def test_times_with_a_zone_are_shown_in_local_time() -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert formats.moment(noon, noon) == f"{noon.astimezone():%H:%M}"


def test_chinese_dates() -> None:
    i18n.set_language("zh_CN")
    assert formats.day_group(NOW - timedelta(days=60), NOW) == "2026年9月"
    assert formats.moment(NOW - timedelta(days=40), NOW) == "10月15日"


def test_rate_and_number() -> None:
    assert formats.rate(38_400_000.4) == "38.4 MB/s"
    assert formats.number(8192) == "8,192"
