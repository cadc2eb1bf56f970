"""Forecasts of memory from a header alone, ours and those of moe-fit and hf-mem, against the real allocation.

Random models of nine architectures and the starters, with 8192 tokens of context in 16 bits: all are asked
the same. Memory is measured as in `benchmarks.memory`: the worker's peak during a chat, without what it held
before it loaded. The figure is how far we are off, the target how far the peer is.

    python -m benchmarks.forecast [--quick] [--json]
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks import python_peers, table
from benchmarks.memory import taken_bytes
from benchmarks.models import subjects
from benchmarks.table import Effort, Row
from model_manager.fit import fit
from model_manager.fit_types import PROCESS_BYTES, Machine
from model_manager.kv_cache import ContextSize
from model_manager.shards import read_model
from model_manager.types import LoadPlan
from tests.helpers import ggufs

MIB: Final = 2**20
_N_CTX_TOKENS: Final = 8192
_N_LAYERS: Final = 16
_N_EXPERTS: Final = 48

# Runs in the peers' own environment. Each is asked through its own functions, as its command line asks them;
# hf-mem's takes files of a hub only, so the header's bytes are handed over.
_ASK: Final = """
import json, sys
path, n_ctx_tokens = sys.argv[1], int(sys.argv[2])
told = {}
try:
    from moefit import gguf, plan
    model = gguf.read(path)
    told["moe-fit"] = model.total_bytes + plan.kv_cache_bytes(model, n_ctx_tokens, 16)
except Exception as error:
    told["moe-fit"] = f"{type(error).__name__}: {error}"
try:
    from hf_mem.gguf.metadata import parse_gguf_metadata
    with open(path, "rb") as file:
        head = file.read(100_000_000)
    found = parse_gguf_metadata(head, experimental=True, max_model_len=n_ctx_tokens, kv_cache_dtype="F16")
    told["hf-mem"] = found.bytes_count + found.kv_cache.cache_size
except Exception as error:
    told["hf-mem"] = f"{type(error).__name__}: {error}"
print(json.dumps(told))
"""


def rows(effort: Effort) -> Iterator[Row]:
    """Two rows a model, one for each peer."""
    python = python_peers.interpreter("fit_peers")
    with tempfile.TemporaryDirectory(prefix="coterie-") as folder:
        recipes = [*((recipe, _N_EXPERTS, _N_LAYERS) for recipe in ggufs.MIXTURES), (ggufs.QWEN3, 0, 48)]
        for recipe, n_experts, n_layers in recipes[:: len(recipes) - 1 if effort.is_quick else 1]:
            path = ggufs.write_model(
                Path(folder) / f"{recipe.architecture}.gguf",
                recipe,
                n_experts=n_experts,
                n_layers=n_layers,
                n_ctx_tokens=_N_CTX_TOKENS,
            )
            yield from _rows(f"{recipe.architecture}, random", path, Path(folder), python)
            path.unlink()
        for subject in subjects()[: 1 if effort.is_quick else None]:
            yield from _rows(f"starter, {subject.name}", subject.path, Path(folder), python)


def _rows(name: str, path: Path, folder: Path, python: str) -> Iterator[Row]:
    plan = LoadPlan(path, n_ctx_tokens=_N_CTX_TOKENS)
    context = ContextSize(_N_CTX_TOKENS, plan.n_parallel, plan.n_batch_tokens)
    ours = fit(read_model(path), Machine(1 << 50), context).memory.total_bytes - PROCESS_BYTES
    taken = taken_bytes(plan, folder)
    done = subprocess.run(
        [python, "-c", _ASK, str(path), str(_N_CTX_TOKENS)], stdout=subprocess.PIPE, text=True, check=True
    )
    for peer, told in json.loads(done.stdout).items():
        is_answer = isinstance(told, int)
        yield Row(
            what=f"forecast by the header off by, and {peer}'s",
            model=name,
            ours=f"{ours / MIB:.0f} of {taken / MIB:.0f} MiB",
            peer=f"{peer} {told / MIB:.0f} MiB" if is_answer else f"{peer}: none",
            figure=abs(ours - taken) / MIB,
            target=round(abs(told - taken) / MIB, 1) if is_answer else None,
            sense="at most",
            unit="MiB",
            spread=((ours - taken) / MIB,),
            note="" if is_answer else f"{peer} gives no answer ({str(told)[:90]})",
        )


if __name__ == "__main__":
    table.main(rows, __doc__)
