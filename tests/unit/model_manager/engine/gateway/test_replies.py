"""Answers and their readers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.types import Message

from model_manager.engine.gateway.refusals import QueueFull
from model_manager.engine.gateway.replies import Making, events_in
from model_manager.errors import EngineDied, RequestRefused


class Reader:
    """The other end of a connection.

    Attributes:
        was_cut: The connection was aborted.
    """

    def __init__(self, n_messages: int = 1000) -> None:
        """It takes so many messages and then no more."""
        self.sent: list[Message] = []
        self.was_cut = False
        self._n_left = n_messages
        self._gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        if self._n_left == 0:
            await asyncio.Event().wait()
        self._n_left -= 1
        self.sent.append(message)

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self._gone.set()

    def abort(self) -> None:
        self.was_cut = True
        self.leave()

    @property
    def scope(self) -> dict[str, Any]:
        return {"type": "http", "state": {"transport": self}}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


class Stream:
    """An endless answer; knows whether it was ended."""

    def __init__(self) -> None:
        self.was_ended = False

    async def make(self, reply: Making) -> None:
        try:
            await reply.begin()
            while True:
                await reply.write(b"data: {}\n\n")
                await asyncio.sleep(0)
        finally:
            self.was_ended = True


async def _read(make: Any, reader: Reader, timeout_s: float = 5.0) -> None:
    await asyncio.wait_for(Making(make, str, timeout_s)(reader.scope, reader.receive, reader.send), 5)


def test_a_reader_that_takes_nothing_is_cut_off() -> None:
    async def scenario() -> None:
        stream, reader = Stream(), Reader(n_messages=3)
        await _read(stream.make, reader, timeout_s=0.01)
        assert stream.was_ended
        assert reader.was_cut

    asyncio.run(scenario())


def test_a_reader_that_leaves_ends_the_answer() -> None:
    async def scenario() -> None:
        stream, reader = Stream(), Reader()
        answering = asyncio.create_task(_read(stream.make, reader))
        while len(reader.sent) < 5:
            await asyncio.sleep(0)
        reader.leave()
        await answering
        assert stream.was_ended
        assert not reader.was_cut

    asyncio.run(scenario())


def test_errors_come_in_the_form_that_is_still_possible() -> None:
    async def before(_reply: Making) -> None:
        raise QueueFull(2.5)

    async def in_the_middle(reply: Making) -> None:
        await reply.begin()
        raise EngineDied("starter", 1, None, "", False)

    async def scenario() -> None:
        reader = Reader()
        await _read(before, reader)
        assert reader.sent[0]["status"] == 429
        assert (b"retry-after", b"3") in reader.sent[0]["headers"]
        reader = Reader()
        await _read(in_the_middle, reader)
        assert reader.sent[0]["status"] == 200
        told = json.loads(reader.body.removeprefix(b"data: "))["error"]
        assert (told["type"], told["code"], told["coterie"]["type"]) == (
            "server_error",
            "engine_died",
            "EngineDied",
        )
        assert not reader.sent[-1].get("more_body", False)

    asyncio.run(scenario())


def test_a_bug_is_told_as_a_sentence_and_a_status(expected_logs: Callable[[str], None]) -> None:
    expected_logs("a request failed")

    async def wrong(_reply: Making) -> None:
        raise KeyError("secret")

    async def refused(_reply: Making) -> None:
        raise RequestRefused(400, "x: no")

    async def scenario() -> list[Any]:
        found = []
        for make in (wrong, refused):
            reader = Reader()
            await _read(make, reader)
            found.append((reader.sent[0]["status"], json.loads(reader.body)["error"]["code"]))
        return found

    assert asyncio.run(scenario()) == [(500, "key_error"), (400, "invalid_request")]


def test_events_are_found_across_chunks() -> None:
    stream = b': working\n\ndata: {"a": 1}\n\nevent: x\ndata: {"b": "\xe2\x80\xa8"}\n\n'
    stream += b'data: [DONE]\n\ndata: {"c": 1}\n\n'

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(stream), size):
            yield stream[start : start + size]

    async def read(size: int) -> list[dict[str, Any]]:
        return [event async for event in events_in(chunks(size))]

    for size in (1, 2, 7, 1000):
        assert asyncio.run(read(size)) == [{"a": 1}, {"b": "\u2028"}]
