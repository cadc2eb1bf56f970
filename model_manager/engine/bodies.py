"""The JSON that goes from us to engines and clients, and how ours is read again. See docs/api.md."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any, Final, get_args

from model_manager.engine import images
from model_manager.engine.placements import placement_body, placement_from
from model_manager.errors import GrammarRefused
from model_manager.types import (
    IMPOSSIBLE_LOGPROB,
    ChatMessage,
    ChatRequest,
    EngineInfo,
    Guesses,
    Likelihood,
    OutputFormat,
    RecordedRouting,
    Speculation,
    Timings,
    TokenLogprobs,
    ToolCallDelta,
    Usage,
)

MAX_TOOL_CALLS: Final = 1024
"""Of one answer; a server that counts further is not believed."""


def request_body(request: ChatRequest, *, request_id: str | None) -> dict[str, Any]:
    """The body of a streaming request.

    Args:
        request: What to ask.
        request_id: Names the answer for the control routes; None for a server that is not ours, which then
            gets the fields of OpenAI's schema only.

    Raises:
        GrammarRefused: The answer shall obey a grammar, and the server is not ours.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message_body(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    if sampling.max_tokens is not None:
        body["max_tokens"] = sampling.max_tokens
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
    if sampling.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    if request.output is not None:
        body |= _output_body(request.output, is_ours=request_id is not None)
    if request.tools:
        body |= _tools_body(request)
    if request_id is None:
        if request.thinking == "off":
            body["reasoning_effort"] = "none"
        elif request.reasoning_effort is not None:
            body["reasoning_effort"] = request.reasoning_effort
        return body
    return body | {
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "top_n_sigma": sampling.top_n_sigma,
        "xtc_probability": sampling.xtc_probability,
        "xtc_threshold": sampling.xtc_threshold,
        "dry_multiplier": sampling.dry_multiplier,
        "dry_base": sampling.dry_base,
        "dry_allowed_length": sampling.dry_allowed_length,
        "min_tokens": sampling.min_tokens,
        "ignore_eos": sampling.ignore_end,
        "thinking": request.thinking,
        "think_budget_tokens": request.think_budget_tokens,
        "think_nudge_tokens": request.think_nudge_tokens,
        "think_nudge_text": request.think_nudge_text,
        "reasoning_history": request.reasoning_history,
        "reasoning_effort": request.reasoning_effort,
        "continue_final_message": request.continues,
        "return_progress": True,
        "return_tokens": request.return_tokens,
        "return_routing": request.return_routing,
        "conversation": request.conversation,
        "request_id": request_id,
    }


def _output_body(output: OutputFormat, *, is_ours: bool) -> dict[str, Any]:
    if output.grammar is None:
        wanted = {"name": "answer", "strict": True, "schema": output.schema}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}
    if not is_ours:
        # It would be ignored, and the answer taken for one that obeys.
        raise GrammarRefused("this engine is not one of ours: it takes JSON schemas, but no grammars")
    return {"grammar": output.grammar}


def _message_body(message: ChatMessage) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        body["content"] = _content_parts(message)
    if message.reasoning:
        body["reasoning_content"] = message.reasoning
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in message.tool_calls
        ]
    if message.role == "tool":
        body["tool_call_id"] = message.tool_call_id
    return body


def _tools_body(request: ChatRequest) -> dict[str, Any]:
    choice: Any = request.tool_choice.mode
    if request.tool_choice.name:
        choice = {"type": "function", "function": {"name": request.tool_choice.name}}
    functions = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        | ({"strict": True} if tool.strict else {})
        for tool in request.tools
    ]
    return {
        "tools": [{"type": "function", "function": function} for function in functions],
        "tool_choice": choice,
        "parallel_tool_calls": request.parallel_tool_calls,
    }


def _content_parts(message: ChatMessage) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    start = 0
    for image in message.images:
        parts.append({"type": "text", "text": message.content[start : image.offset]})
        parts.append({"type": "image_url", "image_url": {"url": images.to_data_url(image.data)}})
        start = image.offset
    parts.append({"type": "text", "text": message.content[start:]})
    return [part for part in parts if part.get("text") != ""]


# --- values in answers -----------------------------------------------------------------------------------


def usage_body(usage: Usage) -> dict[str, Any]:
    """OpenAI's shape of usage."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def usage_from(body: Mapping[str, Any]) -> Usage:
    """Read what any OpenAI-compatible server sends; what it leaves out is 0."""
    prompt_details = _mapping(body.get("prompt_tokens_details"))
    completion_details = _mapping(body.get("completion_tokens_details"))
    return Usage(
        prompt_tokens=_count(body.get("prompt_tokens")),
        cached_tokens=_count(prompt_details.get("cached_tokens")),
        completion_tokens=_count(body.get("completion_tokens")),
        reasoning_tokens=_count(completion_details.get("reasoning_tokens")),
    )


def timings_body(timings: Timings) -> dict[str, float | None]:
    """The extension field `timings`."""
    return {
        "ttft_ms": timings.ttft_ms,
        "prefill_tokens_per_s": timings.prefill_tokens_per_s,
        "decode_tokens_per_s": timings.decode_tokens_per_s,
    }


def guesses_from(body: object) -> Guesses | None:
    """The extension field `speculation`; None where there is none."""
    if not isinstance(body, Mapping):
        return None
    return Guesses(_count(body.get("drafted_tokens")), _count(body.get("accepted_tokens")))


def timings_from(body: Mapping[str, Any]) -> Timings:
    """The inverse of `timings_body`."""
    return Timings(
        _number(body.get("ttft_ms")),
        _number(body.get("prefill_tokens_per_s")),
        _number(body.get("decode_tokens_per_s")),
    )


def tool_call_body(delta: ToolCallDelta) -> dict[str, Any]:
    """OpenAI's shape of a piece of a tool call."""
    function = {"arguments": delta.arguments}
    if not delta.name:
        return {"index": delta.index, "function": function}
    function = {"name": delta.name, **function}
    return {"index": delta.index, "id": delta.id, "type": "function", "function": function}


def tool_calls_from(entries: object) -> list[ToolCallDelta]:
    """The inverse of `tool_call_body` for the calls of one delta; what is none is passed over."""
    found = []
    for entry in entries if isinstance(entries, list) else ():
        told = _mapping(entry)
        function = _mapping(told.get("function"))
        index = told.get("index")
        if type(index) is int and 0 <= index < MAX_TOOL_CALLS:
            call_id, name, arguments = told.get("id"), function.get("name"), function.get("arguments")
            found.append(
                ToolCallDelta(
                    index,
                    call_id if isinstance(call_id, str) else "",
                    name if isinstance(name, str) else "",
                    arguments if isinstance(arguments, str) else "",
                )
            )
    return found


def logprobs_body(told: TokenLogprobs) -> dict[str, Any]:
    """One entry of `logprobs.content`."""
    return {**_likelihood_body(told.chosen), "top_logprobs": [_likelihood_body(one) for one in told.top]}


def logprobs_from(body: Mapping[str, Any]) -> TokenLogprobs:
    """Read an entry of any OpenAI-compatible server."""
    top = body.get("top_logprobs")
    alternatives = top if isinstance(top, list) else []
    return TokenLogprobs(
        _likelihood_from(body), tuple(_likelihood_from(one) for one in alternatives if isinstance(one, dict))
    )


def _likelihood_body(one: Likelihood) -> dict[str, Any]:
    return {
        "id": one.token_id,
        "token": one.piece.decode("utf-8", "replace"),
        "bytes": list(one.piece),
        "logprob": one.logprob,
    }


def _likelihood_from(body: Mapping[str, Any]) -> Likelihood:
    told, token_id = body.get("bytes"), body.get("id")
    is_bytes = isinstance(told, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in told)
    piece = bytes(told) if is_bytes else str(body.get("token") or "").encode("utf-8", "replace")  # type: ignore[arg-type]  # just seen
    logprob = _number(body.get("logprob"))
    return Likelihood(
        token_id if isinstance(token_id, int) else -1,
        piece,
        IMPOSSIBLE_LOGPROB if logprob is None else logprob,
    )


def info_body(info: EngineInfo) -> dict[str, Any]:
    """What `GET /v1/models` and the load events tell of a model."""
    body = {name: getattr(info, name) for name in EngineInfo.__dataclass_fields__}
    return body | {"placement": None if info.placement is None else placement_body(info.placement)}


_INFO_TEXTS: Final = ("name", "architecture", "system_info", "engine", "template_sha256")


def info_from(body: Mapping[str, Any]) -> EngineInfo:
    """The inverse of `info_body`; what a server leaves out is empty."""
    text = {name: str(body.get(name) or "") for name in _INFO_TEXTS}
    counts = {
        name: _count(body.get(name))
        for name in (
            "n_ctx_tokens",
            "n_ctx_train_tokens",
            "n_layers",
            "n_experts",
            "n_experts_used",
            "n_threads",
        )
    }
    flags = {name: bool(body.get(name)) for name in ("can_think", "can_see", "takes_effort")}
    return EngineInfo(
        **text,  # type: ignore[arg-type]  # by name
        **counts,  # type: ignore[arg-type]  # by name
        **flags,  # type: ignore[arg-type]  # by name
        speculation=body["speculation"] if body.get("speculation") in get_args(Speculation) else "off",
        placement=placement_from(body.get("placement")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def recorded_body(recorded: RecordedRouting) -> dict[str, Any]:
    """The extension field `routing`."""
    return {
        "layers": list(recorded.layers),
        "n_tokens": recorded.n_tokens,
        "n_ranks": recorded.n_ranks,
        "experts": base64.b64encode(recorded.experts).decode(),
        "weights": base64.b64encode(recorded.weights).decode(),
    }


def recorded_from(body: Mapping[str, Any]) -> RecordedRouting | None:
    """The inverse of `recorded_body`; None for anything else."""
    try:
        recorded = RecordedRouting(
            layers=tuple(int(layer) for layer in body["layers"]),
            n_tokens=int(body["n_tokens"]),
            n_ranks=int(body["n_ranks"]),
            experts=base64.b64decode(body["experts"], validate=True),
            weights=base64.b64decode(body["weights"], validate=True),
        )
    except (KeyError, TypeError, ValueError):
        return None
    n_bytes = 2 * math.prod(recorded.shape)
    return recorded if len(recorded.experts) == len(recorded.weights) == n_bytes else None
