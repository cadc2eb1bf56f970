from __future__ import annotations

from pathlib import Path

import pytest

from model_manager.engine.launch import StartMessage
from model_manager.types import ALL_LAYERS, Adapter, LoadPlan

PLAN = LoadPlan(Path("/models/é.gguf"), n_ctx_tokens=4096, chat_template="a\nb", name="é", n_parallel=2)

PLACED = LoadPlan(
    Path("m.gguf"),
    n_ubatch_tokens=128,
    n_threads_batch=2,
    n_gpu_layers=10,
    n_cpu_expert_layers=ALL_LAYERS,
    tensor_overrides=((r"blk\.0\.", "CPU"), ("attn", "CUDA0")),
    cache_type_k="q8_0",
    cache_type_v="q4_0",
    load_mode="none",
    use_repack=False,
    n_experts_used=3,
    adapters=(Adapter(Path("/a b.gguf"), 0.5), Adapter(Path("c.gguf"))),
    rpc_devices=("127.0.0.1:50052",),
)


@pytest.mark.parametrize(
    "message",
    [
        StartMessage(PLAN, socket_path=Path("/run/x.sock")),
        StartMessage(PLAN, port_path=Path("/run/x.port"), token="secret"),
        StartMessage(LoadPlan(Path("m.gguf"))),
        StartMessage(PLACED),
    ],
)
def test_start_message_is_one_line_and_survives_it(message: StartMessage) -> None:
    line = message.to_line()
    assert line.count(b"\n") == 1
    assert StartMessage.from_line(line) == message
