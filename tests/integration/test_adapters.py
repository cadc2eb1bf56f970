"""LoRA adapters in a real worker: added, scaled, swapped, refused; and what they do to answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.engines import Engines
from model_manager.engine.client import Cancel, EngineClient
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.supervisor import Supervisor
from model_manager.entries import entry_of, read_files, record_of
from model_manager.errors import AdapterMismatch, AdapterRefused
from model_manager.types import (
    Adapter,
    ChatFinished,
    ChatMessage,
    ChatRequest,
    LoadPlan,
    SamplingParams,
    TextDelta,
)
from tests.helpers.ggufs import write_adapter, write_model
from tests.integration.conftest import WORKER_COMMAND


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "m.gguf", n_ctx_tokens=2048)


@pytest.fixture(scope="module")
def adapter_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_adapter(tmp_path_factory.mktemp("adapter") / "a.gguf")


@pytest.fixture(scope="module")
def engine(model_path: Path, runtime_dir: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(WORKER_COMMAND, runtime_dir, lambda state: None)
    supervisor.start(LoadPlan(model_path, name="m", n_threads=1))
    supervisor.wait_ready(60)
    yield supervisor
    supervisor.stop()


@pytest.fixture
def client(engine: Supervisor) -> Iterator[EngineClient]:
    yield engine.client
    engine.client.set_adapters(())


def answer(client: EngineClient, max_tokens: int = 12, on_event: Callable[[], None] = lambda: None) -> str:
    request = ChatRequest(
        (ChatMessage("user", "the weather"),), SamplingParams(temperature=0.0, max_tokens=max_tokens)
    )
    text = ""
    for event in client.chat(request, Cancel()):
        on_event()
        if isinstance(event, TextDelta):
            text += event.text
        if isinstance(event, ChatFinished):
            assert event.stop_reason in ("length", "stop")
    return text


def logits(context: LlamaContext) -> np.ndarray:
    batch = context.new_batch()
    context.forget(0)
    row = batch.add(0, 0, [5, 6, 7], wants_logits=True)
    assert context.decode(batch) == 0
    return np.array(context.logits(row))


def test_logits_follow_the_adapters_and_their_scales(model_path: Path, adapter_path: Path) -> None:
    plan = LoadPlan(model_path, n_ctx_tokens=256, n_threads=1, n_parallel=1)
    context = load_model(plan, lambda _permille: None)
    adapters = context.model.adapters
    try:
        plain = logits(context)
        adapters.use([Adapter(adapter_path)])
        whole = logits(context)
        adapters.use([Adapter(adapter_path, 0.5)])
        half = logits(context)
        adapters.use([Adapter(adapter_path, 0.0)])
        off = logits(context)
        adapters.use([])
        gone = logits(context)
    finally:
        context.model.close()
    assert not np.allclose(plain, whole)
    assert not np.allclose(half, whole)
    assert np.array_equal(plain, off)
    assert np.array_equal(plain, gone)


def test_a_plan_with_an_adapter_is_loaded_with_it(model_path: Path, adapter_path: Path) -> None:
    plan = LoadPlan(model_path, n_ctx_tokens=256, n_threads=1, adapters=(Adapter(adapter_path, 2.0),))
    context = load_model(plan, lambda _permille: None)
    info = context.model.describe(context)
    context.model.close()
    assert info.placement is not None
    assert info.placement.adapters == plan.adapters
    assert info.placement.memory[0].adapter_bytes > 0


def test_adapters_are_swapped_without_loading_again(
    engine: Supervisor, client: EngineClient, adapter_path: Path
) -> None:
    pid = engine.pid
    plain = answer(client)
    client.set_adapters([Adapter(adapter_path, 3.0)])
    assert answer(client) != plain, "the prompt's cells were computed again, too"
    placement = client.info().placement
    assert placement is not None
    assert placement.adapters == (Adapter(adapter_path, 3.0),)
    client.set_adapters([])
    assert answer(client) == plain
    assert engine.pid == pid


def test_a_running_answer_ends_with_what_it_began_with(client: EngineClient, adapter_path: Path) -> None:
    alone = answer(client, 200)
    began = threading.Event()
    texts: list[str] = []
    thread = threading.Thread(target=lambda: texts.append(answer(client, 200, began.set)))
    thread.start()
    assert began.wait(30)
    client.set_adapters([Adapter(adapter_path, 3.0)])
    thread.join()
    assert texts == [alone]
    assert answer(client, 200) != alone


def test_an_adapter_of_another_model_changes_nothing(
    client: EngineClient, tmp_path: Path, adapter_path: Path
) -> None:
    client.set_adapters([Adapter(adapter_path, 3.0)])
    before = answer(client)
    other = write_adapter(tmp_path / "other.gguf", architecture="qwen3")
    with pytest.raises(AdapterMismatch):
        client.set_adapters([Adapter(other)])
    with pytest.raises(AdapterRefused):
        client.set_adapters([Adapter(tmp_path / "none.gguf")])
    assert answer(client) == before


def test_a_plan_with_another_models_adapter_does_not_load(model_path: Path, tmp_path: Path) -> None:
    other = write_adapter(tmp_path / "other.gguf", architecture="qwen3")
    with pytest.raises(AdapterMismatch):
        load_model(LoadPlan(model_path, adapters=(Adapter(other),)), lambda _permille: None)


def test_the_next_use_of_a_model_swaps_its_adapters(
    model_path: Path, adapter_path: Path, tmp_path: Path, runtime_dir: Path
) -> None:
    entry = entry_of(record_of("m", read_files(model_path)))
    engines = Engines(WORKER_COMMAND, runtime_dir, lambda: 0)
    try:
        with engines.use(entry) as engine:
            plain = answer(engine.client)
        pid = engines.worker_pid
        with engines.use(replace(entry, adapters=(Adapter(adapter_path, 3.0),))) as engine:
            assert answer(engine.client) != plain
        assert engines.worker_pid == pid
        other = write_adapter(tmp_path / "other.gguf", architecture="qwen3")
        with (
            pytest.raises(AdapterMismatch),
            engines.use(replace(entry, adapters=(Adapter(other),))),
        ):
            pass
        with engines.use(entry) as engine:
            assert answer(engine.client) == plain
        assert engines.worker_pid == pid
    finally:
        engines.close()
