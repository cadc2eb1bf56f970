"""All benchmarks, one after the other, as one table.

    python -m benchmarks [NAME...] [--quick] [--write docs/benchmarks.md]

Each module is a process of its own. What it says on stderr is shown; a module that fails is told at the end
and makes the exit status 1, a missed target does not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import page
from benchmarks.table import Row, plain

MODULES = (
    "decode",
    "prefill",
    "streams",
    "reopen",
    "busy_core",
    "cancelling",
    "tracing",
    "memory",
    "forecast",
    "fit",
    "lookup",
    "download",
    "library",
    "window",
    "transcript",
    "database",
    "knowledge",
)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(MODULES)}; all without")
    parser.add_argument("--quick", action="store_true", help="one or two runs each, to see that it works")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    arguments = parser.parse_args()
    names = arguments.names or MODULES
    if unknown := set(names) - set(MODULES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    rows: list[Row] = []
    failed = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json"]
        done = subprocess.run([*command, *(["--quick"] * arguments.quick)], stdout=subprocess.PIPE, text=True)
        rows += [_row(line) for line in done.stdout.splitlines()]
        if done.returncode:
            failed.append(name)
        if arguments.write:  # each time: whoever stops it keeps what was measured
            page.write(arguments.write, rows)
    print(plain(rows), end="")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _row(line: str) -> Row:
    fields = json.loads(line)
    return Row(**{**fields, "spread": tuple(fields["spread"])})


if __name__ == "__main__":
    sys.exit(main())
