"""What an engine sends, and whether it is an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, cast

import pytest

from model_manager.engine.client import Cancel, EngineClient, Forwarded
from model_manager.engine.gateway.models import Models, Served
from model_manager.engine.gateway.queue import Queue
from model_manager.engine.gateway.relay import Call, Relay
from model_manager.errors import AnswerUnreadable, EngineBrokeOff

EVENT_STREAM = "text/event-stream"


class Engine:
    """Sends what it was told to."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self.answer = Forwarded(200, content_type, iter([body[:7], body[7:]]))

    @contextlib.contextmanager
    def forward(self, *_: object, **__: object) -> Iterator[Forwarded]:
        yield self.answer


class OneModel:
    """Has nothing but this engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextlib.contextmanager
    def use(self, _model_id: str, _cancel: Cancel) -> Iterator[Served]:
        yield Served(cast("EngineClient", self._engine))


def received(body: bytes, content_type: str, *, is_stream: bool) -> bytes:
    """What comes out of the relay."""
    relay = Relay(cast("Models", OneModel(Engine(body, content_type))), Queue(4))
    call = Call("/v1/chat/completions", "far", {}, b"{}", "me", 4, is_stream)

    async def read() -> bytes:
        if not is_stream:
            whole: Any = await relay.ask(call)
            return repr(whole).encode()
        async with relay.open(call) as upstream:
            return b"".join([chunk async for chunk in upstream.chunks()])

    return asyncio.run(read())


@pytest.mark.parametrize(
    "end",
    [b"data: [DONE]\n\n", b'data: {"error": {"message": "x"}}\n\n', b'data: {"finish_reason":"stop"}\n\n'],
)
def test_a_stream_with_an_end_is_passed_on(end: bytes) -> None:
    body = b"data: {}\n\n" + end
    assert received(body, f"{EVENT_STREAM}; charset=utf-8", is_stream=True) == body


@pytest.mark.parametrize("body", [b"", b'data: {"choices": []}\n\n', b'data: {"finish_reason": null}\n\n'])
def test_a_stream_without_one_was_broken_off(body: bytes) -> None:
    with pytest.raises(EngineBrokeOff, match="far"):
        received(body, EVENT_STREAM, is_stream=True)


@pytest.mark.parametrize(
    ("body", "content_type", "is_stream"),
    [
        (b"<html>", "text/html", True),
        (b"<html>", "text/html", False),
        (b"data: [DONE]\n\n", EVENT_STREAM, False),
        (b"[1, 2, 3, 4]", "application/json", False),
        (b'{"choices": ', "application/json", False),
    ],
)
def test_what_is_no_answer_is_not_taken_for_one(body: bytes, content_type: str, is_stream: bool) -> None:
    with pytest.raises(AnswerUnreadable):
        received(body, content_type, is_stream=is_stream)


def test_an_answer_is_an_object() -> None:
    assert received(b'{"choices": []}', "application/json", is_stream=False) == b"{'choices': []}"
