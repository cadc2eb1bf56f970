"""The memory that a worker takes at its peak against what was forecast for it before it was loaded.

Random models of nine architectures, large enough for their parts to show, and a chat that fills their
context. What the process held before it loaded anything is taken off; what the system says of the peak is
resident memory, so pages of the model's file are in it.

    python -m benchmarks.memory [--quick] [--json]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gguf import GGMLQuantizationType

from benchmarks import table
from benchmarks.table import Effort, Row
from model_manager.engine.probe import Prober
from model_manager.engine.supervisor import Supervisor
from model_manager.types import ChatMessage, ChatRequest, LoadPlan, SamplingParams
from tests.helpers import ggufs
from tests.helpers.memory import peak_bytes

MIB = 2**20
_SHARE = 0.01
_ALLOWANCE_BYTES = 16 * MIB
_N_CTX_TOKENS = 8192
_N_LAYERS = 16
_N_EXPERTS = 48
_PROMPT = "the keeper of the lighthouse wrote down the weather of every day. " * 115


def rows(effort: Effort) -> Iterator[Row]:
    """A row an architecture, the dense one last, and one whose weights are copied out of their file."""
    subjects = [(recipe, _N_EXPERTS, _N_LAYERS) for recipe in ggufs.MIXTURES]
    subjects.append((ggufs.QWEN3, 0, 3 * _N_LAYERS))
    with tempfile.TemporaryDirectory(prefix="coterie-") as folder:
        for recipe, n_experts, n_layers in subjects[:: len(subjects) - 1 if effort.is_quick else 1]:
            path = ggufs.write_model(
                Path(folder) / f"{recipe.architecture}.gguf",
                recipe,
                n_experts=n_experts,
                n_layers=n_layers,
                n_ctx_tokens=_N_CTX_TOKENS,
            )
            yield _row(recipe.architecture, LoadPlan(path, n_ctx_tokens=_N_CTX_TOKENS), Path(folder))
            path.unlink()
        path = ggufs.write_model(
            Path(folder) / "rearranged.gguf",
            n_experts=4 * _N_EXPERTS,
            n_layers=_N_LAYERS,
            n_ctx_tokens=_N_CTX_TOKENS,
            quantization=GGMLQuantizationType.Q4_0,
        )
        yield _row("llama, Q4_0 rearranged", LoadPlan(path, n_ctx_tokens=_N_CTX_TOKENS), Path(folder))


def _row(name: str, plan: LoadPlan, folder: Path) -> Row:
    forecast = Prober((sys.executable, "-m", "model_manager.engine.probe")).forecast(plan)
    expected = next(memory.peak_bytes for memory in forecast.memory if memory.device == "CPU")
    taken = taken_bytes(plan, folder)
    allowed = _SHARE * expected + _ALLOWANCE_BYTES
    return Row(
        what="peak memory off the forecast by",
        model=f"{name}, random",
        ours=f"{taken / MIB:.0f} MiB",
        peer=f"forecast {expected / MIB:.0f} MiB",
        figure=abs(taken - expected) / MIB,
        target=round(allowed / MIB, 1),
        sense="at most",
        unit="MiB",
        spread=((taken - expected) / MIB,),
    )


def taken_bytes(plan: LoadPlan, folder: Path) -> int:
    """What a worker takes at its peak for a model and a chat, beyond what it held before it loaded anything.

    Args:
        plan: How it is loaded.
        folder: For the worker's socket.
    """
    supervisor = Supervisor((sys.executable, "-m", "model_manager.engine.worker"), folder, lambda _: None)
    supervisor.start(plan)
    try:
        info = supervisor.wait_ready(300)
        assert info.placement is not None
        assert supervisor.pid is not None
        sampling = SamplingParams(temperature=0.0, max_tokens=32)
        for _ in supervisor.client.chat(ChatRequest((ChatMessage("user", _PROMPT),), sampling)):
            pass
        return peak_bytes(supervisor.pid) - info.placement.own_bytes
    finally:
        supervisor.stop()


if __name__ == "__main__":
    table.main(rows, __doc__)
