"""Talks to an engine: one of our workers, or any server that speaks OpenAI's chat completions.

Blocking; every answer has a connection of its own, because closing it is what cancels, on our workers and
everywhere else.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from model_manager.engine.bodies import info_from, request_body
from model_manager.engine.failures import error_from, error_in
from model_manager.engine.stream_reader import EVENT_STREAM, StreamReader, check_type, json_or_none, lines_of
from model_manager.engine.vectors import embeddings_body, vectors_from
from model_manager.errors import (
    AnswerUnreadable,
    EngineBrokeOff,
    EngineError,
    EngineStalled,
    EngineUnreachable,
)
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
from model_manager.plans import adapter_values
from model_manager.types import Adapter, ChatEvent, ChatRequest, EngineInfo

CONNECT_TIMEOUT_S: Final = 10.0
CONTROL_TIMEOUT_S: Final = 10.0


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


@dataclass(frozen=True, slots=True)
class Forwarded:
    """An engine's answer to a request that was passed on.

    Attributes:
        chunks: The body; reading it raises what `EngineClient.forward` says.
    """

    status: int
    content_type: str
    chunks: Iterator[bytes]


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
        model: Callable[[], str] | None = None,
    ) -> None:
        """Wrap a client of `model_manager.http`, which is closed with this.

        Args:
            http: Made by `engine_client`.
            name: For errors: the model's name or the server's address.
            address: For people; None is the base URL of `http`.
            is_ours: The server knows our extension fields; others get none.
            stall_timeout_s: How long a stream may be silent; None waits for ever.
            watcher: Explains silences and broken connections; None for a remote server.
            model: What the server calls the model; None sends what the request says.
        """
        self._http = http
        self._name = name
        self._address = address or str(http.base_url)
        self._is_ours = is_ours
        self._stall_timeout_s = stall_timeout_s
        self._watcher = watcher
        self._model = model

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

    def models(self) -> list[str]:
        """What the server offers, by the names that requests use.

        Raises:
            EngineUnreachable, EngineStalled, RequestRefused: No answer, or not a good one.
        """
        listed = self._control("GET", "/v1/models").get("data")
        entries = listed if isinstance(listed, list) else []
        return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and entry.get("id")]

    def tokenize(self, text: str) -> list[int]:
        """Token ids of a text without any special ones; only our own workers can.

        Raises:
            EngineError: The engine is gone or cannot.
        """
        tokens = self._control("POST", "/coterie/v1/tokenize", {"text": text}).get("tokens")
        return [token for token in tokens if isinstance(token, int)] if isinstance(tokens, list) else []

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """The text of each token, that of markers included; only our own workers can.

        Raises:
            EngineError: The engine is gone, cannot, or has no such token.
        """
        pieces = self._control("POST", "/coterie/v1/detokenize", {"tokens": list(tokens)}).get("pieces")
        if not isinstance(pieces, list) or len(pieces) != len(tokens):
            raise AnswerUnreadable("not a text for each token")
        return [str(piece) for piece in pieces]

    def set_adapters(self, adapters: Sequence[Adapter]) -> None:
        """Have one of our workers compute with these LoRA adapters and no others, once it is free.

        Raises:
            AdapterRefused, AdapterMismatch: Nothing was changed.
            EngineError: The engine is gone or cannot.
        """
        body = {"adapters": adapter_values(adapters)}
        self._control("POST", "/coterie/v1/adapters", body, timeout_s=self._stall_timeout_s)

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
        if self._model is not None:
            request = replace(request, model=self._model())
        request_id = secrets.token_hex(12) if self._is_ours else None
        if request_id is not None:
            answer_id = request_id
            cancel._concluder = lambda: self._conclude(answer_id)
        reader = StreamReader()
        try:
            if cancel.is_set:
                yield reader.finish_as("cancelled")
                return
            yield from self._stream(request_body(request, request_id=request_id), reader, cancel)
        except (EngineError, HTTPError, StreamClosed, OSError) as error:
            if not cancel.is_set:
                raise self._explained(error, self._stall_timeout_s, has_begun=reader.has_begun) from error
            yield reader.finish_as("cancelled")
        finally:
            cancel._detach()

    def embed(self, texts: Sequence[str], cancel: Cancel) -> NDArray[np.float32]:
        """A vector for each text, a row each; any model can, one that was made for it does it well.

        Raises:
            PromptTooLong, EmptyPrompt: Of one text; nothing was computed.
            EngineError: The engine is gone, cannot, or `cancel` was set.
        """
        body = embeddings_body(texts, self._model() if self._model else self._name, is_ours=self._is_ours)
        sent, wait_s = json.dumps(body).encode(), self._stall_timeout_s
        with self.forward("/v1/embeddings", sent, cancel, read_timeout_s=wait_s) as answer:
            told = json_or_none(b"".join(answer.chunks))
        if answer.status != 200:
            raise error_from(told, answer.status)
        return vectors_from(told, len(texts))

    @contextlib.contextmanager
    def forward(
        self, path: str, body: bytes, cancel: Cancel, *, read_timeout_s: float | None
    ) -> Iterator[Forwarded]:
        """Pass a request of somebody else on as it is; the answer comes as the engine sends it.

        Args:
            path: Such as `/v1/chat/completions`.
            body: JSON.
            cancel: Ends it from another thread; the bytes then end early.
            read_timeout_s: How long it may be silent; None waits for ever. A whole answer is silent for as
                long as it takes.

        Raises:
            EngineDied, EngineStalled, EngineUnreachable: It says nothing, or, from the bytes, no more.
        """
        try:
            response = self._post(path, body, cancel, read_timeout_s, accept="*/*")
            try:
                yield Forwarded(
                    response.status_code,
                    response.headers.get("content-type", "application/json"),
                    self._bytes(response, cancel, read_timeout_s),
                )
            finally:
                response.close()
        except (HTTPError, StreamClosed, OSError) as error:
            if cancel.is_set:
                raise EngineUnreachable(self._address, "cancelled") from error
            raise self._explained(error, read_timeout_s) from error
        finally:
            cancel._detach()

    def _bytes(self, response: Response, cancel: Cancel, read_timeout_s: float | None) -> Iterator[bytes]:
        try:
            yield from response.iter_bytes()
        except (HTTPError, StreamClosed, OSError) as error:
            if not cancel.is_set:
                raise self._explained(error, read_timeout_s, has_begun=True) from error

    def _stream(self, body: dict[str, Any], reader: StreamReader, cancel: Cancel) -> Iterator[ChatEvent]:
        response = self._post(
            "/v1/chat/completions",
            json.dumps(body).encode(),
            cancel,
            self._stall_timeout_s,
            accept="text/event-stream",
        )
        try:
            if response.status_code != 200:
                raise error_in(response.read(), response.status_code)
            for line in lines_of(response.iter_bytes()):
                yield from reader.read(line, response.status_code)
                if reader.is_done:
                    break
        finally:
            response.close()
        if reader.stop_reason is None:
            if not reader.has_begun:
                check_type(response.headers.get("content-type", EVENT_STREAM), EVENT_STREAM)
            raise RemoteProtocolError("the stream ended early")
        # Only now: whoever gets the last event may at once ask for something else.
        yield reader.finish_as(reader.stop_reason)

    def _post(
        self, path: str, body: bytes, cancel: Cancel, read_timeout_s: float | None, *, accept: str
    ) -> Response:
        def trace(event: str, info: dict[str, Any]) -> None:
            if event.endswith(("connect_tcp.complete", "connect_unix_socket.complete", "start_tls.complete")):
                cancel._attach(Connection(info["return_value"]))

        request = self._http.build_request(
            "POST",
            path,
            content=body,
            headers={
                "Content-Type": "application/json",
                "Accept": accept,
                # A connection of its own, so that cutting it hurts nobody else.
                "Connection": "close",
            },
            timeout=Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
            extensions={"trace": trace},
        )
        return self._http.send(request, stream=True)

    def forget(self, conversation: str) -> None:
        """Let the engine keep nothing of a conversation any more, see `ChatRequest.conversation`.

        Raises:
            EngineDied, EngineStalled, EngineUnreachable, RequestRefused: It does not answer, or not so.
        """
        self._control("POST", "/coterie/v1/forget", {"conversation": conversation})

    def _conclude(self, answer_id: str) -> None:
        self._control("POST", "/coterie/v1/conclude", {"id": answer_id})

    def _control(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        timeout_s: float | None = CONTROL_TIMEOUT_S,
    ) -> dict[str, Any]:
        try:
            response = self._http.request(
                method, path, json=body, headers={"Connection": "close"}, timeout=timeout_s
            )
        except ReadTimeout as error:
            # A busy event loop is no reason to end a worker; silence of a stream is.
            raise EngineStalled(self._name, timeout_s or 0.0) from error
        except (HTTPError, OSError) as error:
            raise self._explained(error, timeout_s) from error
        if response.status_code != 200:
            raise error_in(response.read(), response.status_code)
        fields = json_or_none(response.content)
        if not isinstance(fields, dict):
            raise AnswerUnreadable("it is not a JSON object")
        return fields

    def _explained(self, error: Exception, waited_s: float | None, *, has_begun: bool = False) -> EngineError:
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
        return (EngineBrokeOff if has_begun else EngineUnreachable)(self._address, reason)
