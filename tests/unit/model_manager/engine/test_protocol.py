from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from model_manager import errors
from model_manager.engine.bodies import (
    info_body,
    info_from,
    request_body,
    timings_body,
    timings_from,
    usage_body,
    usage_from,
)
from model_manager.engine.failures import ERROR_TYPES, error_body, error_from, status_of
from model_manager.engine.protocol import ChatCompletionRequest
from model_manager.errors import EngineError, GrammarRefused, RequestRefused
from model_manager.types import (
    ChatMessage,
    ChatRequest,
    EngineInfo,
    SamplingParams,
    Timings,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)

USER = [{"role": "user", "content": "Hi"}]


FUNCTION = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}},
}


def parse(**fields: Any) -> ChatCompletionRequest:
    return ChatCompletionRequest.parse(json.dumps({"messages": USER, **fields}).encode())


def refusal(**fields: Any) -> str:
    with pytest.raises(RequestRefused) as caught:
        parse(**fields)
    assert caught.value.status == 400
    return caught.value.reason


NAMED_FUNCTION = {"type": "function", "function": {"name": "f"}}
OTHER_FUNCTION = {"type": "function", "function": {"name": "g"}}


def allowed(mode: str, *tools: dict[str, Any]) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_only_allowed_tools_are_offered(mode: str) -> None:
    chat = parse(
        tools=[FUNCTION, OTHER_FUNCTION], tool_choice=allowed(mode, NAMED_FUNCTION)
    ).to_chat_request()
    assert [tool.name for tool in chat.tools] == ["f"]
    assert chat.tool_choice == ToolChoice(mode)  # type: ignore[arg-type]  # of two words


def test_tools_that_are_not_there_cannot_be_allowed() -> None:
    assert refusal(tools=[FUNCTION], tool_choice=allowed("auto", OTHER_FUNCTION)) == (
        "tool_choice: g is not among the tools"
    )
    assert refusal(tools=[FUNCTION], tool_choice=allowed("required")) == "tool_choice: there are no tools"


def test_what_an_assistant_refused_is_what_it_said() -> None:
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert parse(messages=[*USER, refused, *USER]).to_chat_request().messages[1].content == "No."


requests = st.builds(
    ChatRequest,
    messages=st.lists(
        st.builds(
            ChatMessage,
            role=st.sampled_from(["system", "user", "assistant"]),
            content=st.text(),
            reasoning=st.text(),
        ),
        max_size=4,
    ).map(tuple),
    sampling=st.builds(
        SamplingParams,
        temperature=st.floats(0, 2),
        top_p=st.floats(0.01, 1),
        top_k=st.integers(0, 1000),
        min_p=st.floats(0, 1),
        repeat_penalty=st.floats(0.5, 2),
        presence_penalty=st.floats(-2, 2),
        frequency_penalty=st.floats(-2, 2),
        seed=st.none() | st.integers(0, 2**32 - 1),
        max_tokens=st.none() | st.integers(1, 10_000),
        stop=st.lists(st.text(min_size=1), max_size=4).map(tuple),
        logit_bias=st.dictionaries(st.integers(0, 50_000), st.floats(-100, 100), max_size=3),
        top_n_sigma=st.floats(0, 5),
        xtc_probability=st.floats(0, 1),
        xtc_threshold=st.floats(0, 0.5),
        dry_multiplier=st.floats(0, 5),
        dry_base=st.floats(1, 4),
        dry_allowed_length=st.integers(1, 20),
        min_tokens=st.integers(0, 100),
        ignore_end=st.booleans(),
        top_logprobs=st.none() | st.integers(0, 20),
    ),
    thinking=st.sampled_from(["auto", "on", "off"]),
    think_budget_tokens=st.none() | st.integers(0, 10_000),
    model=st.text(max_size=5),
    return_tokens=st.booleans(),
    return_routing=st.booleans(),
)


@settings(deadline=None)
@given(requests)
def test_request_survives_the_wire(request: ChatRequest) -> None:
    body = json.dumps(request_body(request, request_id="abc")).encode()
    parsed = ChatCompletionRequest.parse(body)
    assert parsed.to_chat_request() == request
    assert (parsed.stream, parsed.return_progress, parsed.request_id) == (True, True, "abc")


@settings(deadline=None)
@given(requests)
def test_foreign_server_gets_no_field_of_ours(request: ChatRequest) -> None:
    openai = {
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "max_tokens",
        "seed",
        "stop",
        "logit_bias",
        "reasoning_effort",
        "logprobs",
        "top_logprobs",
        "response_format",
    }
    if request.output is not None and request.output.grammar is not None:
        with pytest.raises(GrammarRefused):
            request_body(request, request_id=None)
        return
    assert set(request_body(request, request_id=None)) <= openai


def test_what_is_left_out_takes_our_defaults() -> None:
    assert parse().to_chat_request() == ChatRequest((ChatMessage("user", "Hi"),))
    names = ("temperature", "top_p", "max_tokens", "stop", "logit_bias", "seed", "n", "top_k", "thinking")
    nulls = dict.fromkeys(names)
    assert parse(**nulls).to_chat_request() == parse().to_chat_request()


def test_content_may_come_in_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert parse(messages=[{"role": "user", "content": parts}]).to_chat_request().messages[0].content == "ab"


def test_developer_is_the_new_name_of_system() -> None:
    messages = [{"role": "developer", "content": "Be brief."}]
    assert parse(messages=messages).to_chat_request().messages == (ChatMessage("system", "Be brief."),)


def test_unknown_fields_are_ignored() -> None:
    message = {"role": "user", "content": "Hi", "name": "Ann", "x": 1}
    parsed = parse(
        messages=[message], user="u", metadata={}, store=False, parallel_tool_calls=True, x={"y": 1}
    )
    assert parsed.to_chat_request() == parse().to_chat_request()


def test_stop_may_be_one_string() -> None:
    assert parse(stop="END").to_chat_request().sampling.stop == ("END",)
    assert parse(stop=["a", ""]).to_chat_request().sampling.stop == ("a",)


def test_newer_name_of_max_tokens_wins() -> None:
    assert parse(max_tokens=5, max_completion_tokens=7).to_chat_request().sampling.max_tokens == 7


@pytest.mark.parametrize(
    ("fields", "thinking", "effort"),
    [
        ({}, "auto", None),
        ({"reasoning_effort": "none"}, "off", None),
        ({"reasoning_effort": "high"}, "auto", "high"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "off", None),
        ({"chat_template_kwargs": {"thinking": True, "reasoning_effort": "low"}}, "on", "low"),
        ({"thinking": "on", "reasoning_effort": "none"}, "on", None),
    ],
)
def test_ways_to_say_how_to_think(fields: dict[str, Any], thinking: str, effort: str | None) -> None:
    parsed = parse(**fields)
    assert (parsed.to_chat_request().thinking, parsed.effort) == (thinking, effort)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"functions": [{}]}, "functions"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"min_tokens": -1}, "min_tokens"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": 3}}}, "response_format"),
        ({"response_format": {"type": "json_object"}, "grammar": "root ::= [a]"}, "grammar"),
        ({"grammar": ""}, "grammar"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 1000}}, "logit_bias"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"min_p": 2}, "min_p"),
        ({"top_k": -1}, "top_k"),
        ({"repeat_penalty": 0}, "repeat_penalty"),
        ({"thinking": "maybe"}, "thinking"),
        ({"think_budget_tokens": -1}, "think_budget_tokens"),
        ({"request_id": "../x"}, "request_id"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": "critic", "content": "x"}]}, "role"),
        ({"tools": [{"type": "retrieval"}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "no spaces"}}]}, "name"),
        ({"tools": [FUNCTION, FUNCTION]}, "twice"),
        ({"tool_choice": "required"}, "tool_choice"),
        (
            {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "tool_choice",
        ),
        ({"reasoning_history": "some"}, "reasoning_history"),
        (
            {
                "messages": [*USER, {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}],
                "continue_final_message": True,
            },
            "continue_final_message",
        ),
        ({"think_nudge_tokens": 0}, "think_nudge_tokens"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "content"),
    ],
)
def test_refusal_names_what_is_wrong(fields: dict[str, Any], named: str) -> None:
    assert named in refusal(**fields)


@pytest.mark.parametrize(
    "fields", [{"n": 1}, {"tools": []}, {"logprobs": False}, {"response_format": {"type": "text"}}]
)
def test_unsupported_fields_that_ask_for_nothing_pass(fields: dict[str, Any]) -> None:
    assert parse(**fields).to_chat_request() == parse().to_chat_request()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"messages": [NaN]}', b"\xff"])
def test_body_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(RequestRefused):
        ChatCompletionRequest.parse(body)


def test_values_of_answers_survive_the_wire() -> None:
    usage, timings = Usage(10, 4, 7, 3), Timings(12.5, None, 80.0)
    assert usage_from(json.loads(json.dumps(usage_body(usage)))) == usage
    assert usage_body(usage)["total_tokens"] == 17
    assert timings_from(json.loads(json.dumps(timings_body(timings)))) == timings
    info = EngineInfo("n", "llama", 1, 2, 3, 4, 5, True, 6, "s", "e")
    assert info_from(json.loads(json.dumps(info_body(info)))) == info


def test_foreign_usage_may_lack_anything() -> None:
    assert usage_from({"prompt_tokens": 3, "prompt_tokens_details": None}) == Usage(3, 0, 0, 0)
    assert usage_from({"prompt_tokens": "many", "completion_tokens": -1}) == Usage(0, 0, 0, 0)


@pytest.mark.parametrize(
    "error",
    [
        errors.EmptyPrompt(),
        errors.PromptTooLong(9000, 8192),
        errors.ContextTooLarge(9000, 8192),
        errors.NoGuessingLayers("big"),
        errors.DraftMismatch("big", "small", "100 tokens, not 200"),
        errors.TemplateFailed("why"),
        errors.LoadFailed("starter", "why"),
        errors.DecodeFailed(-3),
        errors.GrammarRefused("why"),
        errors.SchemaUnsupported("/a", "why"),
        errors.ConstraintFailed("why"),
        errors.RequestRefused(413, "too large"),
    ],
)
def test_error_arrives_as_the_same_error(error: EngineError) -> None:
    arrived = error_from(json.loads(json.dumps(error_body(error))), status_of(error))
    assert type(arrived) is type(error)
    assert vars(arrived) == vars(error)
    assert type(error).__name__ in ERROR_TYPES


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"error": {"message": "no such model", "type": "invalid_request_error", "code": 7}},
            "no such model",
        ),
        ({"error": "plain"}, "plain"),
        ({"error": {"type": "PromptTooLong", "message": "facts are missing"}}, "facts are missing"),
        ({"detail": "x"}, ""),
        (None, ""),
    ],
)
def test_foreign_error_is_a_refusal(body: object, reason: str) -> None:
    arrived = error_from(body, 418)
    assert isinstance(arrived, RequestRefused)
    assert (arrived.status, arrived.reason) == (418, reason)


def test_either_field_goes_on_with_the_last_message() -> None:
    begun = [*USER, {"role": "assistant", "content": "Hel"}]
    for fields in (
        {"continue_final_message": True},
        {"add_generation_prompt": False},
        {"continue_final_message": True, "add_generation_prompt": False},
    ):
        assert parse(messages=begun, **fields).to_chat_request().continues
    assert not parse(add_generation_prompt=True).to_chat_request().continues
    assert "add_generation_prompt" in refusal(
        messages=begun, continue_final_message=True, add_generation_prompt=True
    )
    assert "continue_final_message" in refusal(add_generation_prompt=False)


def test_tools_and_their_results_are_read() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    turns = [
        *USER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "two"},
    ]
    chat = parse(
        messages=turns, tools=[FUNCTION], tool_choice={"type": "function", "function": {"name": "f"}}
    )
    request = chat.to_chat_request()
    assert [tool.name for tool in request.tools] == ["f"]
    assert request.tool_choice == ToolChoice("required", "f")
    assert request.messages[1].tool_calls == (ToolCall("1", "f", '{"x": 1}'),)
    assert (request.messages[2].role, request.messages[2].tool_call_id) == ("tool", "1")
    assert parse(messages=turns, tools=[FUNCTION], tool_choice="none").to_chat_request().tools == ()


def test_request_of_ours_arrives_as_it_was() -> None:
    sent = ChatRequest(
        (ChatMessage("user", "Hi"), ChatMessage("assistant", "", tool_calls=(ToolCall("1", "f", "{}"),))),
        tools=(Tool("f", "Does.", {"type": "object"}),),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        think_nudge_tokens=5,
        think_nudge_text="Enough.",
        reasoning_history="last",
    )
    body = json.dumps(request_body(sent, request_id="x")).encode()
    assert ChatCompletionRequest.parse(body).to_chat_request() == sent
