"""The long campaign against the database: `make torture`, whose counts stand in `docs/reliability.md`.

python -m tests.helpers.torture [--cuts N] [--flips N] [--seed N] [--write PAGE]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from storage.database import SQLITE_VERSION
from tests.helpers import damage, power_cuts

_BEGIN: Final = "<!-- counts: begin -->"
_END: Final = "<!-- counts: end -->"


def campaign(folder: Path, n_cuts: int, n_flips: int, seed: int) -> list[tuple[str, int, str]]:
    """All of it; each row says what was done, how often, and what came of it.

    Raises:
        AssertionError: A promise was broken; the message says which.
    """
    rows = []
    words = {
        "killed": "killed before a write call",
        "torn": "killed in the middle of a write",
        "power": "power lost: any 512 bytes since the last fsync of a file there or not",
    }
    (folder / "cuts").mkdir()
    counts = power_cuts.run(folder / "cuts", n_cuts, seed)
    for mode, what in words.items():
        rows.append((what, counts[mode], "nothing acknowledged lost, integrity and `verify` good"))
    rows.append(("messages acknowledged in these", counts["messages"], "all there"))
    (folder / "damage").mkdir()
    n_logs = damage.cut_logs(folder / "damage", 40)
    rows.append(("log cut at every 4 KiB", n_logs, "every commit before the cut there, and no other"))
    for what, outcomes in (
        ("file cut at every 4 KiB", damage.cut_files(folder / "damage")),
        ("bit, byte, sector or page changed", damage.flips(folder / "damage", n_flips, seed)),
    ):
        told = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items()) if n)
        rows.append((what, sum(outcomes.values()), told))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=3000)
    parser.add_argument("--flips", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--write", type=Path, help="put the table into this page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coterie-torture-") as folder:
        rows = campaign(Path(folder), arguments.cuts, arguments.flips, arguments.seed)
    lines = ["| what was done | times | what came of it |", "|---|---|---|"]
    lines += [f"| {what} | {n} | {outcome} |" for what, n, outcome in rows]
    day = datetime.now(UTC).date().isoformat()
    lines += ["", f"Taken {day} with SQLite {SQLITE_VERSION}, seed {arguments.seed}."]
    table = "\n".join(lines)
    if arguments.write:
        page = arguments.write.read_text("utf-8")
        head, rest = page.split(_BEGIN)
        tail = rest.split(_END)[1]
        arguments.write.write_text(f"{head}{_BEGIN}\n\n{table}\n\n{_END}{tail}", "utf-8")
    sys.stdout.write(table + "\n")


if __name__ == "__main__":
    main()
