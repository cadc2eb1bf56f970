"""A second device with memory of its own: llama.cpp's RPC backend on loopback."""

from __future__ import annotations

import dataclasses
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_manager.engine.client import EngineClient
from model_manager.engine.probe import Prober
from model_manager.engine.supervisor import Supervisor
from model_manager.errors import RpcUnreachable
from model_manager.types import (
    ALL_LAYERS,
    ChatMessage,
    ChatRequest,
    EngineState,
    LoadPlan,
    SamplingParams,
    TextDelta,
)
from tests.helpers.ggufs import LLAMA, write_model
from tests.helpers.memory import peak_bytes
from tests.helpers.rpc import RpcServer, rpc_server

PROBE = (sys.executable, "-m", "model_manager.engine.probe")
PROMPT = "Write about a lighthouse keeper, the sea and the weather. " * 8
Start = Callable[..., Supervisor]


@pytest.fixture(scope="module")
def server() -> Iterator[RpcServer]:
    with rpc_server(n_threads=2) as running:
        yield running


def answer(client: EngineClient) -> str:
    request = ChatRequest((ChatMessage("user", PROMPT),), SamplingParams(temperature=0.0, max_tokens=32))
    return "".join(event.text for event in client.chat(request) if isinstance(event, TextDelta))


def test_experts_on_the_processor_and_the_rest_on_a_device_answer_as_the_processor_alone(
    starter_path: Path, new_supervisor: Start, server: RpcServer
) -> None:
    split = LoadPlan(
        starter_path,
        name="starter",
        n_ctx_tokens=2048,
        n_parallel=1,
        n_cpu_expert_layers=ALL_LAYERS,
        load_mode="none",
        speculation="off",
        rpc_devices=(server.endpoint,),
    )
    forecast = {memory.device: memory for memory in Prober(PROBE).forecast(split).memory}
    supervisor = new_supervisor()
    supervisor.start(split)
    info = supervisor.wait_ready(120)
    alone = new_supervisor()
    alone.start(dataclasses.replace(split, rpc_devices=(), n_cpu_expert_layers=0))
    alone.wait_ready(120)
    assert answer(supervisor.client) == answer(alone.client)
    alone.stop()

    placement = info.placement
    assert placement is not None
    assert (placement.n_layers_offloaded, placement.n_cpu_expert_layers) == (31, 30)
    measured = {memory.device: memory for memory in placement.memory}
    assert measured.keys() == forecast.keys() == {"CPU", server.device}
    for device, memory in measured.items():
        assert memory.context_bytes == forecast[device].context_bytes
        assert memory.weights_bytes == pytest.approx(forecast[device].weights_bytes, abs=2**20 // 50)
    assert forecast[server.device].kv_bytes > 0 == forecast["CPU"].kv_bytes

    # What the system says of both processes.
    assert supervisor.pid is not None
    own = {"CPU": placement.own_bytes, server.device: server.own_bytes}
    peaks = {"CPU": peak_bytes(supervisor.pid), server.device: peak_bytes(server.pid)}
    for device, memory in forecast.items():
        taken = peaks[device] - own[device]
        assert taken == pytest.approx(memory.total_bytes, rel=0.01, abs=16 * 2**20), device


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    return write_model(path, LLAMA, n_experts=8, n_layers=6, n_ctx_tokens=2048)


def test_some_layers_on_a_device(tiny: Path, new_supervisor: Start, server: RpcServer) -> None:
    supervisor = new_supervisor()
    plan = LoadPlan(
        tiny,
        n_gpu_layers=4,
        n_cpu_expert_layers=4,
        tensor_overrides=((r"blk\.5\.ffn_down_exps", "CPU"), (r"blk\.0\.attn_q", "RPC0")),
        rpc_devices=(server.endpoint,),
    )
    # Before the worker: an RPC server serves one client at a time.
    forecast = {memory.device: memory for memory in Prober(PROBE).forecast(plan).memory}
    supervisor.start(plan)
    placement = supervisor.wait_ready(120).placement
    assert placement is not None
    assert placement.n_layers_offloaded == 4, "3 to 5, and the output"
    assert placement.n_cpu_expert_layers == 1, "layer 3 lies there without its experts"
    (device,) = (memory for memory in placement.memory if memory.device == server.device)
    assert device.weights_bytes == pytest.approx(forecast[server.device].weights_bytes, abs=2**20 // 50)
    assert answer(supervisor.client)


def test_a_device_that_dies_takes_the_worker_and_nothing_else(tiny: Path, new_supervisor: Start) -> None:
    states: list[EngineState] = []
    supervisor = new_supervisor(states)
    with rpc_server() as server:
        plan = LoadPlan(tiny, name="tiny", n_cpu_expert_layers=ALL_LAYERS, rpc_devices=(server.endpoint,))
        supervisor.start(plan)
        supervisor.wait_ready(120)
    with pytest.raises(Exception, match="tiny"):
        answer(supervisor.client)
    assert states[-1].status == "failed"
    supervisor.start(plan)
    with pytest.raises(RpcUnreachable):
        supervisor.wait_ready(60)


def test_a_device_that_serves_somebody_else_is_told_as_such(
    tiny: Path, server: RpcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_manager.engine.probe.MAX_WAIT_S", 2.0)
    host, _, port = server.endpoint.partition(":")
    with socket.create_connection((host, int(port))), pytest.raises(RpcUnreachable) as caught:
        Prober(PROBE).forecast(LoadPlan(tiny, rpc_devices=(server.endpoint,)))
    assert caught.value.endpoint == server.endpoint
