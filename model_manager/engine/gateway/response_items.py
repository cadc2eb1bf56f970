"""The output of a response: its items as they grow, and the events that tell of it.

    reasoning        response.reasoning_text.delta, .done
    message          response.output_text.delta, .done
    function_call    response.function_call_arguments.delta, .done

each between `response.output_item.added` and `.done`, texts also between `response.content_part.added` and
`.done`.
Source: the types of the official client, openai 3.54, `openai/types/responses`
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

Event = dict[str, Any]


class Items:
    """Takes the deltas of a chat completion; yields events without their sequence numbers.

    Attributes:
        output: The items that are complete, as they stand in a response.
    """

    def __init__(self) -> None:
        self.output: list[dict[str, Any]] = []
        self._open: _Text | _Call | None = None
        self._call_index: int | None = None

    def take(self, delta: dict[str, Any], logprobs: Any = None) -> Iterator[Event]:
        """A delta of a stream, or the message of a whole answer."""
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            yield from self._text("reasoning", reasoning, [])
        text = delta.get("content")
        if isinstance(text, str) and text:
            yield from self._text("message", text, _tokens(logprobs))
        for index, call in enumerate(delta.get("tool_calls") or ()):
            yield from self._call(int(call.get("index", index)), call)

    def finish(self, status: str = "completed") -> Iterator[Event]:
        """Nothing follows; the last item has this status."""
        if self._open is not None:
            yield from self._open.close(status)
            self.output.append(self._open.item(status))
            self._open = None

    def _text(self, kind: str, text: str, logprobs: list[dict[str, Any]]) -> Iterator[Event]:
        if not (isinstance(self._open, _Text) and self._open.kind == kind):
            yield from self.finish()
            self._open = _Text(kind, len(self.output))
            yield from self._open.begin()
        yield self._open.add(text, logprobs)

    def _call(self, index: int, call: dict[str, Any]) -> Iterator[Event]:
        function = call.get("function") or {}
        if not isinstance(self._open, _Call) or index != self._call_index:
            yield from self.finish()
            call_id = str(call.get("id") or f"call_{secrets.token_hex(12)}")
            self._open = _Call(call_id, str(function.get("name") or ""), len(self.output))
            self._call_index = index
            yield from self._open.begin()
        if function.get("arguments"):
            yield self._open.add(str(function["arguments"]))


class _Text:
    """A text in the making, of the reasoning or of the answer."""

    def __init__(self, kind: str, output_index: int) -> None:
        self.kind = kind
        self._is_answer = kind == "message"
        self._id = f"{'msg' if self._is_answer else 'rs'}_{secrets.token_hex(12)}"
        self._event = "response.output_text" if self._is_answer else "response.reasoning_text"
        self._place = {"item_id": self._id, "output_index": output_index, "content_index": 0}
        self._output_index = output_index
        self._pieces: list[str] = []
        self._logprobs: list[dict[str, Any]] = []

    def item(self, status: str) -> dict[str, Any]:
        item = {"id": self._id, "type": self.kind, "status": status}
        parts = [] if status == "in_progress" else [self._part()]
        more = (
            {"role": "assistant", "content": parts} if self._is_answer else {"summary": [], "content": parts}
        )
        return item | more

    def begin(self) -> Iterator[Event]:
        yield {
            "type": "response.output_item.added",
            "output_index": self._output_index,
            "item": self.item("in_progress"),
        }
        yield {"type": "response.content_part.added", **self._place, "part": self._part()}

    def add(self, text: str, logprobs: list[dict[str, Any]]) -> Event:
        self._pieces.append(text)
        self._logprobs += logprobs
        more = {"logprobs": logprobs} if self._is_answer else {}
        return {"type": f"{self._event}.delta", **self._place, "delta": text, **more}

    def close(self, status: str) -> Iterator[Event]:
        more = {"logprobs": self._logprobs} if self._is_answer else {}
        yield {"type": f"{self._event}.done", **self._place, "text": "".join(self._pieces), **more}
        yield {"type": "response.content_part.done", **self._place, "part": self._part()}
        yield {
            "type": "response.output_item.done",
            "output_index": self._output_index,
            "item": self.item(status),
        }

    def _part(self) -> dict[str, Any]:
        text = "".join(self._pieces)
        if not self._is_answer:
            return {"type": "reasoning_text", "text": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": self._logprobs}


class _Call:
    """A call of a function in the making."""

    def __init__(self, call_id: str, name: str, output_index: int) -> None:
        self._id = f"fc_{secrets.token_hex(12)}"
        self._call_id = call_id
        self._name = name
        self._output_index = output_index
        self._arguments = ""

    def item(self, status: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "function_call",
            "status": status,
            "call_id": self._call_id,
            "name": self._name,
            "arguments": self._arguments,
        }

    def begin(self) -> Iterator[Event]:
        yield {
            "type": "response.output_item.added",
            "output_index": self._output_index,
            "item": self.item("in_progress"),
        }

    def add(self, text: str) -> Event:
        self._arguments += text
        return {
            "type": "response.function_call_arguments.delta",
            "item_id": self._id,
            "output_index": self._output_index,
            "delta": text,
        }

    def close(self, status: str) -> Iterator[Event]:
        yield {
            "type": "response.function_call_arguments.done",
            "item_id": self._id,
            "output_index": self._output_index,
            "name": self._name,
            "arguments": self._arguments,
        }
        yield {
            "type": "response.output_item.done",
            "output_index": self._output_index,
            "item": self.item(status),
        }


def _tokens(logprobs: Any) -> list[dict[str, Any]]:
    """Log probabilities of a delta; a chat completion has them in nearly the same form."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    return [{"top_logprobs": [], **token} for token in content or ()]
