"""The benchmark table: what passes, how it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.pairs import contest
from benchmarks.table import Row, markdown, plain

FAST = Row("decode", "dense", "9.0 tok/s", "peer 10.0 tok/s", 0.9, 0.95)
SOON = Row("cancel", "", "", "", 150.0, 200.0, sense="at most", unit="ms", note="the slowest of 9")
TOLD = Row("decode", "", "", "", 2.0, None)


def test_verdicts() -> None:
    assert [row.passes for row in (FAST, SOON, TOLD)] == [False, True, None]


def test_markdown_has_units_verdicts_and_notes() -> None:
    lines = markdown([FAST, SOON]).splitlines()
    assert lines[2] == "| decode | dense | 9.0 tok/s | peer 10.0 tok/s | 0.9 | at least 0.95 | **miss** |"
    assert lines[3] == "| cancel |  |  |  | 150 ms | at most 200 ms | pass |"
    assert lines[-1] == "- cancel: the slowest of 9"
    assert "at most 200 ms" in plain([SOON])


def test_contenders_take_turns_and_are_compared_in_pairs() -> None:
    order: list[str] = []

    def measure(name: str, rates: list[float]) -> float:
        order.append(name)
        return rates.pop(0)

    ours, theirs = [10.0, 20.0, 30.0], [5.0, 20.0, 20.0]
    result = contest(
        {"ours": lambda: measure("a", ours), "theirs": lambda: measure("b", theirs)}, 3, warm_up=False
    )
    assert order == ["a", "b", "b", "a", "a", "b"]
    row = result.row("decode", "dense", "ours", "theirs", 1.0)
    assert row.spread == (2.0, 1.0, 1.5)
    assert row.figure == 1.5
    assert row.ours == "20.0 tok/s"


def test_only_the_table_of_a_page_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    page.write(path, [FAST])
    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{page.END}\nafter\n")
    assert "old" not in text
    assert "| decode | dense |" in text


def test_a_page_without_a_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("nothing here")
    with pytest.raises(ValueError, match="no place"):
        page.write(path, [FAST])
    assert path.read_text() == "nothing here"
