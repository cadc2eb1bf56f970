"""What a worker does with texts and tokens outside of a chat: raw prompts, tokens and back, vectors."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_manager.engine.supervisor import Supervisor
from model_manager.http import Client, Response, engine_client

TEXT = "The capital of France is"


@pytest.fixture
def http(starter_engine: Supervisor) -> Iterator[Client]:
    with engine_client(Path(starter_engine.client.address)) as client:
        yield client


def tokens_of(http: Client, text: str, **fields: Any) -> list[int]:
    tokens: list[int] = http.post("/coterie/v1/tokenize", json={"text": text, **fields}).json()["tokens"]
    return tokens


def go_on(http: Client, prompt: Any) -> dict[str, Any]:
    body = {"prompt": prompt, "max_tokens": 8, "temperature": 0}
    answer: dict[str, Any] = http.post("/v1/chat/completions", json=body).json()
    return answer


def embed(http: Client, wanted: Any, **fields: Any) -> Response:
    return http.post("/v1/embeddings", json={"input": wanted, **fields})


def vectors(http: Client, wanted: Any) -> list[list[float]]:
    return [item["embedding"] for item in embed(http, wanted).json()["data"]]


def refusal(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["message"]


def test_text_comes_back_from_its_tokens(http: Client) -> None:
    text = "Müller <|im_end|> 群贤 🙂"
    for special in (False, True):
        tokens = tokens_of(http, text, special=special)
        assert http.post("/coterie/v1/detokenize", json={"tokens": tokens}).json()["text"] == text


@pytest.mark.parametrize("tokens", [None, "abc", [1, "2"], [True], [-1], [10**6]])
def test_tokens_that_are_none_are_refused(http: Client, tokens: Any) -> None:
    status, message = refusal(http.post("/coterie/v1/detokenize", json={"tokens": tokens}))
    assert status == 400
    assert "token" in message


def test_raw_prompt_is_gone_on_with(http: Client) -> None:
    go_on(http, TEXT)  # from now on the same is computed: the prompt's last token alone, then one by one
    answer = go_on(http, TEXT)
    assert "Paris" in answer["choices"][0]["message"]["content"]
    tokens = tokens_of(http, TEXT)
    assert answer["usage"]["prompt_tokens"] == len(tokens)
    assert go_on(http, tokens)["choices"] == answer["choices"]
    # A marker is one: this prompt is a chat that was rendered elsewhere.
    chat = "<|im_start|>user\nSay hello.<|im_end|>\n<|im_start|>assistant\n"
    assert go_on(http, chat)["usage"]["prompt_tokens"] < len(tokens_of(http, chat))


@pytest.mark.parametrize("prompt", ["", [], [10**6], "word " * 5000])
def test_raw_prompt_that_cannot_be_is_refused(http: Client, prompt: Any) -> None:
    assert go_on(http, prompt)["error"]["type"] in ("EmptyPrompt", "RequestRefused", "PromptTooLong")


def test_prompt_and_messages_exclude_each_other(http: Client) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    for body in ({}, {"messages": messages, "prompt": TEXT}):
        status, message = refusal(http.post("/v1/chat/completions", json=body))
        assert status == 400
        assert "messages" in message


def test_vectors_of_like_texts_are_near(http: Client) -> None:
    response = embed(http, ["I have a small dog.", "My little dog barks.", "Interest rates were raised."])
    body = response.json()
    made = np.array([item["embedding"] for item in body["data"]])
    assert [item["index"] for item in body["data"]] == [0, 1, 2]
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    assert made[0] @ made[1] > made[0] @ made[2]
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 10


def test_every_form_of_input_and_answer_gives_the_same_vector(http: Client) -> None:
    (plain,) = vectors(http, TEXT)
    tokens = tokens_of(http, TEXT)
    assert vectors(http, [TEXT, TEXT]) == [plain, plain]
    assert vectors(http, tokens) == [plain]
    assert vectors(http, [tokens]) == [plain]
    encoded = embed(http, TEXT, encoding_format="base64").json()["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(encoded), "<f4").tolist() == np.float32(plain).tolist()
    assert embed(http, TEXT, dimensions=len(plain)).status_code == 200


def test_a_long_text_takes_several_calls(http: Client) -> None:
    (before,) = vectors(http, TEXT)
    (long,) = vectors(http, "The river runs through the valley and the town. " * 52)
    assert np.dot(long, before) < 0.99
    # The context has grown for it; what came before has left nothing behind.
    assert vectors(http, TEXT) == [before]


@pytest.mark.parametrize(
    ("wanted", "fields", "word"),
    [
        ([], {}, "input"),
        ("", {}, ""),
        ({"text": "x"}, {}, "input"),
        (["x"] * 2049, {}, "2048"),
        ([10**6], {}, "token"),
        ("word " * 5000, {}, ""),
        ("x", {"dimensions": 3}, "dimensions"),
        ("x", {"encoding_format": "int8"}, "encoding_format"),
    ],
)
def test_embeddings_that_cannot_be_are_refused(
    http: Client, wanted: Any, fields: dict[str, Any], word: str
) -> None:
    status, message = refusal(embed(http, wanted, **fields))
    assert status == 400
    assert word in message


def test_vectors_are_made_beside_an_answer(http: Client) -> None:
    """An answer goes on while vectors are computed, and is the same."""
    go_on(http, TEXT)
    alone = go_on(http, TEXT)
    body = {"prompt": TEXT, "max_tokens": 40, "temperature": 0, "stream": True}
    with http.stream("POST", "/v1/chat/completions", json=body) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert embed(http, TEXT).status_code == 200
        assert any("[DONE]" in line for line in lines)
    assert go_on(http, TEXT)["choices"] == alone["choices"]
