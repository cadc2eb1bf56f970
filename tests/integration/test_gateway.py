"""The gateway, byte by byte, over the real starter: who is let in, and what one client may do to others."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.gateway import ServedLibrary
from app.services import Services
from app.words import sentence
from model_manager.engine.gateway.app import Limits
from model_manager.engine.gateway.server import Gateway
from model_manager.errors import CannotListen
from model_manager.http import Client, engine_client
from tests.helpers.asking import open_services, wait_until
from tests.helpers.ggufs import write_model

KEY = "the-key"
USER = [{"role": "user", "content": "Tell me a long story."}]
LONG = {"model": "starter-dense", "messages": USER, "max_tokens": 4000, "temperature": 0}
SHORT = LONG | {"max_tokens": 4}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, runtime_dir: Path) -> Iterator[Services]:
    with open_services(tmp_path_factory.mktemp("data"), runtime_dir) as opened:
        yield opened


@pytest.fixture(scope="module")
def gateway(services: Services) -> Iterator[Gateway]:
    with closing(Gateway(ServedLibrary(services), sentence, key=KEY)) as opened:
        yield opened


@pytest.fixture
def narrow(services: Services) -> Iterator[Gateway]:
    """One answer at a time, three may wait, and a client that does not read is soon given up."""
    limits = Limits(n_running=1, n_waiting=3, reader_timeout_s=0.5)
    with closing(Gateway(ServedLibrary(services), sentence, key=KEY, limits=limits)) as opened:
        yield opened


def client_of(gateway: Gateway) -> Client:
    return engine_client(base_url=gateway.url.removesuffix("/v1"), token=KEY)


@pytest.fixture
def http(gateway: Gateway) -> Iterator[Client]:
    with client_of(gateway) as client:
        yield client


def is_idle(gateway: Gateway) -> bool:
    return not gateway._relay._running


def raw_request(
    gateway: Gateway, body: dict[str, Any], path: str = "/v1/chat/completions", **options: int
) -> socket.socket:
    """A connection on which this chat was asked for; nothing of the answer is read yet."""
    connection = socket.socket()
    for name, value in options.items():
        connection.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    connection.connect((gateway.host, gateway.port))
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost:{gateway.port}\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content)
    return connection


# --- who is let in ---------------------------------------------------------------------------------------


def test_nothing_listens_until_it_is_served(services: Services) -> None:
    """Promise 6: workers have Unix sockets, and the gateway is off by default."""
    with services.engines.use(services.library.get("starter-dense")):
        worker = psutil.Process(services.engines.worker_pid)
        gateways = [found for found in psutil.Process().net_connections("tcp") if found.status == "LISTEN"]
        ports = {found.laddr.port for found in gateways}
        with closing(Gateway(ServedLibrary(services), sentence, key=KEY)) as opened:
            now = [found for found in psutil.Process().net_connections("tcp") if found.status == "LISTEN"]
            assert {found.laddr for found in now if found.laddr.port not in ports} == {
                ("127.0.0.1", opened.port)
            }
        assert not [found for found in worker.net_connections("inet") if found.status == "LISTEN"]


def test_every_route_wants_the_key(gateway: Gateway) -> None:
    with engine_client(base_url=gateway.url, token="another") as stranger:
        for path in ("/health", "/v1/models", "/v1/chat/completions", "/nonsense"):
            response = stranger.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"


def test_a_page_of_the_web_gets_nothing(http: Client) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        assert http.post("/v1/chat/completions", json=SHORT, headers=headers).status_code == 403
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response = http.options("/v1/chat/completions", headers=preflight)
    assert response.status_code == 403
    assert not [name for name in response.headers if name.lower().startswith("access-control")]
    plain = http.post(
        "/v1/chat/completions", content=json.dumps(SHORT), headers={"Content-Type": "text/plain"}
    )
    assert plain.status_code == 415


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000, b'"x"', b"\xff"])
def test_bodies_that_are_no_objects_are_refused(http: Client, content: bytes) -> None:
    response = http.post(
        "/v1/chat/completions", content=content, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_huge_body_is_refused_before_it_is_sent(gateway: Gateway) -> None:
    with socket.create_connection((gateway.host, gateway.port)) as connection:
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{gateway.port}\r\n"
            f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {10 * 2**30}\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("name", ["nobody", "../starter", "/etc/passwd", "starter.gguf"])
def test_a_model_that_is_not_there(http: Client, name: str) -> None:
    bodies = {"chat/completions": {"messages": USER}, "completions": {"prompt": "x"}}
    bodies |= {"responses": {"input": "x"}, "embeddings": {"input": "x"}}
    for path, body in bodies.items():
        response = http.post(f"/v1/{path}", json=body | {"model": name})
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
        assert name in error["message"]
    assert http.get(f"/v1/models/{name}").status_code == 404


def test_models_and_health(http: Client) -> None:
    assert http.get("/health").json() == {"status": "ok"}
    listed = http.get("/v1/models").json()
    assert [model["id"] for model in listed["data"]] == ["starter", "starter-dense", "starter-thinking"]
    assert http.get("/v1/models/starter").json() == listed["data"][0]
    assert listed["data"][0]["coterie"]["n_experts"] == 8
    for method, path, status in (("GET", "/v1/images", 404), ("DELETE", "/v1/models", 405)):
        response = http.request(method, path)
        assert (response.status_code, response.json()["error"]["type"]) == (status, "invalid_request_error")


def test_tokens_and_back(http: Client) -> None:
    tokens = http.post("/coterie/v1/tokenize", json={"model": "starter", "text": "Hello"}).json()["tokens"]
    body = {"model": "starter", "tokens": tokens}
    assert http.post("/coterie/v1/detokenize", json=body).json()["text"] == "Hello"
    assert http.post("/coterie/v1/detokenize", json=body | {"tokens": [-1]}).status_code == 400
    conclude = http.post("/coterie/v1/conclude", json={"model": "starter", "id": "unknown"})
    assert conclude.status_code == 404


def test_an_address_that_cannot_be_had(gateway: Gateway, services: Services) -> None:
    for host, port in (("127.0.0.1", gateway.port), ("192.0.2.1", 0), ("no.such.host.invalid", 0)):
        with pytest.raises(CannotListen) as raised:
            Gateway(ServedLibrary(services), sentence, key=KEY, host=host, port=port)
        assert host in sentence(raised.value)


# --- what one client may do to others --------------------------------------------------------------------


def test_a_hundred_at_once_are_all_answered(http: Client) -> None:
    prompts = [f"Number {n} is" for n in range(100)]
    bodies = [{"model": "starter-dense", "prompt": prompt, "max_tokens": 2} for prompt in prompts]
    with concurrent.futures.ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(lambda body: http.post("/v1/completions", json=body), bodies))
    assert [answer.status_code for answer in answers] == [200] * 100
    assert all(answer.json()["usage"]["completion_tokens"] <= 2 for answer in answers)


def test_more_than_are_taken_are_told_when_to_come_again(narrow: Gateway) -> None:
    held = [raw_request(narrow, LONG) for _ in range(4)]
    wait_until(lambda: narrow._relay._queue.n_waiting == 3)
    with client_of(narrow) as http:
        response = http.post("/v1/chat/completions", json=SHORT)
        assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert int(response.headers["retry-after"]) >= 1
        for connection in held:
            connection.close()
        # Those that have gone, running or waiting, make room at once; whole answers, too.
        assert http.post("/v1/chat/completions", json=SHORT).status_code == 200
    assert is_idle(narrow)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_cancels_its_answer(narrow: Gateway, stream: bool) -> None:
    connection = raw_request(narrow, LONG | {"stream": stream})
    if stream:
        assert connection.recv(16)
    wait_until(lambda: not is_idle(narrow))
    connection.close()
    wait_until(lambda: is_idle(narrow))
    with client_of(narrow) as http:
        assert http.post("/v1/chat/completions", json=SHORT).status_code == 200


def test_bodies_of_all_clients_have_a_limit_together(services: Services) -> None:
    limits = Limits(n_running=1, all_bodies_bytes=1000)
    with closing(Gateway(ServedLibrary(services), sentence, key=KEY, limits=limits)) as opened:
        held = raw_request(opened, LONG)
        wait_until(lambda: not is_idle(opened))
        padded = SHORT | {"user": "x" * 800}
        with client_of(opened) as http:
            response = http.post("/v1/chat/completions", json=padded)
            assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limit_exceeded")
            held.close()
            wait_until(lambda: is_idle(opened))
            for _ in range(3):  # every kind of ending gives back what was taken
                assert http.post("/v1/chat/completions", json=padded).status_code == 200
                assert http.post("/v1/chat/completions", json=padded | {"model": "x"}).status_code == 404
                assert http.post("/v1/chat/completions", content=b"x" * 900).status_code == 415


def test_a_worker_that_dies_is_said_and_replaced(
    http: Client, services: Services, expected_logs: Callable[[str], None]
) -> None:
    with http.stream("POST", "/v1/chat/completions", json=LONG | {"stream": True}) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        pid = services.engines.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        last = [line for line in lines if line.startswith("data: ")][-1]
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (error["type"], error["code"]) == ("server_error", "engine_died")
    assert http.post("/v1/chat/completions", json=SHORT).status_code == 200


def test_a_client_that_does_not_read_is_given_up(narrow: Gateway) -> None:
    """When its buffers are full its answer ends, and its connection with it, and others have their turn."""
    body = {"model": "starter-dense", "input": ["x"] * 32}
    with closing(raw_request(narrow, body, "/v1/embeddings", SO_RCVBUF=4096)) as idler:
        wait_until(lambda: not is_idle(narrow))
        with client_of(narrow) as http:
            assert http.post("/v1/chat/completions", json=SHORT).status_code == 200
        # Only when the connection is gone: from then on nothing is added to what lies in the kernel.
        wait_until(lambda: not narrow._server.server_state.connections)
        received = b"".join(iter(lambda: idler.recv(65536), b""))
    head, _, content = received.partition(b"\r\n\r\n")
    promised = re.search(rb"content-length: (\d+)", head)
    assert promised is not None
    assert len(content) < int(promised[1])


def test_closing_cuts_off_what_runs(services: Services) -> None:
    with closing(Gateway(ServedLibrary(services), sentence, key=KEY)) as opened:
        connection = raw_request(opened, LONG | {"stream": True})
        assert connection.recv(16)
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    connection.close()
    assert is_idle(opened)


def test_model_answers_as_its_makers_recommend_where_nobody_says_otherwise(
    services: Services, http: Client, tmp_path: Path
) -> None:
    path = write_model(tmp_path / "sober.gguf", metadata={"general.sampling.temp": 0.0})
    name = services.library.import_path(path).name
    asked = {"model": name, "messages": USER, "max_tokens": 24}

    def text(**more: object) -> str:
        answered = http.post("/v1/chat/completions", json=asked | more).json()
        return str(answered["choices"][0]["message"]["content"])

    assert text() == text(temperature=0)
    assert text(temperature=2, seed=5) != text()
