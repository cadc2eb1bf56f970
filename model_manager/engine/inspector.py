"""Asks a worker what goes on inside its model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from model_manager.engine.client import Cancel, EngineClient
from model_manager.engine.failures import error_from
from model_manager.engine.routing import Routing, joined, routing_from
from model_manager.engine.stream_reader import json_or_none, lines_of
from model_manager.errors import AnswerUnreadable, EngineBrokeOff

_SILENCE_S = 120.0

OnProgress = Callable[[int, int], None]


def replay_routing(
    client: EngineClient,
    tokens: Sequence[int],
    first: int = 0,
    cancel: Cancel | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Routing:
    """Have tokens computed once more, and see which experts they go to.

    Args:
        client: Of a worker of ours that holds the model.
        tokens: From the beginning of the prompt to the last one that is wanted.
        first: Index of the first one that is wanted.
        cancel: Ends it from another thread.
        on_progress: Told how many tokens of how many are computed.

    Raises:
        TracingUnavailable: This build of llama.cpp does not show it.
        EmptyPrompt, PromptTooLong, RequestRefused: These tokens cannot be computed.
        DecodeFailed, LoadFailed: The computing failed, for want of memory as a rule.
        EngineDied, EngineStalled: The worker says nothing more.
        EngineUnreachable: The same, or it was cancelled.
    """
    cancel = cancel or Cancel()
    body = json.dumps({"tokens": list(tokens), "first": first, "stream": True}).encode()
    parts: list[Routing] = []
    is_done = False
    with client.forward("/coterie/v1/routing", body, cancel, read_timeout_s=_SILENCE_S) as answer:
        if answer.status != 200:
            content = b"".join(answer.chunks)
            raise error_from(json_or_none(content), answer.status)
        for line in lines_of(answer.chunks):
            if not line.startswith(b"data:"):
                continue
            if (data := line[5:].strip()) == b"[DONE]":
                is_done = True
                break
            event = json_or_none(data)
            if not isinstance(event, dict):
                raise AnswerUnreadable("an event is not a JSON object")
            if "error" in event:
                raise error_from(event, answer.status)
            on_progress(int(event.get("done") or 0), int(event.get("total") or 0))
            if "routing" in event:
                parts.append(routing_from(event["routing"]))
    if not is_done or not parts:
        raise EngineBrokeOff(client.address, "the stream ended early")
    return joined(parts)
