"""`POST /v1/responses`: made of chat completions. Nothing is kept: requests bring whole conversations."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterable
from typing import Any, Final

from model_manager.engine.failures import error_from
from model_manager.engine.gateway.relay import Call, NobodyReads, Relay
from model_manager.engine.gateway.replies import Making, events_in
from model_manager.engine.gateway.response_items import Event, Items
from model_manager.engine.gateway.response_request import ResponseRequest
from model_manager.errors import ModelManagerError

log = logging.getLogger(__name__)

_CHAT_PATH: Final = "/v1/chat/completions"


class Responding:
    """Makes the answer of one request."""

    def __init__(self, relay: Relay, call: Call) -> None:
        """Check the request.

        Raises:
            RequestRefused: It asks for what is not supported.
        """
        self._relay = relay
        self._request = ResponseRequest.parse(call.fields)
        self._call = call.with_fields(self._request.chat_fields(call.fields), _CHAT_PATH)
        self._items = Items()
        self._n_events = 0
        self._head = self._echo(call)

    async def make(self, reply: Making) -> None:
        """Whole or streamed, as was asked."""
        if self._request.stream:
            await self._stream(reply)
            return
        answer = await self._relay.ask(self._call)
        choice = answer["choices"][0]
        for _ in self._items.take(choice["message"], choice.get("logprobs")):
            pass
        await reply.whole(self._ended(choice.get("finish_reason"), answer.get("usage"))[0])

    # --- streamed ----------------------------------------------------------------------------------------

    async def _stream(self, reply: Making) -> None:
        reason: str | None = None
        usage: dict[str, Any] | None = None
        async with self._relay.open(self._call) as upstream:
            await reply.begin()
            begun = self._response("in_progress", None)
            first = [
                {"type": name, "response": begun} for name in ("response.created", "response.in_progress")
            ]
            await self._tell(reply, first)
            try:
                async for chunk in events_in(upstream.chunks()):
                    if "error" in chunk:
                        raise error_from(chunk, 500)
                    usage = chunk.get("usage") or usage
                    for choice in chunk.get("choices", ()):
                        events = self._items.take(choice.get("delta") or {}, choice.get("logprobs"))
                        await self._tell(reply, events)
                        reason = choice.get("finish_reason") or reason
            except (NobodyReads, TimeoutError):
                raise
            except Exception as error:
                if isinstance(error, ModelManagerError):
                    log.info("a response failed: %s: %s", type(error).__name__, error)
                else:
                    log.error("a response failed", exc_info=error)
                await self._tell(reply, self._failed(reply.sentence(error)))
                await reply.end()
                return
        response, last = self._ended(reason, usage)
        await self._tell(reply, [*last, {"type": f"response.{response['status']}", "response": response}])
        await reply.end()

    async def _tell(self, reply: Making, events: Iterable[Event]) -> None:
        told = bytearray()
        for event in events:
            body = json.dumps(event | {"sequence_number": self._n_events})
            self._n_events += 1
            told += f"event: {event['type']}\ndata: {body}\n\n".encode()
        if told:
            await reply.write(bytes(told))

    # --- the object --------------------------------------------------------------------------------------

    def _ended(self, reason: str | None, usage: dict[str, Any] | None) -> tuple[dict[str, Any], list[Event]]:
        """The finished response, and the events of its last item."""
        status = "incomplete" if reason == "length" else "completed"
        events = list(self._items.finish(status))
        response = self._response(status, usage)
        if status == "incomplete":
            response["incomplete_details"] = {"reason": "max_output_tokens"}
        return response, events

    def _failed(self, sentence: str) -> list[Event]:
        events = list(self._items.finish("incomplete"))
        error = {"code": "server_error", "message": sentence}
        response = self._response("failed", None) | {"error": error}
        return [*events, {"type": "response.failed", "response": response}]

    def _response(self, status: str, usage: dict[str, Any] | None) -> dict[str, Any]:
        return self._head | {
            "status": status,
            "completed_at": int(time.time()) if status == "completed" else None,
            "output": list(self._items.output),
            "usage": _usage(usage) if usage is not None else None,
        }

    def _echo(self, call: Call) -> dict[str, Any]:
        request = self._request
        text_format = request.text.format if request.text is not None else None
        reasoning = request.reasoning
        return {
            "id": f"resp_{secrets.token_hex(16)}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "metadata": request.metadata or {},
            "model": call.model_id,
            "output": [],
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "previous_response_id": None,
            "reasoning": {
                "effort": reasoning.effort if reasoning else None,
                "summary": reasoning.summary if reasoning else None,
            },
            "store": False,
            "temperature": request.temperature,
            "text": {"format": text_format or {"type": "text"}},
            "tool_choice": request.tool_choice or "auto",
            "tools": request.tools or [],
            "top_logprobs": request.top_logprobs or 0,
            "top_p": request.top_p,
            "truncation": "disabled",
            "usage": None,
            "user": request.user,
        }


def _usage(told: dict[str, Any]) -> dict[str, Any]:
    prompt, completion = told.get("prompt_tokens_details") or {}, told.get("completion_tokens_details") or {}
    return {
        "input_tokens": told.get("prompt_tokens", 0),
        "input_tokens_details": {"cached_tokens": prompt.get("cached_tokens", 0), "cache_write_tokens": 0},
        "output_tokens": told.get("completion_tokens", 0),
        "output_tokens_details": {"reasoning_tokens": completion.get("reasoning_tokens", 0)},
        "total_tokens": told.get("total_tokens", 0),
    }
