"""The engine as its users see it: a real worker, the real starter, the real client."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_manager.engine.client import Cancel
from model_manager.engine.supervisor import Supervisor
from model_manager.errors import EmptyPrompt, PromptTooLong
from model_manager.types import (
    ChatEvent,
    ChatFinished,
    ChatMessage,
    ChatRequest,
    PrefillProgress,
    ReasoningDelta,
    SamplingParams,
    TextDelta,
)

QUESTION = "What is a mixture of experts?"
LONG_TEXT = "The quick brown fox jumps over the lazy dog. " * 300


def ask(
    text: str, *, max_tokens: int = 16, think_budget_tokens: int | None = None, **sampling: object
) -> ChatRequest:
    return ChatRequest(
        messages=(ChatMessage("user", text),),
        sampling=SamplingParams(**{"temperature": 0.0, "max_tokens": max_tokens, **sampling}),  # type: ignore[arg-type]  # by name
        think_budget_tokens=think_budget_tokens,
    )


def texts(events: list[ChatEvent]) -> tuple[str, str]:
    return (
        "".join(event.text for event in events if isinstance(event, ReasoningDelta)),
        "".join(event.text for event in events if isinstance(event, TextDelta)),
    )


def finished(events: list[ChatEvent]) -> ChatFinished:
    last = events[-1]
    assert isinstance(last, ChatFinished)
    return last


def test_info_tells_the_mixture(starter_engine: Supervisor) -> None:
    info = starter_engine.client.info()
    assert info == starter_engine.wait_ready()
    assert (info.name, info.architecture, info.n_experts, info.n_experts_used) == ("starter", "llama", 8, 2)
    assert info.n_ctx_tokens == 4096
    assert not info.can_think


def test_answer_streams_with_usage_and_timings(starter_engine: Supervisor) -> None:
    events = list(starter_engine.client.chat(ask(QUESTION)))
    end = finished(events)
    _, text = texts(events)
    assert text.startswith("A mixture of experts")
    assert end.stop_reason == "length"
    assert (end.usage.completion_tokens, end.usage.reasoning_tokens) == (16, 0)
    assert end.usage.prompt_tokens > end.usage.cached_tokens >= 0
    assert end.timings.ttft_ms
    assert end.timings.decode_tokens_per_s
    assert any(isinstance(event, PrefillProgress) for event in events)
    assert end.seed is not None


def test_second_turn_reads_only_what_is_new(starter_engine: Supervisor) -> None:
    client = starter_engine.client
    first = list(client.chat(ask("Name a colour.", max_tokens=8)))
    _, answer = texts(first)
    turns = (
        ChatMessage("user", "Name a colour."),
        ChatMessage("assistant", answer),
        ChatMessage("user", "Why?"),
    )
    second = list(client.chat(ChatRequest(turns, SamplingParams(max_tokens=4))))
    assert finished(second).usage.cached_tokens >= finished(first).usage.prompt_tokens


def test_seed_makes_the_answer_again(starter_engine: Supervisor) -> None:
    request = ask(QUESTION, temperature=1.5, seed=7)
    list(starter_engine.client.chat(request))  # the prompt is now cached, as it is for both that follow
    first, second = (list(starter_engine.client.chat(request)) for _ in range(2))
    assert texts(first) == texts(second)
    assert finished(first).seed == 7


def test_stop_string_ends_the_answer_and_is_not_shown(starter_engine: Supervisor) -> None:
    events = list(starter_engine.client.chat(ask(QUESTION, max_tokens=60, stop=(" experts", "never"))))
    assert texts(events) == ("", "A mixture of")
    assert finished(events).stop_reason == "stop"


def test_empty_prompt_is_refused(starter_engine: Supervisor) -> None:
    with pytest.raises(EmptyPrompt):
        list(starter_engine.client.chat(ask(" \n")))


def test_prompt_longer_than_the_context_is_refused(starter_engine: Supervisor) -> None:
    with pytest.raises(PromptTooLong) as caught:
        list(starter_engine.client.chat(ask(LONG_TEXT * 3)))
    assert caught.value.prompt_tokens >= caught.value.n_ctx_tokens == 4096


def test_control_tokens_in_a_message_are_text(starter_engine: Supervisor) -> None:
    plain, marked = (
        finished(list(starter_engine.client.chat(ask(text, max_tokens=1)))).usage.prompt_tokens
        for text in ("Hi", "Hi<|im_end|>")
    )
    assert marked - plain > 1


def test_cancel_in_a_long_prefill_lets_the_next_one_begin(starter_engine: Supervisor) -> None:
    client = starter_engine.client
    cancel = Cancel()
    events = []
    for event in client.chat(ask(LONG_TEXT), cancel):
        events.append(event)
        if isinstance(event, PrefillProgress) and 0 < event.done_tokens < event.total_tokens:
            cancel.set()
    end = finished(events)
    assert end.stop_reason == "cancelled"
    assert end.usage.completion_tokens == 0
    # With the prefill going on, its end would come before this answer's.
    assert finished(list(client.chat(ask("Hi", max_tokens=2)))).stop_reason == "length"


def test_closing_the_iterator_cancels(starter_engine: Supervisor) -> None:
    client = starter_engine.client
    answer = client.chat(ask(QUESTION, max_tokens=2000))
    while not isinstance(next(answer), TextDelta):
        pass
    answer.close()
    assert finished(list(client.chat(ask("Hi", max_tokens=2)))).stop_reason == "length"


def test_cancel_from_another_thread_ends_a_blocked_reader(starter_engine: Supervisor) -> None:
    cancel = Cancel()
    began = threading.Event()

    def run() -> list[ChatEvent]:
        events = []
        for event in starter_engine.client.chat(ask(QUESTION, max_tokens=3000), cancel):
            events.append(event)
            began.set()
        return events

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(run)
        assert began.wait(60)
        cancel.set()
        assert finished(answer.result(60)).stop_reason == "cancelled"


def test_cancelled_before_it_began(starter_engine: Supervisor) -> None:
    cancel = Cancel()
    cancel.set()
    events = list(starter_engine.client.chat(ask(QUESTION), cancel))
    assert [type(event) for event in events] == [ChatFinished]


def test_four_answers_at_once(starter_engine: Supervisor) -> None:
    questions = [f"Count to {n}." for n in (3, 4, 5, 6)]

    def run(question: str) -> list[ChatEvent]:
        return list(starter_engine.client.chat(ask(question, max_tokens=24)))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(run, questions))
    assert all(finished(events).stop_reason in ("length", "stop") for events in answers)
    assert all(texts(events)[1] for events in answers)


def test_more_answers_than_places_wait_their_turn(starter_engine: Supervisor) -> None:
    def run(n: int) -> list[ChatEvent]:
        return list(starter_engine.client.chat(ask(f"Say {n}.", max_tokens=6)))

    with ThreadPoolExecutor(9) as pool:
        assert all(texts(events)[1] for events in pool.map(run, range(9)))


def test_socket_belongs_to_its_owner_alone(starter_engine: Supervisor, runtime_dir: Path) -> None:
    assert starter_engine.state.status == "ready"
    assert stat.S_IMODE(runtime_dir.stat().st_mode) == 0o700
    sockets = list(runtime_dir.glob("*.sock"))
    assert sockets
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in sockets)


def test_budget_divides_reasoning_and_answer(thinking_engine: Supervisor) -> None:
    assert thinking_engine.wait_ready().can_think
    events = list(thinking_engine.client.chat(ask(QUESTION, max_tokens=40, think_budget_tokens=12)))
    reasoning, answer = texts(events)
    assert reasoning
    assert answer
    assert "think>" not in reasoning + answer
    assert finished(events).usage.reasoning_tokens == 12


def test_without_budget_all_is_reasoning(thinking_engine: Supervisor) -> None:
    events = list(thinking_engine.client.chat(ask(QUESTION, max_tokens=12)))
    reasoning, answer = texts(events)
    assert reasoning
    assert not answer
    assert finished(events).usage.reasoning_tokens == 12


def test_no_budget_means_no_reasoning(thinking_engine: Supervisor) -> None:
    events = list(thinking_engine.client.chat(ask(QUESTION, max_tokens=12, think_budget_tokens=0)))
    reasoning, answer = texts(events)
    assert (reasoning, bool(answer)) == ("", True)
    assert finished(events).usage.reasoning_tokens == 0


def test_thinking_off_is_the_templates_own_way(thinking_engine: Supervisor) -> None:
    request = ChatRequest((ChatMessage("user", QUESTION),), SamplingParams(max_tokens=8), thinking="off")
    assert texts(list(thinking_engine.client.chat(request)))[0] == ""


def test_conclude_ends_the_reasoning(thinking_engine: Supervisor) -> None:
    cancel = Cancel()
    answer = thinking_engine.client.chat(ask(QUESTION, max_tokens=500), cancel)
    while not isinstance(next(answer), ReasoningDelta):
        pass
    cancel.conclude()
    # Left alone, this model would think to its last token.
    assert any(isinstance(event, TextDelta) for event in answer)
    answer.close()


def test_stop_string_does_not_count_in_the_reasoning(thinking_engine: Supervisor) -> None:
    request = ask(QUESTION, max_tokens=30, think_budget_tokens=10, stop=(" experts",))
    reasoning, _ = texts(list(thinking_engine.client.chat(request)))
    assert " experts" in reasoning
