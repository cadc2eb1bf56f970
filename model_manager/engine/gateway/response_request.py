"""A request of OpenAI's Responses API as a chat completion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_manager.engine.checking import refusal
from model_manager.engine.protocol import EXTENSION_REQUEST_FIELDS
from model_manager.errors import RequestRefused

_PASSED_ON: Final = (
    *(name for name in EXTENSION_REQUEST_FIELDS if name != "prompt"),
    "model",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "logit_bias",
    "presence_penalty",
    "frequency_penalty",
    "parallel_tool_calls",
)
_TEXT_PARTS: Final = frozenset({"input_text", "output_text", "text"})


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TextOptions(_Lenient):
    """The form of the text."""

    format: dict[str, Any] | None = None


class ReasoningOptions(_Lenient):
    """How much thinking."""

    effort: str | None = None
    summary: str | None = None


class ResponseRequest(_Lenient):
    """The body of `POST /v1/responses`. None everywhere means: the engine's default."""

    input: str | list[dict[str, Any]]
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream: bool = False
    tools: list[dict[str, Any]] | None = None
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    include: list[str] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    metadata: dict[str, str] | None = None
    truncation: str | None = None
    user: str | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    prompt: Any = None
    background: bool | None = None

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> ResponseRequest:
        """Read a request.

        Raises:
            RequestRefused: It lacks something or asks for what is not supported.
        """
        try:
            parsed = cls.model_validate(fields)
        except ValidationError as error:
            raise refusal(error, fields) from None
        if parsed.previous_response_id is not None or parsed.conversation is not None:
            raise RequestRefused(
                400, "previous_response_id: no answer is kept here; send the whole conversation as input"
            )
        if parsed.background:
            raise RequestRefused(400, "background: an answer ends with its connection")
        if parsed.prompt is not None:
            raise RequestRefused(400, "prompt: there are no stored prompts here; use instructions")
        return parsed

    @property
    def wants_logprobs(self) -> bool:
        """Whether log probabilities are part of the output."""
        return self.top_logprobs is not None or "message.output_text.logprobs" in (self.include or ())

    def chat_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The body of the chat completion.

        Raises:
            RequestRefused: It asks for what is not supported.
        """
        chat: dict[str, Any] = {name: fields[name] for name in _PASSED_ON if fields.get(name) is not None}
        chat |= {"messages": self._messages(), "stream": self.stream}
        if self.stream:
            chat["stream_options"] = {"include_usage": True}
        if self.max_output_tokens is not None:
            chat["max_completion_tokens"] = self.max_output_tokens
        if self.reasoning is not None and self.reasoning.effort is not None:
            chat["reasoning_effort"] = self.reasoning.effort
        if self.wants_logprobs:
            chat |= {"logprobs": True, "top_logprobs": self.top_logprobs or 0}
        if self.tools:
            chat["tools"] = [_tool(tool) for tool in self.tools]
            if self.tool_choice is not None:
                chat["tool_choice"] = _tool_choice(self.tool_choice)
        if self.text is not None and self.text.format is not None:
            chat["response_format"] = _response_format(self.text.format)
        return chat

    def _messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        if self.instructions:
            messages.append({"role": "system", "content": self.instructions})
        if isinstance(self.input, str):
            return [*messages, {"role": "user", "content": self.input}]
        return messages + _turns(self.input)


def _turns(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages of the items; reasoning and calls of functions become part of the assistant's turn."""
    turns: list[dict[str, Any]] = []
    reasoning = ""
    for item in items:
        match item.get("type", "message"):
            case "message":
                turn = {"role": item.get("role", "user"), "content": _content(item.get("content"))}
                if reasoning and turn["role"] == "assistant":
                    turn["reasoning_content"], reasoning = reasoning, ""
                turns.append(turn)
            case "reasoning":
                parts = item.get("content") or item.get("summary") or ()
                reasoning += "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
            case "function_call":
                if not turns or "tool_calls" not in turns[-1]:
                    turns.append({"role": "assistant", "content": None, "tool_calls": []})
                    if reasoning:
                        turns[-1]["reasoning_content"], reasoning = reasoning, ""
                turns[-1]["tool_calls"].append(
                    {
                        "id": item.get("call_id"),
                        "type": "function",
                        "function": {"name": item.get("name"), "arguments": item.get("arguments")},
                    }
                )
            case "function_call_output":
                content = _content(item.get("output"))
                turns.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
            case "item_reference":
                raise RequestRefused(400, "input: no item is kept here; send the whole conversation")
            case other:
                raise RequestRefused(400, f"input: items of the type {other} are not supported")
    return turns


def _content(content: object) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise RequestRefused(400, "input: a message needs content")
    parts: list[dict[str, Any]] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _TEXT_PARTS:
            parts.append({"type": "text", "text": part.get("text")})
        elif kind == "refusal":
            parts.append({"type": "text", "text": part.get("refusal")})
        elif kind == "input_image" and isinstance(part.get("image_url"), str):
            parts.append({"type": "image_url", "image_url": {"url": part["image_url"]}})
        else:
            raise RequestRefused(400, f"input: parts of the type {kind} are not supported")
    return parts


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise RequestRefused(400, f"tools: only functions are supported, not {tool.get('type')}")
    return {"type": "function", "function": {name: tool[name] for name in tool if name != "type"}}


def _tool_choice(choice: str | dict[str, Any]) -> str | dict[str, Any]:
    if isinstance(choice, str):
        return choice
    match choice.get("type"):
        case "function":
            return _named(choice)
        case "allowed_tools":
            allowed = [_named(tool) for tool in choice.get("tools") or () if isinstance(tool, dict)]
            return {"type": "allowed_tools", "allowed_tools": {"mode": choice.get("mode"), "tools": allowed}}
        case other:
            raise RequestRefused(400, f"tool_choice: {other} is not supported; only functions can be called")


def _named(tool: dict[str, Any]) -> dict[str, Any]:
    return {"type": tool.get("type"), "function": {"name": tool.get("name")}}


def _response_format(wanted: dict[str, Any]) -> dict[str, Any]:
    if wanted.get("type") != "json_schema":
        return {"type": wanted.get("type")}
    return {"type": "json_schema", "json_schema": {name: wanted[name] for name in wanted if name != "type"}}
