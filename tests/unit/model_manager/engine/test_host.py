from __future__ import annotations

from pathlib import Path

import pytest

from model_manager.engine.host import Host
from model_manager.engine.protocol import ChatCompletionRequest
from model_manager.errors import LoadFailed, RequestRefused
from model_manager.types import LoadPlan

REQUEST = ChatCompletionRequest.parse(b'{"messages": [{"role": "user", "content": "Hi"}]}')


def test_model_that_is_not_there_yet_answers_nothing(tmp_path: Path) -> None:
    host = Host(LoadPlan(tmp_path / "model.gguf"))
    assert (host.state.name, host.state.status) == ("model", "loading")
    with pytest.raises(RequestRefused) as caught:
        host.prepare(REQUEST)
    assert caught.value.status == 503
    with pytest.raises(RequestRefused):
        host.tokenize("Hi", special=False)
    assert not host.conclude("nothing")


def test_failed_load_is_told_to_listeners_and_to_every_request(tmp_path: Path) -> None:
    host = Host(LoadPlan(tmp_path / "model.gguf"))
    told: list[str] = []
    unsubscribe = host.subscribe(lambda: told.append(host.state.status))
    host.load()
    assert told == ["failed"]
    with pytest.raises(LoadFailed) as caught:
        host.prepare(REQUEST)
    assert host.state.error is caught.value
    unsubscribe()
    host.load()
    assert told == ["failed"]


def test_error_of_python_while_loading_is_a_failed_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, expected_logs: object
) -> None:
    def fails(*_args: object) -> None:
        raise RuntimeError("a bug")

    expected_logs("loading failed")  # type: ignore[operator]  # the fixture is a function
    monkeypatch.setattr("model_manager.engine.host.load", fails)
    host = Host(LoadPlan(tmp_path / "model.gguf"))
    host.load()
    assert isinstance(host.state.error, LoadFailed)
    assert "a bug" in host.state.error.reason
