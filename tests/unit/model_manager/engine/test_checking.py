from __future__ import annotations

import json
from typing import Any

import pytest

from model_manager.engine.embeddings import EmbeddingsRequest
from model_manager.engine.gateway.completions import CompletionRequest
from model_manager.engine.gateway.refusals import body_for
from model_manager.engine.protocol import ChatCompletionRequest
from model_manager.errors import RequestRefused

USER = [{"role": "user", "content": "Hi"}]


def reason(**fields: Any) -> str:
    with pytest.raises(RequestRefused) as caught:
        ChatCompletionRequest.parse(json.dumps({"messages": USER} | fields).encode())
    return caught.value.reason


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"temperature": -1}, "temperature: Input should be greater than or equal to 0"),
        ({"n": 0}, "n: Input should be greater than or equal to 1"),
        ({"top_logprobs": 2}, "top_logprobs: needs logprobs"),
        ({"tool_choice": "often"}, "tool_choice: Input should be 'none', 'auto' or 'required'"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}},
         "response_format.json_schema.schema: Field required"),
        ({"messages": [*USER, {"role": "boss"}]},
         "messages.1.role: Input should be 'system', 'developer', 'user', 'assistant' or 'tool'"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field_as_it_stands_in_the_body(fields: dict[str, Any], expected: str) -> None:
    assert reason(**fields) == expected


def test_a_part_of_a_message_is_blamed_rather_than_the_list_it_is_in() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    told = reason(messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}, audio]}])
    assert told.startswith("messages.0.content.1: ")
    assert "input_audio" in told


def test_a_body_that_is_not_json_has_no_field() -> None:
    with pytest.raises(RequestRefused, match="400: Invalid JSON: "):
        EmbeddingsRequest.parse(b'{"input": ')


@pytest.mark.parametrize("fields", [{"prompt": ""}, {"prompt": []}, {}])
def test_a_completion_needs_something_to_go_on_from(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestRefused, match="prompt: a text is needed"):
        CompletionRequest.parse(fields)


@pytest.mark.parametrize(
    ("told", "param"),
    [("messages.0.role: no", "messages.0.role"), ("n: no", "n"), ("the body is not JSON", None)],
)
def test_the_gateway_tells_the_field_apart(told: str, param: str | None) -> None:
    assert body_for(RequestRefused(400, told), str)["error"]["param"] == param
