"""Decode rate with one core taken by another process, against the idle machine.

Prints the median of paired runs and their ratio; design 7 asks for at least 0.5 where one of two cores is
busy.

    python -m benchmarks.busy_core [--pairs N] [--tokens N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

from model_manager.engine.threads import SPIN_ENVIRONMENT

_HOG = "while True: pass"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=384)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if any(os.environ.get(key) != value for key, value in SPIN_ENVIRONMENT.items()):
        # libgomp reads it when it is loaded, so this process is too late.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "benchmarks.busy_core", *sys.argv[1:]],
            {**os.environ, **SPIN_ENVIRONMENT},
        )
    _measure(arguments.pairs, arguments.tokens, as_json=arguments.json)


def _measure(n_pairs: int, n_tokens: int, *, as_json: bool) -> None:
    from benchmarks.engine_runs import Rate, open_starter

    with open_starter(n_ctx_tokens=1024) as engine:
        rate = Rate(engine)
        rate.measure(64)
        idle, busy = [], []
        for _ in range(n_pairs):
            idle.append(rate.measure(n_tokens))
            hog = subprocess.Popen([sys.executable, "-c", _HOG])
            try:
                busy.append(rate.measure(n_tokens))
            finally:
                hog.kill()
                hog.wait()
    ratios = [b / i for i, b in zip(idle, busy, strict=True)]
    result = {
        "idle_tokens_per_s": round(statistics.median(idle), 1),
        "busy_tokens_per_s": round(statistics.median(busy), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(r, 3) for r in ratios],
    }
    if as_json:
        print(json.dumps(result))
    else:
        print(
            f"idle {result['idle_tokens_per_s']} tok/s, one core busy {result['busy_tokens_per_s']} tok/s, "
            f"ratio {result['ratio']} of {result['ratios']}"
        )


if __name__ == "__main__":
    main()
