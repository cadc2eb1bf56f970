"""The routing of an answer, asked of a real worker while it does other things, and not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_manager.engine.client import Cancel
from model_manager.engine.inspector import replay_routing
from model_manager.engine.routing import joined, routing_body, routing_from
from model_manager.engine.routing_summary import summarize, summary_body
from model_manager.engine.supervisor import Supervisor
from model_manager.errors import EmptyPrompt, EngineUnreachable, RequestRefused
from model_manager.http import Client, engine_client
from model_manager.types import (
    ChatFinished,
    ChatMessage,
    ChatRequest,
    LoadPlan,
    SamplingParams,
    TextDelta,
    TokenIds,
)

ROUTE = "/coterie/v1/routing"


@pytest.fixture
def http(starter_engine: Supervisor) -> Iterator[Client]:
    with engine_client(socket_path=Path(starter_engine.client.address)) as client:
        yield client


def answered(engine: Supervisor, n_tokens: int) -> tuple[str, TokenIds]:
    request = ChatRequest(
        (ChatMessage("user", "Tell me a long story about a river and its people."),),
        SamplingParams(temperature=0, max_tokens=n_tokens),
        return_tokens=True,
    )
    text = ""
    for event in engine.client.chat(request):
        if isinstance(event, TextDelta):
            text += event.text
        if isinstance(event, ChatFinished):
            assert event.tokens is not None
            return text, event.tokens
    raise AssertionError("the answer has no end")


def test_routing_of_an_answer_of_200_tokens(starter_engine: Supervisor) -> None:
    text, tokens = answered(starter_engine, 200)
    assert len(tokens.answer) == 200
    progress: list[tuple[int, int]] = []
    n_prompt = len(tokens.prompt)
    routing = replay_routing(
        starter_engine.client,
        [*tokens.prompt, *tokens.answer],
        n_prompt,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert routing.token_ids == tokens.answer
    assert "".join(routing.texts) == text
    assert routing.layers == tuple(range(30))
    body = routing_body(routing)
    assert all(len(table) == 200 and all(len(ids) == 2 for ids in table) for table in body["experts"])
    assert np.abs(np.array(body["weights"]).sum(axis=2) - 1).max() < 1e-5
    assert body["source"] == "replay"
    assert progress[-1] == (n_prompt + 200, n_prompt + 200)
    assert progress == sorted(progress)


def test_whole_answer_is_the_sum_of_the_stream(http: Client) -> None:
    asked = {"tokens": list(range(40, 80)), "first": 10}
    whole = http.post(ROUTE, json=asked)
    assert whole.status_code == 200
    streamed = http.post(ROUTE, json=asked | {"stream": True}).text.split("\n\n")
    assert streamed[-2:] == ["data: [DONE]", ""]
    events = [json.loads(event.removeprefix("data: ")) for event in streamed[:-2]]
    parts = [routing_from(event["routing"]) for event in events if "routing" in event]
    assert (events[-1]["done"], events[-1]["total"]) == (40, 40)
    summary = summary_body(summarize(joined(parts)))
    assert whole.json() == routing_body(joined(parts)) | {"summary": summary}
    assert whole.json()["tokens"][0]["id"] == 50


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "tokens"),
        ({"tokens": []}, "tokens"),
        ({"tokens": ["a"]}, "tokens"),
        ({"tokens": [-1]}, "tokens"),
        ({"tokens": [49152]}, "vocabulary"),
        ({"tokens": [1], "first": -1}, "first"),
        ({"tokens": [1] * 9000}, "9000"),
        ({"tokens": [1], "first": 1}, ""),
    ],
)
def test_what_cannot_be_shown_is_refused(http: Client, body: dict[str, Any], word: str) -> None:
    response = http.post(ROUTE, json=body)
    assert response.status_code == 400
    assert word in response.json()["error"]["message"]


def test_client_raises_what_the_worker_says(starter_engine: Supervisor) -> None:
    with pytest.raises(EmptyPrompt):
        replay_routing(starter_engine.client, [1], 1)
    with pytest.raises(RequestRefused):
        replay_routing(starter_engine.client, [1 << 30])


def test_an_answer_is_the_same_while_a_replay_runs(
    new_supervisor: Callable[..., Supervisor], starter_path: Path
) -> None:
    supervisor = new_supervisor()
    # One thread, as attention rounds differently when its threads are others, which a busy machine decides.
    supervisor.start(LoadPlan(starter_path, n_ctx_tokens=1024, n_threads=1))
    supervisor.wait_ready(60)
    answered(supervisor, 4)  # from now on the prompt is cached, so that all answers begin alike
    alone, tokens = answered(supervisor, 24)
    failures: list[Exception] = []

    def replay() -> None:
        try:
            replay_routing(supervisor.client, [*tokens.prompt, *tokens.answer] * 4)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    thread = threading.Thread(target=replay)
    thread.start()
    texts = [answered(supervisor, 24)[0]]
    while thread.is_alive():
        texts.append(answered(supervisor, 24)[0])
    assert failures == []
    assert set(texts) == {alone}


def test_cancelling_ends_it_and_the_next_one_works(starter_engine: Supervisor) -> None:
    cancel = Cancel()

    def stop(_done: int, _total: int) -> None:
        cancel.set()

    with pytest.raises(EngineUnreachable):
        replay_routing(starter_engine.client, [*range(100, 700)], 520, cancel, stop)
    assert replay_routing(starter_engine.client, [1, 2, 3]).n_tokens == 3


def test_a_dense_model_has_no_experts(new_supervisor: Callable[..., Supervisor], dense_path: Path) -> None:
    supervisor = new_supervisor()
    supervisor.start(LoadPlan(dense_path, n_ctx_tokens=256))
    supervisor.wait_ready(60)
    routing = replay_routing(supervisor.client, [1, 2, 3])
    assert (routing.n_experts, routing.layers, routing.n_tokens) == (0, (), 3)
