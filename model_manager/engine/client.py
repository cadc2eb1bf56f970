"""Talks to an engine: one of our workers, or any server that speaks OpenAI's chat completions.

Blocking; every answer has a connection of its own, because closing it is what cancels, on our workers and
everywhere else.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Generator, Iterator
from typing import Any, Final, Protocol

from model_manager.engine.bodies import info_from, logprobs_from, request_body, timings_from, usage_from
from model_manager.engine.failures import error_from
from model_manager.errors import EngineError, EngineStalled, EngineUnreachable, RequestRefused
from model_manager.http import (
    Client,
    Connection,
    HTTPError,
    ReadTimeout,
    RemoteProtocolError,
    Response,
    StreamClosed,
    Timeout,
)
from model_manager.types import (
    ChatEvent,
    ChatFinished,
    ChatRequest,
    EngineInfo,
    PrefillProgress,
    ReasoningDelta,
    StopReason,
    TextDelta,
    Timings,
    Usage,
)

CONNECT_TIMEOUT_S: Final = 10.0
CONTROL_TIMEOUT_S: Final = 10.0
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
_FINISH_REASONS: Final[dict[str, StopReason]] = {"stop": "stop", "length": "length"}
_STOP_REASONS: Final[frozenset[str]] = frozenset({"stop", "length", "cancelled", "context_full", "error"})


class Cancel:
    """A switch that ends one answer at once, from any thread, also before it began."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler may call `set` on a thread that is just inside.
        self._lock = threading.RLock()
        self._is_set = False
        self._connection: Connection | None = None
        self._concluder: _Concluder | None = None

    @property
    def is_set(self) -> bool:
        """Whether `set` was called."""
        return self._is_set

    def set(self) -> None:
        """Cut the connection of the answer; the engine notices and stops."""
        with self._lock:
            self._is_set = True
            connection = self._connection
        if connection is not None:
            connection.abort()

    def conclude(self) -> None:
        """Have the engine end the reasoning and begin the answer, if it can.

        Raises:
            EngineError: The engine is gone or does not know this control.
        """
        concluder = self._concluder
        if concluder is not None:
            concluder()

    def _attach(self, connection: Connection) -> None:
        with self._lock:
            self._connection = connection
            is_set = self._is_set
        if is_set:
            connection.abort()

    def _detach(self) -> None:
        with self._lock:
            self._connection = None
            self._concluder = None


class _Concluder(Protocol):
    def __call__(self) -> None: ...


class Watcher(Protocol):
    """Who knows the process behind an address, and so the reason of a silence."""

    def on_silence(self, timeout_s: float) -> EngineError:
        """The engine sent nothing for so long: end it, and say what is to be raised."""
        ...

    def on_broken(self, reason: str) -> EngineError:
        """The connection broke or could not be made: say why."""
        ...


class EngineClient:
    """A client of one engine; thread-safe, any number of answers at once."""

    def __init__(
        self,
        http: Client,
        name: str,
        *,
        address: str | None = None,
        is_ours: bool = False,
        stall_timeout_s: float | None = 120.0,
        watcher: Watcher | None = None,
    ) -> None:
        """Wrap a client of `model_manager.http`, which is closed with this.

        Args:
            http: Made by `engine_client`.
            name: For errors: the model's name or the server's address.
            address: For people; None is the base URL of `http`.
            is_ours: The server knows our extension fields; others get none.
            stall_timeout_s: How long a stream may be silent; None waits for ever.
            watcher: Explains silences and broken connections; None for a remote server.
        """
        self._http = http
        self._name = name
        self._address = address or str(http.base_url)
        self._is_ours = is_ours
        self._stall_timeout_s = stall_timeout_s
        self._watcher = watcher

    @property
    def address(self) -> str:
        """Where the engine is: a URL, or the path of a socket."""
        return self._address

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def info(self) -> EngineInfo:
        """Ask what the engine holds; of a foreign server little more than the model's name is known.

        Raises:
            EngineUnreachable, EngineDied, EngineStalled, RequestRefused: No answer, or not a good one.
        """
        body = self._control("GET", "/v1/models")
        entries = body.get("data")
        first = entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}
        told = first.get("coterie")
        name = str(first.get("id") or self._name)
        return info_from({"name": name, **told} if isinstance(told, dict) else {"name": name})

    def tokenize(self, text: str) -> list[int]:
        """Token ids of a text without any special ones; only our own workers can.

        Raises:
            EngineError: The engine is gone or cannot.
        """
        tokens = self._control("POST", "/coterie/v1/tokenize", {"text": text}).get("tokens")
        return [token for token in tokens if isinstance(token, int)] if isinstance(tokens, list) else []

    def chat(self, request: ChatRequest, cancel: Cancel | None = None) -> Generator[ChatEvent, None, None]:
        """Answer; events arrive as the engine makes them, the last one is `ChatFinished`.

        Closing the iterator cancels, and so does `cancel.set()`, after which it ends with a `ChatFinished`
        whose reason is "cancelled" and whose numbers are what was seen here.

        Args:
            request: The whole prompt.
            cancel: Ends it from another thread.

        Raises:
            EmptyPrompt, PromptTooLong, TemplateFailed, DecodeFailed, RequestRefused: What the engine said.
            EngineDied, EngineStalled, EngineUnreachable: It no longer says anything.
        """
        cancel = cancel or Cancel()
        request_id = secrets.token_hex(12) if self._is_ours else None
        if request_id is not None:
            answer_id = request_id
            cancel._concluder = lambda: self._conclude(answer_id)
        reader = _StreamReader()
        try:
            if cancel.is_set:
                yield reader.finish_as("cancelled")
                return
            yield from self._stream(request_body(request, request_id=request_id), reader, cancel)
        except (EngineError, HTTPError, StreamClosed, OSError) as error:
            if not cancel.is_set:
                raise self._explained(error, self._stall_timeout_s) from error
            yield reader.finish_as("cancelled")
        finally:
            cancel._detach()

    def _stream(self, body: dict[str, Any], reader: _StreamReader, cancel: Cancel) -> Iterator[ChatEvent]:
        response = self._post_stream(body, cancel)
        try:
            if response.status_code != 200:
                raise _refusal(response)
            for line in _lines(response):
                yield from reader.read(line, response.status_code)
                if reader.is_done:
                    break
        finally:
            response.close()
        if reader.stop_reason is None:
            raise RemoteProtocolError("the stream ended early")
        # Only now: whoever gets the last event may at once ask for something else.
        yield reader.finish_as(reader.stop_reason)

    def _post_stream(self, body: dict[str, Any], cancel: Cancel) -> Response:
        def trace(event: str, info: dict[str, Any]) -> None:
            if event.endswith(("connect_tcp.complete", "connect_unix_socket.complete", "start_tls.complete")):
                cancel._attach(Connection(info["return_value"]))

        request = self._http.build_request(
            "POST",
            "/v1/chat/completions",
            content=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Accept": "text/event-stream",
                # A connection of its own, so that cutting it hurts nobody else.
                "Connection": "close",
            },
            timeout=Timeout(self._stall_timeout_s, connect=CONNECT_TIMEOUT_S),
            extensions={"trace": trace},
        )
        return self._http.send(request, stream=True)

    def _conclude(self, answer_id: str) -> None:
        self._control("POST", "/coterie/v1/conclude", {"id": answer_id})

    def _control(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = self._http.request(
                method, path, json=body, headers={"Connection": "close"}, timeout=CONTROL_TIMEOUT_S
            )
        except ReadTimeout as error:
            # A busy event loop is no reason to end a worker; silence of a stream is.
            raise EngineStalled(self._name, CONTROL_TIMEOUT_S) from error
        except (HTTPError, OSError) as error:
            raise self._explained(error, CONTROL_TIMEOUT_S) from error
        if response.status_code != 200:
            raise _refusal(response)
        fields = _json_or_none(response.content)
        if not isinstance(fields, dict):
            raise RequestRefused(response.status_code, "the answer is not a JSON object")
        return fields

    def _explained(self, error: Exception, waited_s: float | None) -> EngineError:
        """Our error for what went wrong below; one of ours is passed on."""
        if isinstance(error, EngineError):
            return error
        if isinstance(error, ReadTimeout):
            if self._watcher is None:
                return EngineStalled(self._name, waited_s or 0.0)
            return self._watcher.on_silence(waited_s or 0.0)
        reason = f"{type(error).__name__}: {error}"
        if self._watcher is not None:
            return self._watcher.on_broken(reason)
        return EngineUnreachable(self._address, reason)


class _StreamReader:
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

    def read(self, line: bytes, status: int) -> Iterator[ChatEvent]:
        """Take one line of a stream of server-sent events; comments and other fields are passed over."""
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self.is_done = True
            return
        chunk = _json_or_none(data)
        if not isinstance(chunk, dict):
            raise RequestRefused(status, "an event is not a JSON object")
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
        prefill = ours.get("prefill")
        if isinstance(prefill, dict):
            done, total = prefill.get("done"), prefill.get("total")
            if isinstance(done, int) and isinstance(total, int):
                self._prompt_tokens = total
                yield PrefillProgress(done, total)
        if isinstance(ours.get("timings"), dict):
            self._timings = timings_from(ours["timings"])
        if ours.get("stop_reason") in _STOP_REASONS:
            self.stop_reason = ours["stop_reason"]
        if isinstance(ours.get("seed"), int):
            self._seed = ours["seed"]

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
        return ChatFinished(reason, usage, self._timings or self._measured(), self._seed)

    def _measured(self) -> Timings:
        if self._first_token_at_s is None:
            return Timings(None, None, None)
        elapsed_s = self._last_token_at_s - self._first_token_at_s
        rate = (self._n_tokens - 1) / elapsed_s if elapsed_s > 0 else None
        return Timings((self._first_token_at_s - self._started_at_s) * 1000, None, rate)


def _lines(response: Response) -> Iterator[bytes]:
    """Lines of a body. Only line feeds end one: JSON may hold the other separators of Unicode."""
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > MAX_EVENT_BYTES:
            raise RequestRefused(response.status_code, "an event is too large")
    if rest:
        yield rest


def _refusal(response: Response) -> EngineError:
    content = response.read()
    told = _json_or_none(content)
    error = error_from(told, response.status_code)
    if isinstance(error, RequestRefused) and not error.reason:
        return RequestRefused(response.status_code, content[:500].decode("utf-8", "replace"))
    return error


def _json_or_none(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return None
