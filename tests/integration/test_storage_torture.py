"""Power cuts at random write calls, torn files, flipped pages: short here, long by `make torture`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import damage, power_cuts

SEED = 20261124


@pytest.mark.skipif(power_cuts.compiler() is None, reason="no compiler, or no LD_PRELOAD")
def test_power_cuts_lose_nothing_acknowledged(tmp_path: Path) -> None:
    counts = power_cuts.run(tmp_path, 60, SEED)
    assert all(counts[mode] > 5 for mode in power_cuts.MODES)
    assert counts["messages"] > 20


@pytest.mark.skipif(power_cuts.compiler() is None, reason="no compiler, or no LD_PRELOAD")
def test_switch_tells_where_nothing_is_synchronized(tmp_path: Path) -> None:
    """Otherwise the test above could not fail."""
    with pytest.raises(AssertionError):
        power_cuts.run(tmp_path, 200, SEED, careless=True)


def test_flipped_pages_never_change_a_text_unnoticed(tmp_path: Path) -> None:
    counts = damage.flips(tmp_path, 60, SEED)
    assert counts["refused"] + counts["told"] > 10


def test_file_cut_at_every_page_is_refused_or_told(tmp_path: Path) -> None:
    counts = damage.cut_files(tmp_path)
    assert counts["unnoticed"] == 0
    assert counts["refused"] + counts["told"] > 20


def test_log_cut_at_every_4_kib_keeps_every_whole_commit(tmp_path: Path) -> None:
    assert damage.cut_logs(tmp_path, 12) > 40
