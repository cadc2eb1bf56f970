"""Where the forecast puts the layers of known models, against where llama.cpp does on a second device."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_manager.engine.probe import Prober
from model_manager.fit import fit
from model_manager.fit_types import PROCESS_BYTES, Machine
from model_manager.kv_cache import ContextSize
from model_manager.shards import read_model
from model_manager.types import LoadPlan
from tests.helpers.real_shapes import gemma4_26b, glm_air
from tests.helpers.rpc import RpcServer, rpc_server

COMMAND = (sys.executable, "-m", "model_manager.engine.probe")
CONTEXT = ContextSize(8192)
GIB = 2**30


@pytest.fixture(scope="module")
def server() -> Iterator[RpcServer]:
    with rpc_server() as running:
        yield running


@pytest.mark.parametrize(
    ("write", "vram_gib", "reason"),
    [
        (glm_air, 12, "experts_in_ram"),
        (glm_air, 4, "layers_split"),
        (gemma4_26b, 12, "experts_in_ram"),
        (gemma4_26b, 24, "all_on_device"),
    ],
)
def test_layers_lie_where_the_forecast_has_them(
    tmp_path: Path, server: RpcServer, write: Callable[[Path], Path], vram_gib: int, reason: str
) -> None:
    path = write(tmp_path / "m.gguf")
    found = fit(read_model(path), Machine(1 << 40, vram_gib * GIB), CONTEXT)
    assert found.plan.reason == reason
    plan = LoadPlan(
        path,
        n_ctx_tokens=CONTEXT.n_ctx_tokens,
        n_batch_tokens=CONTEXT.n_ubatch_tokens,
        n_gpu_layers=found.plan.n_gpu_layers,
        n_cpu_expert_layers=found.plan.n_cpu_expert_layers,
        load_mode="none",
        rpc_devices=(server.endpoint,),
    )
    told = {memory.device: memory for memory in Prober(COMMAND).forecast(plan).memory}
    device, ram = found.places.device, found.places.ram
    assert device.kv_bytes == pytest.approx(told[server.device].kv_bytes, abs=2**20)
    weights = told[server.device].weights_bytes
    counted = device.attention_bytes + device.experts_bytes + found.anatomy.output_bytes
    assert counted == pytest.approx(weights, rel=0.001)
    assert device.total_bytes <= vram_gib * GIB
    assert told[server.device].total_bytes <= vram_gib * GIB
    rest = ram.total_bytes - PROCESS_BYTES
    assert rest == pytest.approx(told["CPU"].weights_bytes + told["CPU"].kv_bytes, rel=0.01, abs=16 * 2**20)
