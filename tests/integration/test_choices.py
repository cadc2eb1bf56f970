"""Several answers to one prompt, through the worker."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_manager.engine.supervisor import Supervisor
from model_manager.http import Client, engine_client

USER = [{"role": "user", "content": "Write a line about the sea, please, in any form that you like."}]


@pytest.fixture
def http(starter_engine: Supervisor) -> Iterator[Client]:
    with engine_client(Path(starter_engine.client.address)) as client:
        yield client


def body(**fields: Any) -> dict[str, Any]:
    return {"messages": USER, "max_tokens": 12, "temperature": 1.0, "seed": 40, **fields}


def ask(http: Client, **fields: Any) -> dict[str, Any]:
    response = http.post("/v1/chat/completions", json=body(**fields))
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


def texts(answer: dict[str, Any]) -> list[str]:
    return [choice["message"]["content"] for choice in answer["choices"]]


def test_several_answers_are_those_of_single_requests_with_their_seeds(http: Client) -> None:
    """Compared for two tokens each: with more cells in use, the same sums are rounded in another order."""
    ask(http)  # the prompt lies in the context for all that follow, so that all begin alike
    several = ask(http, n=3, max_tokens=2)
    assert [choice["index"] for choice in several["choices"]] == [0, 1, 2]
    assert [choice["coterie"]["seed"] for choice in several["choices"]] == [40, 41, 42]
    singles = [ask(http, seed=40 + number, max_tokens=2) for number in range(3)]
    assert texts(several) == [texts(single)[0] for single in singles]
    assert len(set(texts(several))) > 1
    usages = [single["usage"] for single in singles]
    assert several["usage"]["completion_tokens"] == sum(usage["completion_tokens"] for usage in usages)
    assert several["usage"]["prompt_tokens"] == usages[0]["prompt_tokens"]


def test_more_answers_than_places(http: Client) -> None:
    ask(http)
    several = ask(http, n=6, max_tokens=1)
    singles = [ask(http, seed=40 + number, max_tokens=1) for number in range(6)]
    assert texts(several) == [texts(single)[0] for single in singles]


def test_stream_of_several_answers(http: Client) -> None:
    whole = ask(http, n=3, max_tokens=2)
    fields = body(n=3, max_tokens=2, stream=True, return_progress=True)
    response = http.post("/v1/chat/completions", json=fields)
    blocks = [block for block in response.text.split("\n\n") if block and not block.startswith(":")]
    assert blocks[-1] == "data: [DONE]"
    chunks = [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]
    found: defaultdict[int, str] = defaultdict(str)
    reasons: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            found[choice["index"]] += choice["delta"].get("content", "")
            if choice["finish_reason"]:
                assert choice["index"] not in reasons
                reasons[choice["index"]] = choice["finish_reason"]
    assert [found[index] for index in range(3)] == texts(whole)
    assert set(reasons) == {0, 1, 2}
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], whole["usage"])
    assert sum("usage" in chunk for chunk in chunks) == 1


def test_several_bound_answers_have_grammars_of_their_own(http: Client) -> None:
    answer = ask(http, n=5, grammar='root ::= ("a" | "b" | "c"){3}')
    assert len(answer["choices"]) == 5
    assert all(len(text) == 3 and set(text) <= set("abc") for text in texts(answer))


def test_a_prompt_that_cannot_be_read_fails_all_of_them_at_once(http: Client) -> None:
    response = http.post("/v1/chat/completions", json=body(n=3, grammar="root ::= ["))
    assert response.status_code == 400


def test_a_client_that_goes_away_cancels_all_of_them(http: Client) -> None:
    with http.stream("POST", "/v1/chat/completions", json=body(n=6, stream=True, max_tokens=500)) as response:
        next(response.iter_bytes())
    assert ask(http, n=2)["choices"]
