"""Damaged files through llama.cpp in the throw-away process: it may go down, and nobody else.

`make fuzz` does the same with thousands of them.
"""

from __future__ import annotations

import itertools
import os
import resource
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model_manager.engine.probe import Prober
from model_manager.errors import EngineError
from model_manager.types import LoadPlan
from tests.helpers.mutants import for_llama_cpp, originals

N_MUTANTS = int(os.environ.get("COTERIE_MUTANTS", "24")) // 12 * 12
BATCH = 12
SEED = int(os.environ.get("COTERIE_SEED", "15"))
MAX_CALLER_BYTES = 48 << 20
"""Of which two times 16 MiB are room for what a probe may write at most."""
MAX_CHILD_BYTES = 2 << 30


def test_damaged_files_end_in_a_figure_or_a_typed_error(tmp_path: Path) -> None:
    prober = Prober((sys.executable, "-m", "model_manager.engine.probe"))
    mutants = for_llama_cpp(originals(tmp_path), SEED)

    def look(numbered: tuple[int, bytes]) -> str:
        number, content = numbered
        path = tmp_path / f"{number}.gguf"
        path.write_bytes(content)
        try:
            prober.forecast(LoadPlan(path, n_ctx_tokens=256))
        except EngineError as error:
            return getattr(error, "ending", type(error).__name__)
        finally:
            path.unlink()
        return "forecast"

    tracemalloc.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            outcomes = [
                outcome
                # Not all at once: two thousand of them are a gigabyte.
                for first in range(0, N_MUTANTS, BATCH)
                for outcome in pool.map(look, enumerate(itertools.islice(mutants, BATCH), first))
            ]
        _now, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    counts = {name: outcomes.count(name) for name in set(outcomes)}
    assert len(outcomes) == N_MUTANTS
    assert peak_bytes < MAX_CALLER_BYTES + N_MUTANTS * 1024, counts
    # The mutations must reach deep enough to be worth their name: some load, some are refused.
    assert counts.keys() >= {"forecast", "LoadFailed"}, counts
    # In KiB; an interpreter and llama.cpp take 100 MiB of it.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MAX_CHILD_BYTES, counts
