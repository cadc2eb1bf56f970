"""The worker's HTTP, byte by byte: what other people's clients rely on. The protocol is docs/api.md."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_manager.engine.supervisor import Supervisor
from model_manager.http import Client, engine_client
from model_manager.types import LoadPlan

USER = [{"role": "user", "content": "What is a mixture of experts?"}]


@pytest.fixture
def socket_path(starter_engine: Supervisor) -> Path:
    client = starter_engine.client
    return Path(client.address)


@pytest.fixture
def http(socket_path: Path) -> Iterator[Client]:
    with engine_client(socket_path) as client:
        yield client


def body(**fields: Any) -> dict[str, Any]:
    return {"messages": USER, "max_tokens": 8, "temperature": 0, **fields}


def events(text: str) -> list[Any]:
    """The chunks of a stream; its end must be marked."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    assert blocks[-1] == "data: [DONE]"
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [json.loads(block[6:]) for block in blocks[:-1]]


def stream(http: Client, **fields: Any) -> list[Any]:
    response = http.post("/v1/chat/completions", json=body(stream=True, **fields))
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    return events(response.text)


def test_health_and_models(http: Client) -> None:
    health = http.get("/health")
    assert health.status_code == 200
    assert health.json()["status"] == "ready"
    model = http.get("/v1/models").json()["data"][0]
    assert (model["id"], model["object"], model["coterie"]["n_experts"]) == ("starter", "model", 8)


def test_every_token_is_an_event(http: Client) -> None:
    chunks = stream(http)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    tokens = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert len(tokens) == 8
    assert tokens[0]["delta"]["role"] == "assistant"
    assert all(choice["finish_reason"] is None for choice in tokens)
    last = chunks[-1]
    assert (last["choices"][0]["finish_reason"], last["choices"][0]["delta"]) == ("length", {})
    assert last["usage"]["completion_tokens"] == 8
    assert last["usage"]["completion_tokens_details"] == {"reasoning_tokens": 0}
    assert set(last["coterie"]) == {
        "timings",
        "stop_reason",
        "seed",
        "speculation",
        "dropped_reasoning_tokens",
        "reasoning_ended_by",
    }


def test_usage_comes_apart_on_request(http: Client) -> None:
    *_, finish, usage = stream(http, stream_options={"include_usage": True})
    assert finish["choices"][0]["finish_reason"] == "length"
    assert "usage" not in finish
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 8)


def test_progress_comes_on_request(http: Client) -> None:
    assert not any("prefill" in chunk.get("coterie", {}) for chunk in stream(http))
    progress = [
        chunk["coterie"]["prefill"] for chunk in stream(http, return_progress=True) if not chunk["choices"]
    ]
    assert progress[-1]["done"] == progress[-1]["total"] > 0


def test_ids_of_tokens_come_on_request(http: Client) -> None:
    asked = {"return_tokens": True, "temperature": 0, "max_tokens": 6}
    told = [e["coterie"] for e in stream(http, **asked) if "token" in e.get("coterie", {})]
    assert len(told) == 6
    assert ["prompt_tokens" in extension for extension in told] == [True] + 5 * [False]
    whole = http.post("/v1/chat/completions", json=body(**asked)).json()
    ids = whole["coterie"]["tokens"]
    assert ids["answer"] == [extension["token"] for extension in told]
    assert ids["prompt"] == told[0]["prompt_tokens"]
    assert len(ids["prompt"]) == whole["usage"]["prompt_tokens"]


def test_whole_answer_is_the_sum_of_the_stream(http: Client) -> None:
    whole = http.post("/v1/chat/completions", json=body()).json()
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in stream(http))
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": text}
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + 8


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"messages": []}, 400, "EmptyPrompt"),
        ({"n": 99}, 400, "RequestRefused"),
        ({"messages": [{"role": "user", "content": "word " * 6000}]}, 400, "PromptTooLong"),
    ],
)
def test_refusals_come_before_the_stream(
    http: Client, fields: dict[str, Any], status: int, kind: str, is_streamed: bool
) -> None:
    response = http.post("/v1/chat/completions", json=body(stream=is_streamed, **fields))
    assert response.status_code == status
    assert response.json()["error"]["type"] == kind


def test_other_routes_methods_and_types_are_refused_in_json(http: Client) -> None:
    assert http.get("/v1/images/generations").status_code == 404
    assert http.get("/v1/chat/completions").status_code == 405
    plain = http.post("/v1/chat/completions", content=b"{}", headers={"Content-Type": "text/plain"})
    assert plain.status_code == 415
    for response in (http.get("/v1/embeddings"), plain):
        assert response.json()["error"]["type"] == "RequestRefused"


def test_oversized_body_is_refused(http: Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(65):
            yield b" " * 1024 * 1024

    headers = {"Content-Type": "application/json"}
    assert http.post("/v1/chat/completions", content=chunks(), headers=headers).status_code == 413


def test_tokenize(http: Client) -> None:
    assert http.post("/coterie/v1/tokenize", json={"text": "<|im_end|>", "special": True}).json() == {
        "tokens": [2]
    }
    assert len(http.post("/coterie/v1/tokenize", json={"text": "<|im_end|>"}).json()["tokens"]) > 1
    for fields in ({}, {"text": 1}):
        assert http.post("/coterie/v1/tokenize", json=fields).status_code == 400
    for content in (b"[]", b"x"):
        headers = {"Content-Type": "application/json"}
        assert http.post("/coterie/v1/tokenize", content=content, headers=headers).status_code == 400


def test_conclude_of_an_unknown_answer(http: Client) -> None:
    assert http.post("/coterie/v1/conclude", json={"id": "none"}).status_code == 404


def test_load_of_a_ready_model_is_one_event(http: Client) -> None:
    text = http.get("/coterie/v1/load").text
    assert json.loads(text.removeprefix("data: "))["status"] == "ready"


def test_disconnect_cancels_an_answer_that_is_not_streamed(http: Client, socket_path: Path) -> None:
    """Without it four such readers would hold all places for minutes."""
    request = json.dumps(
        body(max_tokens=100_000, messages=[{"role": "user", "content": "Count to 9999."}])
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(request)}\r\n\r\n"
    )
    readers = []
    for _ in range(4):
        reader = socket.socket(socket.AF_UNIX)
        reader.connect(str(socket_path))
        reader.sendall(head.encode() + request)
        readers.append(reader)
    assert http.get("/health").status_code == 200  # they are all received
    for reader in readers:
        reader.close()
    assert http.post("/v1/chat/completions", json=body(max_tokens=1)).status_code == 200


def test_loopback_worker_wants_its_token(tmp_path: Path, dense_path: Path) -> None:
    supervisor = Supervisor(
        (sys.executable, "-m", "model_manager.engine.worker"), tmp_path, lambda state: None, use_tcp=True
    )
    supervisor.start(LoadPlan(dense_path, n_ctx_tokens=256))
    try:
        supervisor.wait_ready(120)
        url = supervisor.client.address
        token = {"Authorization": "Bearer wrong"}
        with engine_client(base_url=url) as stranger:
            assert stranger.get("/health").status_code == 401
            assert stranger.get("/health", headers=token).json()["error"]["type"] == "RequestRefused"
    finally:
        supervisor.stop()
