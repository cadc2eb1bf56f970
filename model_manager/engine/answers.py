"""One answer between the decode thread, which makes it, and the event loop, which sends it.

Each decoded token becomes one server-sent event, made on the decode thread by gluing bytes, since a JSON
encoder for whole chunks would cost more than everything else here. The event loop is woken once for
whatever has gathered since it last looked; the first token goes out at once, later ones at most `PACE_S`
after they were made, so that several events share a packet when tokens come fast.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

from model_manager.engine.answer_parser import Parts
from model_manager.engine.answer_reader import AnswerPlan, AnswerReader
from model_manager.engine.bodies import (
    logprobs_body,
    recorded_body,
    timings_body,
    tool_call_body,
    usage_body,
)
from model_manager.engine.constraint import Constraint
from model_manager.engine.failures import error_body
from model_manager.engine.jobs import Ending, Verdict
from model_manager.engine.threads import MANY_CORES, n_usable_cores
from model_manager.types import StopReason, TokenLogprobs, ToolCallDelta, Usage

DONE: Final = b"data: [DONE]\n\n"
HEARTBEAT: Final = b": working\n\n"
# Each packet wakes both ends on cores that are busy decoding. Where no core is left free for that, events
# wait for each other this long: on two cores one packet a token took a tenth of the decode rate, 20 a second
# take a twentieth. Measured with `python -m benchmarks.decode`.
PACE_S: Final = 0.05 if n_usable_cores() <= MANY_CORES else 0.0
# Of several answers each comes so slowly that 50 ms gather nothing: 8 of 25 tokens a second.
CROWD_PACE_S: Final = 0.1
_CROWD: Final = 3

_FINISH_REASONS: Final[dict[StopReason, str]] = {
    "stop": "stop",
    "length": "length",
    "context_full": "length",
    "cancelled": "stop",
    "tool_calls": "tool_calls",
    "error": "stop",
}


class Activity(Protocol):
    """What else goes on in the engine."""

    @property
    def n_answers(self) -> int:
        """Answers that are being made."""
        ...

    def touch(self) -> None:
        """The decode thread gave a sign of life."""


class Handle(Protocol):
    """What is being computed."""

    def cancel(self) -> None:
        """End it at once; from any thread, any number of times."""


class Submit(Protocol):
    """Hands an answer to the decode thread; its number moves the seed on."""

    def __call__(self, answer: Answer, number: int) -> Handle: ...  # noqa: D102 - see above


class Answer:
    """The observer of one job, and the stream that a response sends.

    `on_*` run on the decode thread; `events` and `result` belong to the event loop that made this.
    """

    def __init__(self, plan: AnswerPlan, activity: Activity) -> None:
        self._plan = plan
        self._activity = activity
        self._reader = AnswerReader(plan)
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._events: deque[bytes] = deque()
        self._is_signalled = False
        self._is_role_sent = False
        self._told: TokenLogprobs | None = None
        self._logprobs: list[dict[str, Any]] = []
        self._reasoning: list[str] = []
        self._answer: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self._token_ids: list[int] = []
        self._ending: Ending | None = None
        self._created = int(time.time())
        head = {
            "id": plan.id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": plan.model,
        }
        self._head = json.dumps(head)[:-1].encode()
        self._index = plan.index or 0
        self._delta = b"data: " + self._head + b', "choices": [{"index": %d, "delta": {' % self._index

    def conclude(self) -> None:
        """End the reasoning as soon as possible; from any thread."""
        self._reader.conclude()

    @property
    def constraint(self) -> Constraint | None:
        """What its tokens must obey."""
        return self._reader.constraint

    def start(self, submit: Submit) -> Handle:
        """Have it computed."""
        return submit(self, 0)

    # --- decode thread -----------------------------------------------------------------------------------

    def on_prefill(self, done_tokens: int, total_tokens: int) -> None:
        """The prompt is so far read."""
        self._activity.touch()
        if self._plan.wants_progress and not self._index:
            progress = {"coterie": {"prefill": {"done": done_tokens, "total": total_tokens}}, "choices": []}
            self._put(self.event(progress))

    def on_token(self, token_id: int, text: str) -> Verdict:
        """A token was decoded: one event, also when there is nothing to show yet."""
        self._activity.touch()
        was_reasoning = self._reader.in_reasoning
        parts, verdict = self._reader.read(token_id, text)
        told, self._told = self._told, None
        if was_reasoning or self._reader.in_reasoning:
            told = None  # the reasoning's tokens and its markers are not those of the answer
        extension = b"" if self._plan.prompt_tokens is None else self._told_tokens(token_id)
        self._put(self._delta_event(parts, told, extension))
        return verdict

    def on_logprobs(self, told: TokenLogprobs) -> None:
        """The next token's likelihood."""
        self._told = told

    def _told_tokens(self, token_id: int) -> bytes:
        """The extension of a delta that names its token, and in the first one those of the prompt."""
        told: dict[str, Any] = {"token": token_id}
        if not self._token_ids:
            told["prompt_tokens"] = self._plan.prompt_tokens
        self._token_ids.append(token_id)
        return b', "coterie": ' + json.dumps(told).encode()

    def on_end(self, ending: Ending) -> None:
        """The answer is over."""
        self._activity.touch()
        rest = self._reader.finish()
        if rest.reasoning or rest.answer or rest.calls:
            self._put(self._delta_event(rest))
        if ending.error is not None:
            last = b"data: " + json.dumps(error_body(ending.error)).encode() + b"\n\n"
        else:
            last = self._final_events(ending)
        # In this order: whoever sees the ending also sees the last event, and is always woken for it.
        self._events.append(last if self._plan.index is not None else last + DONE)
        self._ending = ending
        self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._over.set()
        self._wake.set()

    def _put(self, event: bytes) -> None:
        self._events.append(event)
        if not self._is_signalled:
            self._is_signalled = True
            self._loop.call_soon_threadsafe(self._wake.set)

    # --- bytes -------------------------------------------------------------------------------------------

    def _delta_event(self, parts: Parts, told: TokenLogprobs | None = None, extension: bytes = b"") -> bytes:
        fields = [] if self._is_role_sent else ['"role": "assistant"']
        self._is_role_sent = True
        if parts.reasoning:
            self._reasoning.append(parts.reasoning)
            fields.append(f'"reasoning_content": {json.dumps(parts.reasoning)}')
        if parts.answer:
            self._answer.append(parts.answer)
            fields.append(f'"content": {json.dumps(parts.answer)}')
        if parts.calls:
            for call in parts.calls:
                self._gather(call)
            fields.append(f'"tool_calls": {json.dumps([tool_call_body(call) for call in parts.calls])}')
        extra = b"}"
        if told is not None:
            self._logprobs.append(logprobs_body(told))
            extra += b', "logprobs": ' + json.dumps({"content": self._logprobs[-1:]}).encode()
        tail = extra + b', "finish_reason": null}]' + extension + b"}\n\n"
        return self._delta + ", ".join(fields).encode() + tail

    def _gather(self, delta: ToolCallDelta) -> None:
        if delta.name:
            function = {"name": delta.name, "arguments": ""}
            self._calls.append({"id": delta.id, "type": "function", "function": function})
        self._calls[delta.index]["function"]["arguments"] += delta.arguments

    def event(self, fields: dict[str, Any]) -> bytes:
        """An event of this answer with these fields."""
        return b"data: " + self._head + b", " + json.dumps(fields).encode()[1:] + b"\n\n"

    def _final_events(self, ending: Ending) -> bytes:
        reason = _FINISH_REASONS[self._stop_reason(ending)]
        choice = {"index": self._index, "delta": {}, "finish_reason": reason}
        tail = self._tail(ending)
        if self._plan.index is not None:
            return self.event({"choices": [choice], "coterie": tail["coterie"]})
        if self._plan.wants_usage_apart:
            return self.event({"choices": [choice]}) + self.event({"choices": [], **tail})
        return self.event({"choices": [choice], **tail})

    def _stop_reason(self, ending: Ending) -> StopReason:
        """A model that stopped by itself after it has called something waits for the result."""
        return "tool_calls" if ending.stop_reason == "stop" and self._calls else ending.stop_reason

    def _tail(self, ending: Ending) -> dict[str, Any]:
        return {"usage": usage_body(self.usage(ending)), "coterie": self._facts(ending)}

    def usage(self, ending: Ending) -> Usage:
        """The tokens that it took."""
        return Usage(
            prompt_tokens=ending.prompt_tokens,
            cached_tokens=ending.cached_tokens,
            completion_tokens=ending.completion_tokens,
            reasoning_tokens=self._reader.reasoning_tokens,
        )

    def _facts(self, ending: Ending) -> dict[str, Any]:
        return {
            "timings": timings_body(ending.timings),
            "stop_reason": self._stop_reason(ending),
            "seed": ending.seed,
            "reasoning_ended_by": self._reader.reasoning_ended_by,
            "dropped_reasoning_tokens": self._plan.dropped_reasoning_tokens,
            **self._routing(ending),
            "speculation": {
                "drafted_tokens": ending.drafted_tokens,
                "accepted_tokens": ending.accepted_tokens,
            },
        }

    def _routing(self, ending: Ending) -> dict[str, Any]:
        if not self._plan.wants_routing:
            return {}
        return {"routing": None if ending.routing is None else recorded_body(ending.routing)}

    # --- event loop --------------------------------------------------------------------------------------

    @property
    def ending(self) -> Ending | None:
        """How it ended; None while it goes on."""
        return self._ending

    async def events(self) -> AsyncIterator[bytes]:
        """Bytes to send, as soon as there are any; ends with the answer."""
        while True:
            self._is_signalled = False  # before looking: what comes later signals again
            if not self._events:
                await self._wake.wait()
            self._is_signalled = True  # what comes during the pause is found after it, without a signal
            self._wake.clear()
            is_over = self._ending is not None
            gathered = bytearray()
            while self._events:
                gathered += self._events.popleft()
            if gathered:
                yield bytes(gathered)
            if is_over:
                return
            if PACE_S:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), self._pause_s())

    def _pause_s(self) -> float:
        """Until the next packet; at the same moments for all answers, so that few of them wake us."""
        pace_s = PACE_S if self._activity.n_answers < _CROWD else CROWD_PACE_S
        return pace_s - self._loop.time() % pace_s

    def beat(self) -> None:
        """Send a comment, to show the reader that the engine is alive; on the event loop."""
        self._put(HEARTBEAT)

    def result(self) -> dict[str, Any]:
        """The whole answer as one `chat.completion`, after `events` has ended without an error."""
        assert self._ending is not None
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._answer)}
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        if self._calls:
            message["tool_calls"] = self._calls
            message["content"] = message["content"] or None
        tail = self._tail(self._ending)
        if self._plan.prompt_tokens is not None:
            tail["coterie"]["tokens"] = {"prompt": list(self._plan.prompt_tokens), "answer": self._token_ids}
        return {
            "id": self._plan.id,
            "object": "chat.completion",
            "created": self._created,
            "model": self._plan.model,
            "choices": [
                {
                    "index": self._index,
                    "message": message,
                    "logprobs": {"content": self._logprobs} if self._plan.wants_logprobs else None,
                    "finish_reason": _FINISH_REASONS[self._stop_reason(self._ending)],
                }
            ],
            **tail,
        }
