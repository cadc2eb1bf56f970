"""A remote engine: another `coterie serve`, which has the starter, behind a key."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import coterie, events, refuse, start, succeed
from tests.helpers.serving import KEY, Serving, serve

# No keyring of the person who runs the tests is touched; the key comes from the environment, run by run.
ENGINE = {
    "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    "COTERIE_ENGINE_KEY": KEY,
}


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serve(tmp_path_factory.mktemp("far"), "-m", "starter-dense") as opened:
        yield opened


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run(data_dir: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return coterie(data_dir, *arguments, env=ENGINE, **options)


def kept_bytes(data_dir: Path) -> bytes:
    return b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())


def test_its_model_is_one_of_ours(data_dir: Path, far: Serving) -> None:
    done = run(
        data_dir, "engines", "add", "far", far.url, "--model", "starter-dense", "--key-stdin", stdin=KEY
    )
    assert "keyring" in succeed(done).stderr
    listed = json.loads(succeed(run(data_dir, "engines", "list", "--json")).stdout)
    assert listed == [{"name": "far", "url": far.url.removesuffix("/v1"), "model": "starter-dense"}]
    assert "starter-dense" in succeed(run(data_dir, "engines", "test", "far")).stdout.split()
    models = json.loads(succeed(run(data_dir, "models", "list", "--json")).stdout)
    assert [model["name"] for model in models if model["address"]] == ["far"]
    assert far.url.removesuffix("/v1") in succeed(run(data_dir, "models", "list")).stdout

    arguments = ("chat", "-m", "far", "--json", "--max-tokens", "8", "--temperature", "0", "Hello")
    answer = events(succeed(run(data_dir, *arguments)))
    assert "".join(event["text"] for event in answer if event["type"] == "text")
    assert answer[-1]["usage"]["completion_tokens"] == 8

    refuse(run(data_dir, "models", "verify", "far"), "another server")
    network = [json.loads(line) for line in (data_dir / "logs" / "network.jsonl").read_text().splitlines()]
    assert {(entry["path"], entry["why"]) for entry in network} == {
        ("/v1/models", "engine"),
        ("/v1/chat/completions", "engine"),
    }
    assert KEY.encode() not in kept_bytes(data_dir)
    succeed(run(data_dir, "models", "remove", "far"))
    assert json.loads(succeed(run(data_dir, "engines", "list", "--json")).stdout) == []


def test_what_is_no_engine_is_refused(data_dir: Path, far: Serving) -> None:
    refuse(run(data_dir, "engines", "add", "far", "https://user:secret@x/v1"), "address")
    refuse(run(data_dir, "engines", "add", "a b", far.url), "name")
    refuse(run(data_dir, "engines", "add", "starter", far.url), "starter")
    refuse(run(data_dir, "engines", "test", "nobody"), "nobody")
    assert run(data_dir, "engines", "add", "far", far.url, "--key-stdin", stdin="\n").returncode == 2
    assert b"secret" not in kept_bytes(data_dir)


def test_a_wrong_key_or_model_is_said(data_dir: Path, far: Serving) -> None:
    succeed(run(data_dir, "engines", "add", "far", far.url, "--model", "nobody"))
    refuse(run(data_dir, "chat", "-m", "far", "Hello"), "nobody")
    done = coterie(data_dir, "chat", "-m", "far", "Hello", env=ENGINE | {"COTERIE_ENGINE_KEY": "wrong"})
    refuse(done, "key")


def test_it_dies_in_the_middle_and_the_text_is_kept(data_dir: Path, tmp_path: Path) -> None:
    with serve(tmp_path / "far", "-m", "starter-dense") as far:
        succeed(run(data_dir, "engines", "add", "far", far.url, "--model", "starter-dense"))
        arguments = ("chat", "-m", "far", "--json", "--max-tokens", "3000", "Write a very long story.")
        with start(data_dir, *arguments, env=ENGINE) as chat:
            assert chat.stdout is not None
            first = json.loads(chat.stdout.readline())
            far.process.kill()
            far.process.communicate(timeout=30)
            output, errors = chat.communicate(timeout=30)
        assert chat.returncode == 1
        assert errors.startswith("coterie: ")
        assert len(errors.splitlines()) == 1
        assert json.loads(output.splitlines()[-1])["error"] == "EngineBrokeOff"
    shown = json.loads(succeed(coterie(data_dir, "conversations", "show", "1", "--json")).stdout)
    answer = shown["messages"][1]
    assert answer["status"] == "interrupted"
    assert answer["parts"][0]["text"].startswith(first["text"])


def test_the_gateway_serves_it_too(data_dir: Path, far: Serving) -> None:
    succeed(run(data_dir, "engines", "add", "far", far.url, "--model", "starter-dense"))
    with serve(data_dir, env=ENGINE) as near, near.openai() as client:
        assert client.models.retrieve("far").owned_by == far.url.removesuffix("/v1")
        options: Any = {"model": "far", "max_tokens": 6, "temperature": 0}
        completed = client.completions.create(prompt="The capital of France is", **options)
        assert "Paris" in completed.choices[0].text
        messages: Any = [{"role": "user", "content": "Hello"}]
        for _ in range(2):  # the second time the prompt is in the context, as in what follows
            answer = client.chat.completions.create(messages=messages, **options)
        assert answer.model == "starter-dense"
        stream = client.chat.completions.create(messages=messages, stream=True, **options)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        assert text == answer.choices[0].message.content
        responded = client.responses.create(model="far", input="Hello", max_output_tokens=6, temperature=0)
        assert responded.output_text == text
        assert client.embeddings.create(model="far", input="Hello").data[0].embedding
