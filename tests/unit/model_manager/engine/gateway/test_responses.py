"""Responses as chat completions, and back: what needs no model."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from model_manager.engine.gateway.response_items import Items
from model_manager.engine.gateway.response_request import ResponseRequest
from model_manager.errors import RequestRefused

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def chat_of(**fields: Any) -> dict[str, Any]:
    fields = {"model": "m", "input": "Hello"} | fields
    return ResponseRequest.parse(fields).chat_fields(fields)


def test_a_plain_request() -> None:
    assert chat_of() == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": False,
    }


def test_options_have_their_names_of_chat_completions() -> None:
    chat = chat_of(
        instructions="Be short.",
        max_output_tokens=9,
        temperature=0.5,
        top_k=3,
        reasoning={"effort": "low"},
        text={"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": True}},
        tools=[TOOL],
        tool_choice={"type": "function", "name": "weather"},
        parallel_tool_calls=False,
        stream=True,
        include=["message.output_text.logprobs"],
        unknown="ignored",
    )
    assert chat["messages"][0] == {"role": "system", "content": "Be short."}
    assert (chat["max_completion_tokens"], chat["temperature"], chat["top_k"]) == (9, 0.5, 3)
    assert chat["reasoning_effort"] == "low"
    assert chat["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True},
    }
    assert chat["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "parameters": {"type": "object"}, "strict": True},
        }
    ]
    assert chat["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert (chat["parallel_tool_calls"], chat["stream_options"]) == (False, {"include_usage": True})
    assert (chat["logprobs"], chat["top_logprobs"]) == (True, 0)
    assert "unknown" not in chat


def test_a_conversation_with_functions_becomes_turns() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "How is it in Rome and Oslo?"}]},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Ask."}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Rome"}'},
        {"type": "function_call", "call_id": "c2", "name": "weather", "arguments": '{"city": "Oslo"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "rain"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Fine."}]},
        {"role": "user", "content": "Thanks"},
    ]
    turns = chat_of(input=items)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert turns[1]["reasoning_content"] == "Ask."
    assert [call["id"] for call in turns[1]["tool_calls"]] == ["c1", "c2"]
    assert turns[1]["tool_calls"][1]["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    assert turns[2] == {"role": "tool", "tool_call_id": "c1", "content": "sunny"}
    assert turns[3]["content"] == [{"type": "text", "text": "rain"}]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"input": None}, "input"),
        ({"input": [{"role": "user", "content": 7}]}, "content"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
        ({"input": [{"type": "computer_call"}]}, "computer_call"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "conversation"),
        ({"tools": [{"type": "web_search"}]}, "web_search"),
        ({"tools": [TOOL], "tool_choice": {"type": "hosted"}}, "tool_choice"),
        ({"conversation": "c"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"top_logprobs": 21}, "top_logprobs"),
    ],
)
def test_what_cannot_be_is_named(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(RequestRefused, match=word):
        chat_of(**fields)


def told(deltas: list[dict[str, Any]], status: str = "completed") -> tuple[Items, list[dict[str, Any]]]:
    """The items of a stream, and its events, each of which the official client understands."""
    items = Items()
    events = [event for delta in deltas for event in items.take(delta)]
    events += items.finish(status)
    for number, event in enumerate(events):
        EVENT.validate_python(event | {"sequence_number": number}, strict=False)
    return items, events


def call(index: int, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index} | fields]}


def test_reasoning_text_and_calls_are_items_in_their_order() -> None:
    items, events = told(
        [
            {"role": "assistant"},
            {"reasoning_content": "Let me "},
            {"reasoning_content": "think."},
            {"content": "I will "},
            {"content": "ask."},
            call(0, id="c1", type="function", function={"name": "weather", "arguments": ""}),
            call(0, function={"arguments": '{"city": '}),
            call(0, function={"arguments": '"Rome"}'}),
            call(1, id="c2", type="function", function={"name": "weather", "arguments": "{}"}),
            {},
        ]
    )
    assert [item["type"] for item in items.output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert items.output[0]["content"] == [{"type": "reasoning_text", "text": "Let me think."}]
    assert items.output[1]["content"][0]["text"] == "I will ask."
    assert [(item["call_id"], item["arguments"]) for item in items.output[2:]] == [
        ("c1", '{"city": "Rome"}'),
        ("c2", "{}"),
    ]
    assert [event["output_index"] for event in events] == sorted(event["output_index"] for event in events)
    kinds = [event["type"] for event in events]
    assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done") == 4
    assert kinds.count("response.function_call_arguments.delta") == 3


def test_a_whole_message_gives_the_same_items() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]
    message = {"role": "assistant", "content": "I ask.", "reasoning_content": "Hm.", "tool_calls": calls}
    items, _events = told([message])
    assert [item["type"] for item in items.output] == ["reasoning", "message", "function_call"]


def test_what_was_cut_off_says_so() -> None:
    items, events = told([{"content": "I was ab"}], "incomplete")
    assert items.output[0]["status"] == events[-1]["item"]["status"] == "incomplete"
    assert told([{"content": ""}, {"content": None}, {}])[1] == []


def test_several_functions_may_be_allowed() -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "weather"}]}
    assert chat_of(tools=[TOOL], tool_choice=choice)["tool_choice"] == {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [{"type": "function", "function": {"name": "weather"}}],
        },
    }
    with pytest.raises(RequestRefused, match="web_search is not supported"):
        chat_of(tools=[TOOL], tool_choice={"type": "web_search"})
