"""States that outlive the worker: what comes back from a file answers as what was just computed does."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.orders import Ask
from model_manager.engine import state_file
from model_manager.engine.host import Host
from model_manager.engine.keeper import Keeper
from model_manager.engine.llama import library
from model_manager.engine.prompt_cache import SUFFIX, Found, PromptCache, list_files
from model_manager.engine.scheduler import Scheduler
from model_manager.engine.supervisor import Supervisor
from model_manager.errors import EngineDied
from model_manager.types import ChatFinished, ChatMessage, ChatRequest, LoadPlan, SamplingParams, TextDelta
from tests.helpers.answers import Recorder
from tests.helpers.asking import hear, open_services
from tests.helpers.ggufs import write_model

STORY = "The keeper of the lighthouse wrote down the weather of every day. "
N_TOKENS = 24


@pytest.fixture
def plan(tmp_path: Path) -> LoadPlan:
    """A tiny random model, whose noise is as good as any text for comparing."""
    model = write_model(tmp_path / "tiny.gguf", n_ctx_tokens=2048)
    return LoadPlan(model, n_threads=1, n_parallel=2, prompt_cache_dir=tmp_path / "prompts")


@contextlib.contextmanager
def running(plan: LoadPlan) -> Iterator[Chat]:
    """One life of a worker's engine, without a process around it."""
    host = Host(plan)
    host.load()
    try:
        yield Chat(host)
    finally:
        host.close()
        loaded = host._loaded
        assert loaded is not None
        loaded.context.model.close()


class Chat:
    def __init__(self, host: Host) -> None:
        assert host._loaded is not None
        self.host = host
        self._scheduler: Scheduler = host._loaded.scheduler
        self._vocabulary = host._loaded.context.vocabulary

    @property
    def keeper(self) -> Keeper:
        assert self._scheduler.keeper is not None
        return self._scheduler.keeper

    def tokens(self, text: str) -> list[int]:
        return self._vocabulary.tokenize(text, special=True)

    def ask(self, prompt: list[int] | str, n_tokens: int = N_TOKENS, conversation: str = "") -> Recorder:
        if isinstance(prompt, str):
            prompt = self.tokens(prompt)
        recorder = Recorder()
        params = SamplingParams(temperature=0, max_tokens=n_tokens)
        self._scheduler.submit(prompt, params, recorder, conversation=conversation)
        assert recorder.wait().error is None
        return recorder


def prompt_about(name: str) -> str:
    return f"<|im_start|>user\nThis is about {name}. {STORY * 6}<|im_end|>\n<|im_start|>assistant\n"


def files(plan: LoadPlan) -> list[Path]:
    assert plan.prompt_cache_dir is not None
    return sorted(plan.prompt_cache_dir.glob(f"*{SUFFIX}"))


def n_cached(answer: Recorder) -> int:
    return answer.wait().cached_tokens


@pytest.mark.parametrize("name", ["dense", "mixture"])
def test_reopened_chat_answers_token_for_token_as_a_cold_one(
    name: str, dense_path: Path, starter_path: Path, plan: LoadPlan
) -> None:
    path = dense_path if name == "dense" else starter_path
    plan = dataclasses.replace(plan, model_path=path, n_ctx_tokens=1024)
    with running(dataclasses.replace(plan, prompt_cache_dir=None)) as chat:
        cold = chat.ask(prompt_about("Ada"))
        assert n_cached(cold) == 0
    with running(plan) as chat:
        assert chat.ask(prompt_about("Ada")).token_ids == cold.token_ids
    assert len(files(plan)) == 1
    with running(plan) as chat:
        reopened = chat.ask(prompt_about("Ada"))
    assert n_cached(reopened) == reopened.wait().prompt_tokens - 1
    assert reopened.token_ids == cold.token_ids


def test_next_turn_builds_on_the_file_and_replaces_it(plan: LoadPlan) -> None:
    with running(plan) as chat:
        answer = chat.ask(prompt_about("Ada"))
    (first,) = files(plan)
    with running(plan) as chat:
        longer = [*chat.tokens(prompt_about("Ada")), *answer.token_ids, *chat.tokens(prompt_about("Bob"))]
        n_answered = len(answer.token_ids) - 1  # the last token was chosen, not computed
        assert n_cached(chat.ask(longer)) == answer.wait().prompt_tokens + n_answered
    (second,) = files(plan)
    assert first != second


def test_idle_conversation_is_saved_while_the_worker_goes_on(plan: LoadPlan) -> None:
    with running(plan) as chat:
        chat.keeper._idle_s = 0.0
        chat.ask(prompt_about("Ada"))
        for _ in range(1000):
            if files(plan):
                break
            chat.ask("a", 1)  # something to do until it is there, instead of sleeping
        assert files(plan)


@pytest.mark.parametrize("damage", ["cut", "flip", "trail", "empty", "header"])
def test_damaged_file_is_removed_and_the_prompt_computed(
    plan: LoadPlan, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(plan) as chat:
        cold = chat.ask(prompt_about("Ada"))
    (path,) = files(plan)
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    elif damage == "header":
        data[100] ^= 1
    elif damage == "trail":
        data += b"\0"
    else:
        del data[0 if damage == "empty" else -1 :]
    path.write_bytes(data)
    caplog.set_level("INFO")
    with running(plan) as chat:
        again = chat.ask(prompt_about("Ada"))
        assert (n_cached(again), again.token_ids) == (0, cold.token_ids)
        assert not path.exists()
    assert f"{path.name} is discarded" in caplog.text
    assert len(files(plan)) == 1  # saved anew


@pytest.mark.parametrize(
    "change",
    [
        {"chat_template": "{{ messages[0]['content'] }}"},
        {"n_gpu_layers": 0},
        {"model_path": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_state_of_another_setup_is_not_used(plan: LoadPlan, change: dict[str, Any], tmp_path: Path) -> None:
    with running(plan) as chat:
        chat.ask(prompt_about("Ada"))
    if "model_path" in change:  # as large, and of the same shape
        change = {"model_path": write_model(tmp_path / "another.gguf", n_ctx_tokens=2048, seed=1)}
    with running(dataclasses.replace(plan, **change)) as chat:
        assert n_cached(chat.ask(prompt_about("Ada"))) == 0
    assert len(files(plan)) == 2


def test_state_of_another_build_is_not_used(plan: LoadPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(plan) as chat:
        chat.ask(prompt_about("Ada"))
    monkeypatch.setattr(library, "engine_name", lambda: "llama.cpp of tomorrow")
    with running(plan) as chat:
        assert n_cached(chat.ask(prompt_about("Ada"))) == 0


def test_state_of_other_numbers_in_the_context_is_not_used(plan: LoadPlan, dense_path: Path) -> None:
    plan = dataclasses.replace(plan, model_path=dense_path, n_ctx_tokens=512)
    small = dataclasses.replace(plan, cache_type_k="q8_0", cache_type_v="q8_0")
    with running(plan) as chat:
        chat.ask(prompt_about("Ada"), 4)
    with running(small) as chat:
        cold = chat.ask(prompt_about("Ada"), 4)
    with running(small) as chat:
        reopened = chat.ask(prompt_about("Ada"), 4)
    assert n_cached(cold) == 0
    assert n_cached(reopened) == reopened.wait().prompt_tokens - 1
    assert reopened.token_ids == cold.token_ids


def test_conversation_that_loses_its_place_is_saved_first(plan: LoadPlan) -> None:
    with running(dataclasses.replace(plan, n_parallel=1)) as chat:
        first = chat.ask(prompt_about("Ada"))
        chat.ask(prompt_about("Bob"))
        chat.keeper._writing.result(60)  # type: ignore[union-attr]  # something is being written
        again = chat.ask(prompt_about("Ada"))
    assert n_cached(again) == again.wait().prompt_tokens - 1
    assert again.token_ids == first.token_ids


def test_answer_is_cancelled_while_its_file_is_read(plan: LoadPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(plan) as chat:
        chat.ask(prompt_about("Ada"))
    is_reading, may_go_on = threading.Event(), threading.Event()

    def read_slowly(_cache: PromptCache, _found: Found) -> None:
        is_reading.set()
        assert may_go_on.wait(60)

    monkeypatch.setattr(PromptCache, "read", read_slowly)
    with running(plan) as chat:
        waiting = Recorder()
        job = chat._scheduler.submit(chat.tokens(prompt_about("Ada")), SamplingParams(), waiting)
        assert is_reading.wait(60)
        job.cancel()
        assert waiting.wait().stop_reason == "cancelled"
        may_go_on.set()
        assert n_cached(chat.ask(prompt_about("Ada"))) == 0  # nothing was read in the end


def test_forgotten_conversation_is_gone_from_files_and_memory(plan: LoadPlan) -> None:
    with running(plan) as chat:
        chat.ask(prompt_about("Ada"), conversation="1")
        chat.ask(prompt_about("Bob"), conversation="2")
    assert len(files(plan)) == 2
    with running(plan) as chat:
        assert n_cached(chat.ask(prompt_about("Ada"), conversation="1")) > 0
        assert n_cached(chat.ask(prompt_about("Bob"), conversation="2")) > 0
        chat.host.forget_conversation("1")
        while chat._scheduler._sequences.n_resident(chat.tokens(prompt_about("Ada"))) > 64:
            chat.ask("a", 1)
        assert n_cached(chat.ask(prompt_about("Bob"), conversation="2")) > 300
        chat.ask(prompt_about("Ada"), conversation="1")  # a late answer
    assert [state_file.read_header(path)[0].conversation for path in files(plan)] == ["2"]


def test_file_larger_than_the_context_is_left_alone(plan: LoadPlan) -> None:
    with running(plan) as chat:
        chat.ask(prompt_about("Ada"))
    with running(dataclasses.replace(plan, n_ctx_tokens=256)) as chat:
        short = chat.ask(prompt_about("Ada")[:200])
    assert n_cached(short) == 0
    assert files(plan)


def test_worker_that_is_stopped_saves_and_the_next_one_goes_on(
    dense_path: Path, plan: LoadPlan, new_supervisor: Callable[..., Supervisor]
) -> None:
    plan = dataclasses.replace(plan, model_path=dense_path, n_ctx_tokens=1024)
    supervisor = new_supervisor()
    answers = []
    for _ in range(2):
        supervisor.start(plan)
        supervisor.wait_ready(120)
        answers.append(chat_with(supervisor))
        supervisor.stop()
        assert len(files(plan)) == 1
    (cold, first), (reopened, second) = answers
    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens == second.usage.prompt_tokens - 1
    assert cold == reopened


@pytest.mark.skipif(sys.platform == "win32", reason="there, SIGTERM is no signal that could be handled")
def test_worker_that_the_system_ends_saves_first(
    plan: LoadPlan, new_supervisor: Callable[..., Supervisor]
) -> None:
    supervisor = new_supervisor()
    supervisor.start(dataclasses.replace(plan, n_ctx_tokens=1024))
    supervisor.wait_ready(120)
    chat_with(supervisor)
    assert supervisor.pid is not None
    os.kill(supervisor.pid, signal.SIGTERM)
    with pytest.raises(EngineDied) as caught:
        chat_with(supervisor)
    assert caught.value.signal == signal.SIGTERM
    assert len(files(plan)) == 1


def chat_with(supervisor: Supervisor) -> tuple[str, ChatFinished]:
    text = ""
    request = ChatRequest(
        messages=(ChatMessage("user", STORY * 6),),
        sampling=SamplingParams(temperature=0, max_tokens=N_TOKENS),
    )
    for event in supervisor.client.chat(request):
        if isinstance(event, TextDelta):
            text += event.text
        if isinstance(event, ChatFinished):
            return text, event
    raise AssertionError("no end")


def test_nothing_is_kept_without_a_folder(plan: LoadPlan, tmp_path: Path) -> None:
    with running(dataclasses.replace(plan, prompt_cache_dir=None)) as chat:
        chat.ask(prompt_about("Ada"))
    assert not (tmp_path / "prompts").exists()


def test_deleted_conversation_leaves_no_file(tmp_path: Path, runtime_dir: Path) -> None:
    with open_services(tmp_path / "data", runtime_dir) as services:
        heard = hear(services, Ask(STORY * 8, model="starter-dense", sampling={"max_tokens": 2}))
        services.engines.unload()
        folder = services.paths.prompt_cache_dir
        assert [file.model for file in list_files(folder)] == ["starter-dense"]
        services.forget_conversation(heard.started.conversation.id + 1)
        assert len(list_files(folder)) == 1
        services.forget_conversation(heard.started.conversation.id)
        assert list_files(folder) == []
