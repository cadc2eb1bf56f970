"""The throw-away process: its forecasts against real loads, and files that bring it down.

`test_architectures` compares forecasts of every architecture.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType

from model_manager.engine.host import Host
from model_manager.engine.launch import plan_body
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.llama.no_alloc import EmptyModel
from model_manager.engine.llama.vision import tower_bytes
from model_manager.engine.probe import Prober
from model_manager.engine.speculation.draft_plan import draft_plan
from model_manager.errors import (
    BadOverride,
    ContextTooLarge,
    LoadFailed,
    NotEnoughMemory,
    ProbeFailed,
    RpcUnreachable,
)
from model_manager.types import DeviceMemory, LoadPlan
from tests.helpers.ggufs import (
    GLM4MOE_MTP,
    GRANITE_HYBRID,
    LLAMA,
    N_EMBD,
    QWEN2VL,
    QWEN35MOE_MTP,
    Recipe,
    write_model,
)
from tests.helpers.mmprojs import Family, write_mmproj

COMMAND = (sys.executable, "-m", "model_manager.engine.probe")
LOG_ROUNDING_BYTES = 2**20 // 100


@pytest.fixture
def prober() -> Prober:
    return Prober(COMMAND)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf", n_ctx_tokens=65536, n_layers=4)


def measured(plan: LoadPlan) -> DeviceMemory:
    context = load_model(plan, lambda _permille: None)
    placement = context.model.describe(context).placement
    context.model.close()
    assert placement is not None
    (memory,) = placement.memory
    return memory


def test_starters_are_forecast_too(prober: Prober, starter_path: Path) -> None:
    plan = LoadPlan(starter_path, n_ctx_tokens=2048, cache_type_k="q8_0", cache_type_v="q8_0")
    (forecast,) = prober.forecast(plan).memory
    real = measured(plan)
    assert dataclasses.replace(forecast, weights_bytes=0, mapped_bytes=0) == dataclasses.replace(
        real, weights_bytes=0, mapped_bytes=0
    )
    assert forecast.mapped_bytes == forecast.weights_bytes == pytest.approx(real.weights_bytes, rel=1e-4)


def test_rearranged_weights_are_copies_beside_pages_that_nobody_needs(prober: Prober, tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.gguf",
        LLAMA,
        n_experts=16,
        n_ctx_tokens=1024,
        n_layers=4,
        quantization=GGMLQuantizationType.Q4_0,
    )
    plan = LoadPlan(path, n_threads=1)
    (forecast,) = prober.forecast(plan).memory
    real = measured(plan)
    assert prober.forecast(plan).is_repacked == (real.spare_bytes > 0)
    assert forecast.mapped_bytes == real.mapped_bytes
    assert forecast.weights_bytes == pytest.approx(real.weights_bytes, abs=2 * LOG_ROUNDING_BYTES)
    assert forecast.spare_bytes == pytest.approx(real.spare_bytes, abs=2 * LOG_ROUNDING_BYTES)
    kept = dataclasses.replace(plan, use_repack=False)
    (as_they_are,) = prober.forecast(kept).memory
    assert as_they_are.mapped_bytes == as_they_are.weights_bytes == forecast.weights_bytes
    assert as_they_are.spare_bytes == measured(kept).spare_bytes == 0


def test_a_second_question_is_answered_from_memory_until_the_file_changes(
    prober: Prober, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = LoadPlan(tiny, n_ctx_tokens=1024)
    first = prober.forecast(plan)
    monkeypatch.setattr(prober, "_command", ("false",))
    assert prober.forecast(plan) is first
    with pytest.raises(ProbeFailed):
        prober.forecast(dataclasses.replace(plan, n_ctx_tokens=2048))


def test_what_does_not_fit_is_refused_with_what_would(
    prober: Prober, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = LoadPlan(tiny, name="tiny", n_ctx_tokens=65536)
    needed = prober.forecast(plan).memory[0].context_bytes
    room = 96 * 2**20 + needed // 2
    monkeypatch.setattr("model_manager.engine.probe.free_main_memory_bytes", lambda: room)
    with pytest.raises(NotEnoughMemory) as caught:
        prober.require_room(plan)
    error = caught.value
    assert (error.name, error.device) == ("tiny", "CPU")
    assert error.needed_bytes > error.available_bytes
    assert 0 < error.fits_ctx_tokens < 65536
    prober.require_room(dataclasses.replace(plan, n_ctx_tokens=error.fits_ctx_tokens))
    with pytest.raises(NotEnoughMemory):
        prober.require_room(dataclasses.replace(plan, n_ctx_tokens=error.fits_ctx_tokens + 512))
    prober.require_room(plan, reclaimable_bytes=needed)


def test_no_context_at_all_fits(prober: Prober, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_manager.engine.probe.free_main_memory_bytes", lambda: 2**20)
    with pytest.raises(NotEnoughMemory) as caught:
        prober.require_room(LoadPlan(tiny))
    assert caught.value.fits_ctx_tokens == 0


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"n_ctx_tokens": 65537}, ContextTooLarge),
        ({"tensor_overrides": (("nothing", "CPU"),)}, BadOverride),
        ({"rpc_devices": ("127.0.0.1:1",)}, RpcUnreachable),
    ],
)
def test_plans_that_would_not_load_are_told_as_such(
    prober: Prober, tiny: Path, fields: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        prober.forecast(LoadPlan(tiny, **fields))


# --- files and processes that go wrong -------------------------------------------------------------------


def test_a_file_that_is_none_is_refused(prober: Prober, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 16)
    with pytest.raises(LoadFailed):
        prober.forecast(LoadPlan(path))


def test_a_file_that_aborts_llama_cpp_hurts_nobody(prober: Prober, tmp_path: Path) -> None:
    # The vocabulary is asserted to hold its special tokens.
    path = write_model(tmp_path / "m.gguf", metadata={"llama.rope.scaling.type": "nonsense"})
    with pytest.raises(ProbeFailed) as caught:
        prober.forecast(LoadPlan(path, name="hostile"))
    assert (caught.value.name, caught.value.ending) == ("hostile", "crashed")
    assert "GGML_ASSERT" in caught.value.last_words


def test_a_file_that_wants_absurd_memory_is_refused(prober: Prober, tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.gguf",
        GRANITE_HYBRID,
        n_experts=8,
        metadata={"granitehybrid.ssm.state_size": 1 << 30},
    )
    with pytest.raises((ProbeFailed, LoadFailed)):
        prober.forecast(LoadPlan(path))


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_manager.engine.probe.MAX_WAIT_S", 0.2)


@pytest.mark.usefixtures("short_limits")
def test_a_probe_that_hangs_is_ended(tiny: Path) -> None:
    hanging = Prober(
        (
            sys.executable,
            "-c",
            "import sys; sys.stdin.read(); sys.stdin.close(); import signal; signal.pause()",
        )
    )
    with pytest.raises(ProbeFailed) as caught:
        hanging.forecast(LoadPlan(tiny))
    assert caught.value.ending == "hung"


@pytest.mark.parametrize(
    ("script", "ending"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crashed"),
        ("import os; os.kill(os.getpid(), 24)", "hung"),
        ("import sys; sys.exit('std::bad_alloc')", "memory"),
        ("print('no JSON')", "crashed"),
        ("print('{}')", "crashed"),
    ],
)
def test_every_end_of_a_probe_has_its_name(tiny: Path, script: str, ending: str) -> None:
    with pytest.raises(ProbeFailed) as caught:
        Prober((sys.executable, "-c", script)).forecast(LoadPlan(tiny))
    assert caught.value.ending == ending


def test_a_probe_limits_itself(tiny: Path) -> None:
    script = (
        "import resource\n"
        "from model_manager.engine import probe\n"
        "import json, sys, io\n"
        f"request = {json.dumps(json.dumps({'plan': plan_body(LoadPlan(tiny)), 'room': None}))}\n"
        "class In: buffer = io.BytesIO(request.encode())\n"
        "sys.stdin = In\n"
        "probe.main()\n"
        "print(json.dumps({'limits': [resource.getrlimit(kind)[0] for kind in\n"
        "    (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)]}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    limits = json.loads(done.stdout.splitlines()[-1])["limits"]
    assert limits == [16 * 2**30, 20, 16 * 2**20, 0]


def test_many_who_ask_at_once_start_one_process(tiny: Path, tmp_path: Path) -> None:
    script = f"""
import sys, time, pathlib
pathlib.Path({str(tmp_path)!r}, f"{{time.monotonic_ns()}}.started").touch()
sys.exit("std::bad_alloc")
"""
    prober = Prober((sys.executable, "-c", script))
    barrier = threading.Barrier(20)
    endings: list[str] = []

    def ask() -> None:
        barrier.wait()
        with pytest.raises(ProbeFailed) as caught:
            prober.forecast(LoadPlan(tiny))
        endings.append(caught.value.ending)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert endings == ["memory"] * 20
    assert len(list(tmp_path.glob("*.started"))) == 1


def loaded(plan: LoadPlan) -> DeviceMemory:
    """What a worker tells that it has taken."""
    host = Host(plan)
    host.load()
    host.close()
    info = host.state.info
    assert info is not None, host.state.error
    assert info.placement is not None
    (memory,) = info.placement.memory
    return memory


@pytest.mark.parametrize("family", ["janus_pro", "gemma3", "qwen2vl_merger"])
def test_a_vision_tower_is_counted(prober: Prober, tmp_path: Path, family: Family) -> None:
    path = write_model(tmp_path / "m.gguf", QWEN2VL if family == "qwen2vl_merger" else LLAMA)
    tower = write_mmproj(tmp_path / "mmproj.gguf", N_EMBD, family)
    plan = LoadPlan(path, n_threads=1)
    (alone,) = prober.forecast(plan).memory
    (found,) = prober.forecast(dataclasses.replace(plan, mmproj_path=tower)).memory
    assert 0.9 * tower.stat().st_size < found.vision_bytes
    assert found == dataclasses.replace(alone, vision_bytes=found.vision_bytes)
    real = loaded(dataclasses.replace(plan, mmproj_path=tower))
    assert (real.vision_bytes, real.context_bytes) == (found.vision_bytes, found.context_bytes)


def test_a_tower_that_is_none_is_found_out_by_the_probe(prober: Prober, tiny: Path, tmp_path: Path) -> None:
    plan = LoadPlan(tiny, mmproj_path=write_mmproj(tmp_path / "other.gguf", 2 * N_EMBD))
    with pytest.raises(LoadFailed):
        prober.forecast(plan)
    assert plan.mmproj_path is not None
    plan.mmproj_path.write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 16)
    with pytest.raises(LoadFailed):
        prober.forecast(plan)


def test_a_tower_that_does_not_fit_is_counted_without_being_tried(
    prober: Prober, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_manager.engine.llama.no_alloc.free_main_memory_bytes", lambda: 1000)
    model = EmptyModel(LoadPlan(tiny, mmproj_path=write_mmproj(tmp_path / "mmproj.gguf", N_EMBD)))
    (found,) = model.forecast().memory
    assert found.vision_bytes == tower_bytes(tmp_path / "mmproj.gguf") > 1000


@pytest.mark.parametrize(("recipe", "n_attending"), [(GLM4MOE_MTP, 2), (QWEN35MOE_MTP, 1)])
def test_layers_for_guessing_are_counted(
    prober: Prober, tmp_path: Path, recipe: Recipe, n_attending: int
) -> None:
    path = write_model(tmp_path / "mtp.gguf", recipe, n_experts=4, n_layers=3, n_ctx_tokens=4096)
    plan = LoadPlan(path, n_threads=1, speculation="mtp")
    (without,) = prober.forecast(dataclasses.replace(plan, speculation="off")).memory
    (found,) = prober.forecast(plan).memory
    assert found.kv_bytes == without.kv_bytes * (n_attending + 1) / n_attending
    assert found.state_bytes == pytest.approx(5 * without.state_bytes, rel=0.2)  # with four copies
    assert found.compute_bytes > without.compute_bytes
    real = loaded(plan)
    for part in ("kv_bytes", "state_bytes", "compute_bytes", "output_bytes"):
        assert getattr(real, part) == getattr(found, part), part


def test_a_draft_is_counted_with_the_model_it_guesses_for(prober: Prober, tiny: Path, tmp_path: Path) -> None:
    draft = write_model(tmp_path / "draft.gguf", n_ctx_tokens=1024, n_layers=1)
    plan = LoadPlan(tiny, n_ctx_tokens=4096)
    with_draft = dataclasses.replace(plan, draft_path=draft)
    both = prober.forecast(with_draft).memory[0]
    alone = prober.forecast(plan).memory[0]
    small = prober.forecast(draft_plan(with_draft, 1024)).memory[0]  # it ends where its training did
    assert both.kv_bytes == alone.kv_bytes + small.kv_bytes
    assert both.total_bytes == alone.total_bytes + small.total_bytes
    assert both.mapped_bytes == alone.mapped_bytes + small.mapped_bytes
    real = loaded(with_draft)
    assert (real.kv_bytes, real.compute_bytes) == (both.kv_bytes, both.compute_bytes)
