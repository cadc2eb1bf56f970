"""What happens to a worker, and what its users hear of it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from model_manager.engine.process import LAST_WORDS_BYTES
from model_manager.engine.supervisor import Supervisor
from model_manager.errors import (
    ContextTooLarge,
    EngineDied,
    EngineError,
    EngineStalled,
    EngineUnreachable,
    LoadFailed,
    TemplateFailed,
)
from model_manager.types import (
    ChatEvent,
    ChatFinished,
    ChatMessage,
    ChatRequest,
    EngineState,
    LoadPlan,
    SamplingParams,
    TextDelta,
)

NewSupervisor = Callable[..., Supervisor]
WORKER_COMMAND = (sys.executable, "-m", "model_manager.engine.worker")
ROOT = Path(__file__).resolve().parents[2]


def plan_of(path: Path, **options: object) -> LoadPlan:
    return LoadPlan(path, name="dense", n_ctx_tokens=1024, **options)  # type: ignore[arg-type]  # by name


def ask(max_tokens: int) -> ChatRequest:
    return ChatRequest((ChatMessage("user", "Tell me a story."),), SamplingParams(max_tokens=max_tokens))


def until_it_answers(answer: object) -> None:
    for event in answer:  # type: ignore[attr-defined]  # an iterator of events
        if isinstance(event, TextDelta):
            return


def answers(supervisor: Supervisor) -> bool:
    events: list[ChatEvent] = list(supervisor.client.chat(ask(3)))
    return isinstance(events[-1], ChatFinished)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_states_lead_from_loading_to_ready_to_stopped(
    new_supervisor: NewSupervisor, dense_path: Path
) -> None:
    states: list[EngineState] = []
    supervisor = new_supervisor(states)
    supervisor.start(plan_of(dense_path))
    assert supervisor.wait_ready(120) == supervisor.state.info
    pid = supervisor.pid
    assert pid is not None
    supervisor.stop()
    assert not psutil.pid_exists(pid)
    assert [state.status for state in states if state.status != "loading"] == ["ready", "stopped"]
    permille = [state.load_permille for state in states if state.status == "loading"]
    assert permille == sorted(permille)
    assert states[0] == EngineState(name="dense", status="loading")
    with pytest.raises(EngineUnreachable):
        _ = supervisor.client


def test_nothing_is_left_in_the_runtime_folder(
    new_supervisor: NewSupervisor, dense_path: Path, runtime_dir: Path
) -> None:
    before = set(runtime_dir.glob("*"))
    supervisor = new_supervisor()
    supervisor.start(plan_of(dense_path))
    supervisor.wait_ready(120)
    supervisor.stop()
    assert set(runtime_dir.glob("*")) == before


def test_killed_in_mid_answer_then_restarted(new_supervisor: NewSupervisor, dense_path: Path) -> None:
    states: list[EngineState] = []
    supervisor = new_supervisor(states)
    supervisor.start(plan_of(dense_path))
    supervisor.wait_ready(120)
    answer = supervisor.client.chat(ask(900))
    until_it_answers(answer)
    assert supervisor.pid is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    with pytest.raises(EngineDied) as caught:
        list(answer)
    assert (caught.value.signal, caught.value.exit_code) == (signal.SIGKILL, None)
    assert not caught.value.out_of_memory
    assert states[-1].status == "failed"
    assert states[-1].error is caught.value
    with pytest.raises(EngineDied):
        _ = supervisor.client
    supervisor.restart()
    supervisor.wait_ready(120)
    assert answers(supervisor)


def test_death_of_an_idle_worker_is_told(runtime_dir: Path, dense_path: Path) -> None:
    states: queue.SimpleQueue[EngineState] = queue.SimpleQueue()
    supervisor = Supervisor(WORKER_COMMAND, runtime_dir, states.put)
    supervisor.start(plan_of(dense_path))
    supervisor.wait_ready(120)
    assert supervisor.pid is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    while (state := states.get(timeout=60)).status != "failed":
        pass
    assert isinstance(state.error, EngineDied)
    supervisor.stop()


def test_stopped_process_is_a_stall(new_supervisor: NewSupervisor, dense_path: Path) -> None:
    states: list[EngineState] = []
    supervisor = new_supervisor(states, request_stall_s=1.0)
    supervisor.start(plan_of(dense_path))
    supervisor.wait_ready(120)
    pid = supervisor.pid
    assert pid is not None
    answer = supervisor.client.chat(ask(900))
    until_it_answers(answer)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineStalled):
        list(answer)
    assert not psutil.pid_exists(pid)
    assert isinstance(states[-1].error, EngineStalled)
    supervisor.restart()
    supervisor.wait_ready(120)
    assert answers(supervisor)


@pytest.mark.parametrize("template", [None, "x" * 200_000])
def test_silent_load_is_a_stall(
    new_supervisor: NewSupervisor, dense_path: Path, template: str | None
) -> None:
    """Also when the start message does not fit into the pipe that nobody reads."""
    supervisor = new_supervisor(command=python("import time; time.sleep(3600)"), load_stall_s=0.3)
    supervisor.start(plan_of(dense_path, chat_template=template))
    with pytest.raises(EngineStalled):
        supervisor.wait_ready(60)


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"GGUF\x03\0\0\0" + b"\xff" * 64])
def test_bad_model_is_refused_with_a_reason(
    new_supervisor: NewSupervisor, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    states: list[EngineState] = []
    supervisor = new_supervisor(states)
    supervisor.start(plan_of(path))
    with pytest.raises(LoadFailed) as caught:
        supervisor.wait_ready(120)
    assert caught.value.name == "dense"
    assert caught.value.reason
    assert [state.status for state in states if state.status != "loading"] == ["failed"]
    assert supervisor.state.error is caught.value
    with pytest.raises(LoadFailed):
        _ = supervisor.client


def test_context_beyond_the_models_is_refused(new_supervisor: NewSupervisor, dense_path: Path) -> None:
    supervisor = new_supervisor()
    supervisor.start(LoadPlan(dense_path, n_ctx_tokens=1_000_000))
    with pytest.raises(ContextTooLarge) as caught:
        supervisor.wait_ready(120)
    assert (caught.value.n_ctx_tokens, caught.value.n_ctx_train_tokens) == (1_000_000, 8192)


def test_broken_template_fails_requests_not_the_load(new_supervisor: NewSupervisor, dense_path: Path) -> None:
    supervisor = new_supervisor()
    supervisor.start(plan_of(dense_path, chat_template="{% if %}"))
    supervisor.wait_ready(120)
    with pytest.raises(TemplateFailed):
        list(supervisor.client.chat(ask(3)))


def test_command_that_does_not_exist(new_supervisor: NewSupervisor, dense_path: Path) -> None:
    supervisor = new_supervisor(command=("/nonexistent/worker",))
    supervisor.start(plan_of(dense_path))
    with pytest.raises(LoadFailed, match="nonexistent"):
        supervisor.wait_ready(60)


def test_death_at_the_start_is_told_with_its_last_words(
    new_supervisor: NewSupervisor, dense_path: Path
) -> None:
    code = "import sys; sys.stderr.write('x' * 50000 + 'the last words'); sys.exit(3)"
    supervisor = new_supervisor(command=python(code))
    supervisor.start(plan_of(dense_path))
    with pytest.raises(EngineDied) as caught:
        supervisor.wait_ready(60)
    died = caught.value
    assert (died.exit_code, died.signal, died.out_of_memory) == (3, None, False)
    assert died.last_words.endswith("the last words")
    assert len(died.last_words) == LAST_WORDS_BYTES


@pytest.mark.parametrize(
    "words",
    [
        "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 42",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "MemoryError",
    ],
)
def test_want_of_memory_is_recognized(new_supervisor: NewSupervisor, dense_path: Path, words: str) -> None:
    supervisor = new_supervisor(command=python(f"import os, sys; sys.stderr.write({words!r}); os.abort()"))
    supervisor.start(plan_of(dense_path))
    with pytest.raises(EngineDied) as caught:
        supervisor.wait_ready(60)
    assert caught.value.out_of_memory
    assert caught.value.signal == signal.SIGABRT


def test_stop_while_it_loads(new_supervisor: NewSupervisor, starter_path: Path) -> None:
    states: list[EngineState] = []
    supervisor = new_supervisor(states)
    supervisor.start(plan_of(starter_path))
    supervisor.stop()
    assert supervisor.state.status == "stopped"
    assert not any(state.status == "failed" for state in states)
    with pytest.raises(EngineUnreachable):
        supervisor.wait_ready(60)


def test_stop_in_mid_answer_ends_it(new_supervisor: NewSupervisor, dense_path: Path) -> None:
    supervisor = new_supervisor()
    supervisor.start(plan_of(dense_path))
    supervisor.wait_ready(120)
    answer = supervisor.client.chat(ask(900))
    until_it_answers(answer)
    supervisor.stop()
    with pytest.raises(EngineError):
        list(answer)
    assert supervisor.state.status == "stopped"


def test_starting_another_model_ends_the_first(
    new_supervisor: NewSupervisor, dense_path: Path, starter_path: Path
) -> None:
    supervisor = new_supervisor()
    supervisor.start(plan_of(dense_path))
    supervisor.wait_ready(120)
    first = supervisor.pid
    supervisor.start(LoadPlan(starter_path, name="starter", n_ctx_tokens=512))
    assert supervisor.wait_ready(120).name == "starter"
    assert first is not None
    assert not psutil.pid_exists(first)


def test_listener_may_stop_the_supervisor(new_supervisor: NewSupervisor, dense_path: Path) -> None:
    made: list[Supervisor] = []
    stopped = threading.Event()

    class StopsWhenReady(list[EngineState]):
        def append(self, state: EngineState) -> None:
            super().append(state)
            if state.status == "ready":
                made[0].stop()
                stopped.set()

    states = StopsWhenReady()
    made.append(new_supervisor(states))
    made[0].start(plan_of(dense_path))
    assert stopped.wait(120)
    assert states[-1].status == "stopped"
    with pytest.raises(EngineUnreachable):
        made[0].wait_ready(60)


def test_long_runtime_folder_does_not_matter(dense_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    supervisor = Supervisor((sys.executable, "-m", "model_manager.engine.worker"), folder, lambda state: None)
    supervisor.start(plan_of(dense_path))
    try:
        supervisor.wait_ready(120)
        assert answers(supervisor)
    finally:
        supervisor.stop()


def test_loopback_with_a_token_works_as_well(new_supervisor: NewSupervisor, dense_path: Path) -> None:
    supervisor = new_supervisor(use_tcp=True)
    supervisor.start(plan_of(dense_path))
    supervisor.wait_ready(120)
    assert answers(supervisor)


def test_worker_ends_with_its_parent(dense_path: Path, runtime_dir: Path) -> None:
    """Also when the parent is killed: a process of its own holds the supervisor, and dies."""
    code = f"""
import signal, sys
from pathlib import Path
from model_manager.engine.supervisor import Supervisor
from model_manager.types import LoadPlan
command = (sys.executable, "-m", "model_manager.engine.worker")
supervisor = Supervisor(command, Path({str(runtime_dir)!r}), lambda state: None)
supervisor.start(LoadPlan(Path({str(dense_path)!r}), n_ctx_tokens=512))
supervisor.wait_ready(120)
sys.stdout.write(f"{{supervisor.pid}}\\n")
sys.stdout.flush()
signal.pause()
"""
    with subprocess.Popen(python(code), stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        assert worker.is_running()
        parent.kill()
    gone, alive = psutil.wait_procs([worker], timeout=30)
    assert gone
    assert not alive


def test_worker_without_a_start_message_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "model_manager.engine.worker"],
        input=b"",
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's score is Linux's")
def test_kernel_takes_the_worker_before_the_window(new_supervisor: NewSupervisor, dense_path: Path) -> None:
    supervisor = new_supervisor()
    supervisor.start(plan_of(dense_path))
    supervisor.wait_ready(120)
    score = int(Path(f"/proc/{supervisor.pid}/oom_score_adj").read_text())
    assert score > int(Path("/proc/self/oom_score_adj").read_text())
