"""Makes events of a stream of chat completions, from our engines and from everybody else's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, get_args

from model_manager.engine.bodies import (
    guesses_from,
    logprobs_from,
    recorded_from,
    timings_from,
    tool_calls_from,
    usage_from,
)
from model_manager.engine.failures import error_from
from model_manager.errors import AnswerUnreadable
from model_manager.types import (
    ChatEvent,
    ChatFinished,
    Guesses,
    PrefillProgress,
    ReasoningDelta,
    RecordedRouting,
    StopReason,
    TextDelta,
    ThinkingEnd,
    Timings,
    TokenIds,
    Usage,
)

EVENT_STREAM: Final = "text/event-stream"
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
_MAX_TOKEN_ID: Final = 1 << 31
_FINISH_REASONS: Final[dict[str, StopReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
}
_STOP_REASONS: Final[frozenset[str]] = frozenset(
    {"stop", "length", "cancelled", "context_full", "tool_calls", "error"}
)


class StreamReader:
    """Makes events of the lines of one stream, and measures what the server does not tell."""

    def __init__(self) -> None:
        self.is_done = False
        self.stop_reason: StopReason | None = None
        self._started_at_s = time.perf_counter()
        self._first_token_at_s: float | None = None
        self._last_token_at_s = 0.0
        self._prompt_tokens = 0
        self._n_reasoning = 0
        self._n_tokens = 0
        self._usage: Usage | None = None
        self._timings: Timings | None = None
        self._seed: int | None = None
        self._guesses: Guesses | None = None
        self._dropped_reasoning_tokens = 0
        self._reasoning_ended_by: ThinkingEnd | None = None
        self._prompt_ids: tuple[int, ...] | None = None
        self._answer_ids: list[int] = []
        self._routing: RecordedRouting | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there was a token."""
        return self._n_tokens > 0

    def read(self, line: bytes, status: int) -> Iterator[ChatEvent]:
        """Take one line of a stream of server-sent events; comments and other fields are passed over."""
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self.is_done = True
            return
        chunk = json_or_none(data)
        if not isinstance(chunk, dict):
            raise AnswerUnreadable("an event is not a JSON object")
        if "error" in chunk:
            raise error_from(chunk, status)
        ours = chunk.get("coterie")
        if isinstance(ours, dict):
            yield from self._read_extension(ours)
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self._usage = usage_from(usage)
        choices = chunk.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            yield from self._read_choice(choices[0])

    def _read_extension(self, ours: dict[str, Any]) -> Iterator[ChatEvent]:
        if "token" in ours:
            self._answer_ids += _token_ids([ours["token"]])
            if "prompt_tokens" in ours:
                self._prompt_ids = tuple(_token_ids(ours["prompt_tokens"]))
            return
        prefill = ours.get("prefill")
        if isinstance(prefill, dict):
            done, total = prefill.get("done"), prefill.get("total")
            if isinstance(done, int) and isinstance(total, int):
                self._prompt_tokens = total
                yield PrefillProgress(done, total)
        if isinstance(ours.get("timings"), dict):
            self._timings = timings_from(ours["timings"])
        self._guesses = guesses_from(ours.get("speculation")) or self._guesses
        if ours.get("stop_reason") in _STOP_REASONS:
            self.stop_reason = ours["stop_reason"]
        dropped = ours.get("dropped_reasoning_tokens")
        if type(dropped) is int and dropped >= 0:
            self._dropped_reasoning_tokens = dropped
        if ours.get("reasoning_ended_by") in get_args(ThinkingEnd):
            self._reasoning_ended_by = ours["reasoning_ended_by"]
        if isinstance(ours.get("seed"), int):
            self._seed = ours["seed"]
        if isinstance(ours.get("routing"), dict):
            self._routing = recorded_from(ours["routing"])

    def _read_choice(self, choice: dict[str, Any]) -> Iterator[ChatEvent]:
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
            yield from (logprobs_from(entry) for entry in logprobs["content"] if isinstance(entry, dict))
        delta = choice.get("delta")
        if isinstance(delta, dict) and choice.get("finish_reason") is None:
            self._note_token()
            # `reasoning` is what some servers call it.
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            if isinstance(reasoning, str):
                self._n_reasoning += 1
                yield ReasoningDelta(reasoning)
        if isinstance(delta, dict):
            text = delta.get("content")
            if isinstance(text, str) and text:
                yield TextDelta(text)
            yield from tool_calls_from(delta.get("tool_calls"))
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and self.stop_reason is None:
            self.stop_reason = _FINISH_REASONS.get(reason, "stop")

    def _note_token(self) -> None:
        self._n_tokens += 1
        self._last_token_at_s = time.perf_counter()
        if self._first_token_at_s is None:
            self._first_token_at_s = self._last_token_at_s

    def finish_as(self, reason: StopReason) -> ChatFinished:
        """The last event, with the server's numbers where there are any, else with what was seen here."""
        usage = self._usage or Usage(self._prompt_tokens, 0, self._n_tokens, self._n_reasoning)
        usage = replace(usage, dropped_reasoning_tokens=self._dropped_reasoning_tokens)
        tokens = None if self._prompt_ids is None else TokenIds(self._prompt_ids, tuple(self._answer_ids))
        return ChatFinished(
            reason,
            usage,
            self._timings or self._measured(),
            self._seed,
            tokens,
            self._routing,
            self._guesses,
            self._reasoning_ended_by,
        )

    def _measured(self) -> Timings:
        if self._first_token_at_s is None:
            return Timings(None, None, None)
        elapsed_s = self._last_token_at_s - self._first_token_at_s
        rate = (self._n_tokens - 1) / elapsed_s if elapsed_s > 0 else None
        return Timings((self._first_token_at_s - self._started_at_s) * 1000, None, rate)


def _token_ids(value: object) -> list[int]:
    if isinstance(value, list) and all(type(id_) is int and 0 <= id_ < _MAX_TOKEN_ID for id_ in value):
        return value
    raise AnswerUnreadable("an event has token ids that are none")


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines of a body. Only line feeds end one: JSON may hold the other separators of Unicode."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > MAX_EVENT_BYTES:
            raise AnswerUnreadable("an event is too large")
    if rest:
        yield rest


def check_type(told: str, wanted: str) -> None:
    """See that an answer is what was asked for, before it is read.

    Raises:
        AnswerUnreadable: Its `Content-Type` is another one than `wanted`.
    """
    if told.partition(";")[0].strip().lower() != wanted:
        raise AnswerUnreadable(f"{told or 'something'} where {wanted} is expected")


def json_or_none(data: bytes) -> object:
    """What the text means; None where it is not JSON."""
    try:
        return json.loads(data)
    except ValueError:
        return None
