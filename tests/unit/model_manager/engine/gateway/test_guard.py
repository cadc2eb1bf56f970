"""Who gets in."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from model_manager.engine.gateway.guard import Guard

KEY = "a-key"


async def _inside(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def ask(headers: list[tuple[str, str]], host: str = "127.0.0.1") -> tuple[int, dict[str, Any]]:
    """Status and body of a request with these headers, served at `host`, port 8733."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    guard = Guard(_inside, key=KEY, host=host, port=8733, describe=str)
    raw = [(name.encode(), value.encode()) for name, value in headers]
    asyncio.run(guard({"type": "http", "headers": raw}, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


AUTHORIZED = ("authorization", f"Bearer {KEY}")


@pytest.mark.parametrize("host", ["127.0.0.1:8733", "localhost:8733", "LOCALHOST:8733", "[::1]:8733"])
def test_own_names_with_the_key_get_in(host: str) -> None:
    assert ask([("host", host), AUTHORIZED])[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8733",
        "evil.example",
        "127.0.0.1:80",
        "127.0.0.1",
        "localhost.evil.example:8733",
        "",
        ":8733",
        "10.0.0.1:8733",
        "127.0.0.1:8733@evil.example",
        "localhost:99999999999999999999",
    ],
)
def test_foreign_hosts_are_refused_before_the_key(host: str) -> None:
    for headers in ([("host", host), AUTHORIZED], [("host", host)]):
        status, body = ask(headers)
        assert status == 403
        assert "Host" in body["error"]["message"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8733", ""])
def test_every_origin_is_refused(origin: str) -> None:
    status, body = ask([("host", "127.0.0.1:8733"), AUTHORIZED, ("origin", origin)])
    assert (status, body["error"]["type"]) == (403, "permission_error")


@pytest.mark.parametrize(
    "sent", [None, "Bearer other", f"Bearer {KEY} ", f"bearer {KEY}", KEY, "Basic YTpi", "Bearer "]
)
def test_without_the_key_nobody_gets_in(sent: str | None) -> None:
    headers = [("host", "127.0.0.1:8733")] + ([("authorization", sent)] if sent is not None else [])
    status, body = ask(headers)
    assert (status, body["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("name", ["host", "authorization", "origin"])
def test_what_comes_twice_is_refused(name: str) -> None:
    value = {"host": "127.0.0.1:8733", "authorization": AUTHORIZED[1], "origin": "x"}[name]
    headers = [("host", "127.0.0.1:8733"), AUTHORIZED]
    headers = [pair for pair in headers if pair[0] != name] + [(name, value)] * 2
    assert ask(headers)[0] == 400


def test_on_a_network_numbers_and_own_names_are_known() -> None:
    for host in ("192.168.1.7:8733", "[fe80::1]:8733", "localhost:9000"):
        assert ask([("host", host), AUTHORIZED], host="0.0.0.0")[0] == 200
    assert ask([("host", "evil.example:8733"), AUTHORIZED], host="0.0.0.0")[0] == 403
