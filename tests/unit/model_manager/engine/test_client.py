"""The client against servers that are not ours: a small real HTTP server plays them, chunk by chunk."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from model_manager.engine.bodies import recorded_body
from model_manager.engine.client import Cancel, EngineClient
from model_manager.errors import (
    AnswerUnreadable,
    EngineBrokeOff,
    EngineStalled,
    EngineUnreachable,
    PromptTooLong,
    RequestRefused,
)
from model_manager.http import engine_client
from model_manager.types import (
    ChatEvent,
    ChatFinished,
    ChatMessage,
    ChatRequest,
    PrefillProgress,
    ReasoningDelta,
    RecordedRouting,
    TextDelta,
    TokenIds,
    Usage,
)

REQUEST = ChatRequest((ChatMessage("user", "Hi"),))
Play = Callable[[BaseHTTPRequestHandler], None]


class ForeignServer:
    """Answers every chat as it was told to; keeps what it was asked."""

    def __init__(self) -> None:
        self.play: Play = lambda handler: None
        self.bodies: list[dict[str, Any]] = []
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                outer.play(self)

            def do_GET(self) -> None:
                outer.play(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[ForeignServer]:
    made = ForeignServer()
    yield made
    made.close()


@pytest.fixture
def client(server: ForeignServer) -> Iterator[EngineClient]:
    made = EngineClient(engine_client(base_url=server.url), "remote", stall_timeout_s=30)
    yield made
    made.close()


def sends(*parts: bytes | str, status: int = 200) -> Play:
    def play(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.end_headers()
        for part in parts:
            handler.wfile.write(part.encode() if isinstance(part, str) else part)
            handler.wfile.flush()

    return play


def chunk(**fields: Any) -> str:
    return f"data: {json.dumps(fields)}\n\n"


def delta(finish: str | None = None, **fields: Any) -> str:
    return chunk(choices=[{"index": 0, "delta": fields, "finish_reason": finish}])


DONE = "data: [DONE]\n\n"


def shown(events: list[ChatEvent]) -> list[ChatEvent]:
    return [event for event in events if not isinstance(event, ChatFinished)]


def finish(events: list[ChatEvent]) -> ChatFinished:
    last = events[-1]
    assert isinstance(last, ChatFinished)
    return last


def test_plain_openai_stream(server: ForeignServer, client: EngineClient) -> None:
    server.play = sends(
        ": comment\n\n",
        delta(role="assistant", content=""),
        delta(content="Hel"),
        delta(content="lo"),
        delta("stop"),
        chunk(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2}),
        DONE,
    )
    events = list(client.chat(REQUEST))
    assert shown(events) == [TextDelta("Hel"), TextDelta("lo")]
    end = finish(events)
    assert (end.stop_reason, end.usage) == ("stop", Usage(3, 0, 2, 0))
    assert end.timings.ttft_ms is not None
    assert "top_k" not in server.bodies[0]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_under_either_name(server: ForeignServer, client: EngineClient, name: str) -> None:
    server.play = sends(delta(**{name: "why"}), delta(content="so"), delta("stop"), DONE)
    events = list(client.chat(REQUEST))
    assert shown(events) == [ReasoningDelta("why"), TextDelta("so")]
    assert finish(events).usage.reasoning_tokens == 1


def test_bytes_may_be_cut_anywhere(server: ForeignServer, client: EngineClient) -> None:
    raw = (delta(content="é\u2028群") + delta("length") + DONE).replace("\\u2028", "\u2028").encode()
    server.play = sends(*(raw[i : i + 1] for i in range(len(raw))))
    events = list(client.chat(REQUEST))
    assert shown(events) == [TextDelta("é\u2028群")]
    assert finish(events).stop_reason == "length"


def test_crlf_and_fields_without_a_space(server: ForeignServer, client: EngineClient) -> None:
    text = (delta(content="a") + delta("stop") + DONE).replace("\n", "\r\n").replace("data: ", "data:")
    server.play = sends("event: x\r\nid: 1\r\n", text)
    assert shown(list(client.chat(REQUEST))) == [TextDelta("a")]


def test_end_without_done_counts_if_it_was_finished(server: ForeignServer, client: EngineClient) -> None:
    server.play = sends(delta(content="a"), delta("stop"))
    assert finish(list(client.chat(REQUEST))).stop_reason == "stop"


def test_stream_that_ends_early(server: ForeignServer, client: EngineClient) -> None:
    server.play = sends(delta(content="a"))
    with pytest.raises(EngineBrokeOff):
        list(client.chat(REQUEST))
    server.play = sends(": working\n\n")
    with pytest.raises(EngineUnreachable) as caught:
        list(client.chat(REQUEST))
    assert type(caught.value) is EngineUnreachable


def test_a_page_is_no_answer(server: ForeignServer, client: EngineClient) -> None:
    def play(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.end_headers()
        handler.wfile.write(b"<h1>Welcome</h1>")

    server.play = play
    with pytest.raises(AnswerUnreadable, match="text/html"):
        list(client.chat(REQUEST))


def test_error_in_the_stream_is_raised(server: ForeignServer, client: EngineClient) -> None:
    told = {"type": "PromptTooLong", "message": "", "prompt_tokens": 9, "n_ctx_tokens": 8}
    server.play = sends(delta(content="a"), chunk(error=told), DONE)
    with pytest.raises(PromptTooLong):
        list(client.chat(REQUEST))


@pytest.mark.parametrize("line", ["data: {\n\n", "data: []\n\n", "data: \x00\n\n"])
def test_event_that_is_no_object(server: ForeignServer, client: EngineClient, line: str) -> None:
    server.play = sends(line)
    with pytest.raises(AnswerUnreadable):
        list(client.chat(REQUEST))


@pytest.mark.parametrize(
    "fields",
    [
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None, "reasoning_content": 5}}]},
        {"coterie": 3, "usage": []},
        {"coterie": {"prefill": {"done": "x"}, "timings": 1, "stop_reason": "x", "seed": "y"}},
        {"something": "new"},
    ],
)
def test_chunks_of_any_shape_are_survived(
    server: ForeignServer, client: EngineClient, fields: dict[str, Any]
) -> None:
    server.play = sends(chunk(**fields), delta("stop"), DONE)
    assert shown(list(client.chat(REQUEST))) == []


def test_ids_of_tokens_are_gathered(server: ForeignServer, client: EngineClient) -> None:
    def told(token: object, **more: object) -> str:
        choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": None}
        return chunk(choices=[choice], coterie={"token": token, **more})

    server.play = sends(told(5, prompt_tokens=[1, 2]), told(7), delta("stop"), DONE)
    assert finish(list(client.chat(REQUEST))).tokens == TokenIds((1, 2), (5, 7))
    server.play = sends(delta(content="a"), delta("stop"), DONE)
    assert finish(list(client.chat(REQUEST))).tokens is None
    for lie in (told("x"), told(-1), told(1, prompt_tokens=["x"]), told(1 << 40)):
        server.play = sends(lie, delta("stop"), DONE)
        with pytest.raises(AnswerUnreadable, match="token ids"):
            list(client.chat(REQUEST))


@pytest.mark.parametrize(
    ("change", "is_read"),
    [
        ({}, True),
        ({"n_tokens": 3}, False),
        ({"experts": "?"}, False),
        ({"layers": None}, False),
        ({"weights": 5}, False),
    ],
)
def test_recorded_routing_is_read_or_left_out(
    server: ForeignServer, client: EngineClient, change: dict[str, Any], is_read: bool
) -> None:
    recorded = RecordedRouting((1, 3), 2, 1, bytes(range(8)), bytes(8))
    body = recorded_body(recorded) | change
    server.play = sends(delta(content="a"), chunk(choices=[], coterie={"routing": body}), delta("stop"), DONE)
    assert finish(list(client.chat(REQUEST))).routing == (recorded if is_read else None)


def test_progress_is_passed_on(server: ForeignServer, client: EngineClient) -> None:
    server.play = sends(chunk(choices=[], coterie={"prefill": {"done": 2, "total": 4}}), delta("stop"), DONE)
    assert shown(list(client.chat(REQUEST))) == [PrefillProgress(2, 4)]


def test_refusal_is_told_with_its_words(server: ForeignServer, client: EngineClient) -> None:
    server.play = sends('{"error": {"message": "no such model"}}', status=404)
    with pytest.raises(RequestRefused, match="404: no such model"):
        list(client.chat(REQUEST))
    server.play = sends("<h1>Bad gateway</h1>", status=502)
    with pytest.raises(RequestRefused, match="Bad gateway"):
        list(client.chat(REQUEST))


def test_nobody_there() -> None:
    client = EngineClient(engine_client(base_url="http://127.0.0.1:1"), "remote")
    with pytest.raises(EngineUnreachable):
        list(client.chat(REQUEST))
    with pytest.raises(EngineUnreachable):
        client.info()
    client.close()


def test_silence_is_a_stall(server: ForeignServer) -> None:
    def play(handler: BaseHTTPRequestHandler) -> None:
        sends(delta(content="a"))(handler)
        server.released.wait()

    server.play = play
    client = EngineClient(engine_client(base_url=server.url), "remote", stall_timeout_s=0.2)
    with pytest.raises(EngineStalled):
        list(client.chat(REQUEST))
    client.close()


@pytest.mark.parametrize("first", [b"", b"HTTP/1.0 200 OK\r\n\r\n", None])
def test_cancel_cuts_a_silent_server(
    server: ForeignServer, client: EngineClient, first: bytes | None
) -> None:
    """Before the head of the answer, after it, and in the middle of the stream."""
    asked = threading.Event()

    def play(handler: BaseHTTPRequestHandler) -> None:
        if first is None:
            sends(delta(content="a"))(handler)
        else:
            handler.wfile.write(first)
        asked.set()
        server.released.wait()

    server.play = play
    cancel = Cancel()
    canceller = threading.Thread(target=lambda: (asked.wait(30), cancel.set()))
    canceller.start()
    assert finish(list(client.chat(REQUEST, cancel))).stop_reason == "cancelled"
    assert cancel.is_set
    canceller.join()


def test_conclude_without_an_answer_does_nothing() -> None:
    Cancel().conclude()


def test_info_of_a_foreign_server(server: ForeignServer, client: EngineClient) -> None:
    server.play = sends('{"data": [{"id": "big-model"}]}')
    assert client.info().name == "big-model"
    server.play = sends('{"data": []}')
    assert client.info().name == "remote"
    server.play = sends("[]")
    with pytest.raises(AnswerUnreadable):
        client.info()
