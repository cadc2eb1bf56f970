"""The list of remote engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keyring
import pytest
from keyring.backends import fail

from app.errors import EngineNotListed, UnusableAddress, UnusableName
from app.remotes import RemoteEngines, base_url, sends_key_openly
from app.secrets import Secrets
from model_manager import starter
from model_manager.errors import EngineUnreachable, ModelNameTaken, Offline
from model_manager.http import Http

FAR = "https://far.example"


class Kept:
    """The list as a setting keeps it, and the engines over it."""

    def __init__(self, *, offline: bool = False) -> None:
        self.stored: Sequence[Mapping[str, Any]] = []
        self.secrets = Secrets()
        self.http = Http(offline=lambda: offline)
        self.engines = RemoteEngines(self.http, self.secrets, lambda: self.stored, self._write)

    def _write(self, engines: Sequence[Mapping[str, Any]]) -> None:
        self.stored = engines

    def add(self, name: str, url: str = FAR, model: str = "", key: str | None = None) -> bool:
        return self.engines.add(name, url, model, key, starter.entries())


@pytest.fixture
def kept() -> Iterator[Kept]:
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    opened = Kept()
    yield opened
    opened.engines.close()
    opened.http.close()
    keyring.set_keyring(before)


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("https://far.example/v1", FAR),
        (" https://far.example/v1/ ", FAR),
        ("https://far.example/api/v1", f"{FAR}/api"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_address_is_that_of_the_api(typed: str, base: str) -> None:
    assert base_url(typed) == base


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "far.example",
        "ftp://far.example",
        "https://",
        "https://user:key@far.example",
        "https://x/?key=abc",
        "https://x/#a",
        "http://[::1",
        "http://x:99999",
        "file:///etc/passwd",
        "http://x:0",
    ],
)
def test_what_is_no_address_is_refused(kept: Kept, typed: str) -> None:
    with pytest.raises(UnusableAddress) as raised:
        kept.add("far", typed)
    assert "key" not in str(raised.value)
    assert not kept.stored


@pytest.mark.parametrize("name", ["", "a b", "-a", "../a", "a/b", "x" * 65, "ä"])
def test_what_is_no_name_is_refused(kept: Kept, name: str) -> None:
    with pytest.raises(UnusableName):
        kept.add(name)


def test_a_name_of_a_model_is_taken(kept: Kept) -> None:
    with pytest.raises(ModelNameTaken):
        kept.add(starter.STARTER)


def test_engines_are_kept_without_their_keys(kept: Kept) -> None:
    assert not kept.add("far", key="a-key")  # no keyring: for this run only
    assert kept.add("another", "http://10.0.0.7", "m")
    assert kept.stored == [
        {"name": "far", "url": FAR, "model": ""},
        {"name": "another", "url": "http://10.0.0.7", "model": "m"},
    ]
    entries = kept.engines.entries()
    assert [(entry.name, entry.address, entry.paths) for entry in entries] == [
        ("another", "http://10.0.0.7", ()),
        ("far", FAR, ()),
    ]
    assert [sends_key_openly(engine) for engine in kept.engines.list()] == [True, False]
    kept.engines.remove("far")
    assert kept.secrets.get("far") is None
    for ask in (kept.engines.get, kept.engines.remove, kept.engines.client, kept.engines.model):
        with pytest.raises(EngineNotListed):
            ask("far")


def test_a_changed_engine_gets_a_new_client(kept: Kept) -> None:
    kept.add("far", key="a-key")
    first = kept.engines.client("far")
    assert kept.engines.client("far") is first
    kept.add("far", key="another")
    assert kept.engines.client("far") is not first
    assert kept.engines.client("far")._http.headers["Authorization"] == "Bearer another"
    assert [engine.name for engine in kept.engines.list()] == ["far"]


def test_the_key_of_the_environment_is_for_the_only_engine(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COTERIE_ENGINE_KEY", "of-the-environment")
    kept.add("far")
    assert kept.engines.client("far")._http.headers["Authorization"] == "Bearer of-the-environment"
    kept.add("another", "http://10.0.0.7")
    assert "Authorization" not in kept.engines.client("another")._http.headers


def test_offline_means_no_packet(kept: Kept) -> None:
    offline = Kept(offline=True)
    offline.add("far")
    with pytest.raises(Offline):
        offline.engines.client("far").models()
    offline.engines.close()
    offline.http.close()


def test_nobody_there_is_said(kept: Kept) -> None:
    kept.add("near", "http://127.0.0.1:9", "m")
    with pytest.raises(EngineUnreachable) as raised:
        kept.engines.client("near").models()
    assert raised.value.address == "http://127.0.0.1:9"
    (record,) = kept.http.log.records()
    assert (record.host, record.path, record.why) == ("127.0.0.1", "/v1/models", "engine")
