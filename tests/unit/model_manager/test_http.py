"""The door: who may be asked, what is written down, what never leaves."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from model_manager.errors import HostRefused, Offline
from model_manager.hosts import is_loopback, proxy_for
from model_manager.http import URL, Connection, Http, TransportError, engine_client


class Handler(BaseHTTPRequestHandler):
    locations: dict[str, str] = {}  # noqa: RUF012  (set by each test's fixture)
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in self.locations:
            self.send_response(302)
            self.send_header("Location", self.locations[path])
            self.send_header("Set-Cookie", "follow=me")
            self.end_headers()
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    Handler.locations = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="server")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def get(http: Http, url: str) -> tuple[int, bytes]:
    response = http.open(url, headers={}, why="test", timeout_s=5, on_connection=lambda _connection: None)
    try:
        return response.status_code, response.read()
    finally:
        response.close()


def test_request_is_logged_without_its_query(endpoint: str, tmp_path: Path) -> None:
    log_path = tmp_path / "logs" / "requests.jsonl"
    http = Http(log_path=log_path)
    assert get(http, f"{endpoint}/x?signature=secret") == (200, b"hello")
    http.close()
    (record,) = http.log.records()
    assert (record.method, record.host, record.path) == ("GET", "127.0.0.1", "/x")
    assert (record.status, record.received_bytes, record.why, record.error) == (200, 5, "test", "")
    text = log_path.read_text()
    assert json.loads(text)["path"] == "/x"
    assert "secret" not in text


def test_failed_request_is_logged() -> None:
    http = Http()
    with pytest.raises(Exception, match="refused"):
        get(http, "http://127.0.0.1:9/x")
    http.close()
    assert http.log.records()[0].error == "ConnectError"


def test_log_that_cannot_be_written_stops_nothing(endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    http = Http(log_path=tmp_path / "file" / "requests.jsonl")
    assert get(http, endpoint)[0] == 200
    http.close()


def test_host_that_nobody_named_is_refused() -> None:
    http = Http()
    with pytest.raises(HostRefused):
        get(http, "https://stranger.example/x.gguf")
    assert http.log.records() == ()
    http.close()


def test_allowing_a_host_allows_its_origin_only() -> None:
    http = Http()
    http.allow("https://hub.example/anything")
    http._admit(URL("https://hub.example/x"))
    for url in ("http://hub.example/x", "https://hub.example:8443/x", "https://www.hub.example/x"):
        with pytest.raises(HostRefused):
            http._admit(URL(url))
    http.close()


def test_offline_closes_the_door_but_not_to_this_machine(endpoint: str) -> None:
    http = Http(offline=lambda: True)
    http.allow("https://hub.example")
    with pytest.raises(Offline):
        get(http, "https://hub.example/x")
    assert get(http, endpoint)[0] == 200
    http.close()


def test_environment_can_close_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    http = Http()
    http.allow("https://hub.example")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Offline):
        get(http, "https://hub.example/x")
    http.close()


HUB = "https://hub.example/o/r/resolve/main/x.gguf"


@pytest.mark.parametrize(
    ("source", "target", "is_allowed"),
    [
        (HUB, "https://cdn.example/x?sig=1", True),
        (HUB, "http://cdn.example/x", False),
        (HUB, "http://127.0.0.1:8080/admin", False),
        (HUB, "https://localhost/admin", False),
        ("https://hub.example/api/models/o/r", "https://cdn.example/x", False),
        ("https://hub.example/api/models/o/r", "https://hub.example/api/models/o/new", True),
        ("http://hub.example/api/models/o/r", "https://hub.example/api/models/o/r", True),
        ("https://typed.example/m.gguf", "https://storage.example/m", True),
    ],
)
def test_redirects_lead_where_the_rules_say(source: str, target: str, is_allowed: bool) -> None:
    http = Http()
    http.allow("https://hub.example")
    if is_allowed:
        http.rules.admit_redirect(source, target)
        if "hub.example" not in target:
            http._admit(URL(target))
    else:
        with pytest.raises(HostRefused):
            http.rules.admit_redirect(source, target)
    http.close()


def test_refused_redirect_is_never_asked(endpoint: str) -> None:
    Handler.locations["/o/r/resolve/main/x.gguf"] = "http://stranger.example/x"
    http = Http()
    with pytest.raises(HostRefused):
        get(http, f"{endpoint}/o/r/resolve/main/x.gguf")
    http.close()


def test_cookies_are_not_kept(endpoint: str) -> None:
    Handler.locations["/a"] = "/b"
    with Http().new_client() as client:
        assert client.get(f"{endpoint}/a").text == "hello"
        assert len(client.cookies) == 0


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("a.b", False),
    ],
)
def test_loopback_is_recognised(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_proxies_of_the_environment_are_used_but_not_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", "direct.example")
    assert proxy_for("https://hub.example/x") == "http://proxy.example:3128"
    assert proxy_for("https://direct.example/x") is None
    assert proxy_for("https://127.0.0.1/x") is None


def test_connection_can_be_aborted_from_another_thread() -> None:
    http = Http()
    connections: list[Connection] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def abort_when_asked() -> None:
            peer, _address = listener.accept()
            with peer:
                peer.recv(65536)
                connections[0].abort()
                peer.recv(65536)  # until the client has hung up

        aborter = threading.Thread(target=abort_when_asked, name="aborter")
        aborter.start()
        with pytest.raises(TransportError):
            http.open(
                f"http://127.0.0.1:{listener.getsockname()[1]}/x",
                headers={},
                why="test",
                timeout_s=60,
                on_connection=connections.append,
            )
        aborter.join()
    http.close()


def test_engine_client_needs_an_address() -> None:
    with pytest.raises(ValueError, match="socket or an address"):
        engine_client()


def test_engine_client_speaks_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            peer, _address = listener.accept()
            with peer:
                asked = peer.recv(65536)
                assert b"Authorization: Bearer key" in asked
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=answer, name="engine")
        thread.start()
        with engine_client(path, token="key") as client:
            assert client.get("/health").text == "ok"
        thread.join()
