"""Tools with a real model: it is too small to call anything by itself, so it is made to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from model_manager.engine.bodies import request_body
from model_manager.engine.supervisor import Supervisor
from model_manager.errors import ToolsUnsupported
from model_manager.types import (
    ChatFinished,
    ChatMessage,
    ChatRequest,
    LoadPlan,
    ReasoningDelta,
    SamplingParams,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
)
from tests.integration.conftest import WORKER_COMMAND

TEMPLATES: Final = Path(__file__).parents[1] / "data" / "templates"
TOOL: Final = Tool(
    "get_weather",
    "What the weather is like.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@pytest.fixture(scope="module")
def calling_engine(dense_path: Path, runtime_dir: Path) -> Iterator[Supervisor]:
    yield from running(dense_path, runtime_dir, "Qwen-Qwen2.5-7B-Instruct")


@pytest.fixture(scope="module")
def harmony_engine(dense_path: Path, runtime_dir: Path) -> Iterator[Supervisor]:
    yield from running(dense_path, runtime_dir, "openai-gpt-oss-120b")


def running(path: Path, runtime_dir: Path, template: str) -> Iterator[Supervisor]:
    text = (TEMPLATES / f"{template}.jinja").read_text()
    supervisor = Supervisor(WORKER_COMMAND, runtime_dir, lambda _state: None)
    supervisor.start(LoadPlan(path, name=template, n_ctx_tokens=2048, chat_template=text))
    supervisor.wait_ready(120)
    yield supervisor
    supervisor.stop()


def ask(*messages: ChatMessage, choice: ToolChoice | None = None) -> ChatRequest:
    question = ChatMessage("user", 'Call get_weather with the city "Paris".')
    sampling = SamplingParams(temperature=0.0, max_tokens=48)
    return ChatRequest(
        (question, *messages),
        sampling,
        tools=(TOOL,),
        tool_choice=choice or ToolChoice("required"),
        parallel_tool_calls=False,
    )


def test_model_is_made_to_call(calling_engine: Supervisor) -> None:
    events = list(calling_engine.client.chat(ask()))
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert not [event for event in events if isinstance(event, TextDelta)]
    assert (calls[0].index, calls[0].name) == (0, TOOL.name)
    assert calls[0].id
    assert {(delta.id, delta.name) for delta in calls[1:]} == {("", "")}
    arguments = json.loads("".join(delta.arguments for delta in calls))
    assert set(arguments) == {"city"}
    last = events[-1]
    assert isinstance(last, ChatFinished)
    assert last.stop_reason == "tool_calls"


def test_result_is_answered(calling_engine: Supervisor) -> None:
    call = ToolCall("123456789", TOOL.name, '{"city": "Paris"}')
    turns = (
        ChatMessage("assistant", "", tool_calls=(call,)),
        ChatMessage("tool", "Sunny <|im_end|>", tool_call_id=call.id),
    )
    events = list(calling_engine.client.chat(ask(*turns, choice=ToolChoice("auto"))))
    assert [event for event in events if isinstance(event, TextDelta)]


def test_whole_answer_has_the_call(calling_engine: Supervisor) -> None:
    body = request_body(ask(), request_id=None) | {"stream": False}
    posted = calling_engine.client._http.request("POST", "/v1/chat/completions", json=body, timeout=120)
    answer = posted.json()
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    called = choice["message"]["tool_calls"][0]
    assert (called["type"], called["function"]["name"]) == ("function", TOOL.name)
    assert json.loads(called["function"]["arguments"])


def test_model_without_words_for_tools_says_so(starter_engine: Supervisor) -> None:
    with pytest.raises(ToolsUnsupported):
        list(starter_engine.client.chat(ask()))


def test_nudge_is_thought_before_the_end(thinking_engine: Supervisor) -> None:
    request = ChatRequest(
        (ChatMessage("user", "What is a mixture of experts?"),),
        SamplingParams(temperature=0.0, max_tokens=60),
        think_budget_tokens=40,
        think_nudge_tokens=8,
        think_nudge_text=" Enough of that now.",
    )
    events = list(thinking_engine.client.chat(request))
    reasoning = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    before, nudge, after = reasoning.partition(" Enough of that now.")
    assert before
    assert nudge
    assert after
    assert [event for event in events if isinstance(event, TextDelta)]


def test_tokens_saved_are_told(thinking_engine: Supervisor) -> None:
    messages = (
        ChatMessage("user", "One?"),
        ChatMessage("assistant", "1", "A thought of several words."),
        ChatMessage("user", "Two?"),
    )
    sampling = SamplingParams(temperature=0.0, max_tokens=2)
    *_, last = thinking_engine.client.chat(ChatRequest(messages, sampling, reasoning_history="drop"))
    assert isinstance(last, ChatFinished)
    expected = len(thinking_engine.client.tokenize(messages[1].reasoning))
    assert last.usage.dropped_reasoning_tokens == expected


def test_channels_have_a_budget(harmony_engine: Supervisor) -> None:
    """Begun in the analysis, of which this model knows nothing, it answers in the channel that is fed."""
    begun = ChatMessage("assistant", "", "They want to know what a mixture of experts is. It")
    request = ChatRequest(
        (ChatMessage("user", "What is a mixture of experts?"), begun),
        SamplingParams(temperature=0.0, max_tokens=60),
        think_budget_tokens=7,
        continues=True,
    )
    events = list(harmony_engine.client.chat(request))
    reasoning = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    answer = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert reasoning
    assert answer
    assert "<|" not in reasoning
    last = events[-1]
    assert isinstance(last, ChatFinished)
    assert last.usage.reasoning_tokens == 7


def test_channels_without_thinking_begin_with_the_answer(harmony_engine: Supervisor) -> None:
    question = ChatMessage("user", "What is a mixture of experts?")
    request = ChatRequest((question,), SamplingParams(temperature=0.0, max_tokens=12), thinking="off")
    events = list(harmony_engine.client.chat(request))
    assert not [event for event in events if isinstance(event, ReasoningDelta) and event.text]
    assert [event for event in events if isinstance(event, TextDelta)]
