"""The hub through the real client library, against a hub on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from model_manager.errors import (
    AccessDenied,
    HubError,
    HubUnavailable,
    InvalidReference,
    ModelManagerError,
    NotOffered,
    NotOnHub,
    Offline,
    RateLimited,
    UnsafeFilename,
)
from model_manager.hosts import origin_of
from model_manager.http import Http
from model_manager.hub import Hub
from model_manager.tokens import Tokens
from tests.helpers.hub_server import HubServer, random_bytes

REPO = "tests/Small-GGUF"


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    with HubServer() as server:
        server.add(REPO, "README.md", b"# small")
        server.add(REPO, "small-Q4_K_M.gguf", random_bytes(1000))
        server.add(REPO, "Q8_0/small-Q8_0-00001-of-00002.gguf", random_bytes(2000, 2))
        server.add(REPO, "Q8_0/small-Q8_0-00002-of-00002.gguf", random_bytes(3000, 3))
        yield server


@pytest.fixture
def http() -> Iterator[Http]:
    door = Http()
    yield door
    door.close()


@pytest.fixture
def hub(hub_server: HubServer, http: Http) -> Iterator[Hub]:
    hub = Hub(http, hub_server.endpoint)
    yield hub
    hub.close()


def tokens_for(server: HubServer, token: str) -> Tokens:
    return Tokens({origin_of(server.endpoint): token})


def test_model_info_has_commit_sizes_and_hashes(hub: Hub, hub_server: HubServer) -> None:
    model = hub.model_info(REPO)
    repo = hub_server.repos[REPO]
    assert (model.revision, model.is_gated) == (repo.commit, False)
    assert {file.path: (file.size_bytes, file.sha256) for file in model.files} == {
        file.path: (len(file.content), file.sha256 if file.is_lfs else None) for file in repo.files.values()
    }


def test_resolve_pins_the_commit_and_takes_all_shards(hub: Hub, hub_server: HubServer) -> None:
    item = hub.resolve(f"{REPO}:q8_0")
    commit = hub_server.repos[REPO].commit
    assert item.name == "small-Q8_0"
    assert [file.path for file in item.files] == [
        f"{REPO}/Q8_0/small-Q8_0-00001-of-00002.gguf",
        f"{REPO}/Q8_0/small-Q8_0-00002-of-00002.gguf",
    ]
    assert item.files[0].url == f"{hub.endpoint}/{REPO}/resolve/{commit}/Q8_0/small-Q8_0-00001-of-00002.gguf"
    assert [file.size_bytes for file in item.files] == [2000, 3000]


def test_resolve_of_a_bare_address_asks_nobody(hub: Hub, hub_server: HubServer) -> None:
    item = hub.resolve("https://files.example/folder/model-Q4_0.gguf?key=1")
    assert item.files[0].path == "files.example/model-Q4_0.gguf"
    assert item.files[0].sha256 is None
    assert hub_server.requests == []


@pytest.mark.parametrize(
    "name", ["../../evil.gguf", "/etc/evil.gguf", "a/../../b.gguf", "C:\\evil.gguf", "nul.gguf"]
)
def test_hostile_names_are_refused(hub: Hub, hub_server: HubServer, name: str) -> None:
    hub_server.add("tests/Evil", name, random_bytes(100))
    with pytest.raises(UnsafeFilename):
        hub.resolve("tests/Evil")


NONSENSE = [None, -1, 1e308, 10**30, True, "x", "", [], {}, "\ud800", "9" * 6000, float("inf")]


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("key", ["sha", "rfilename", "size", "lfs", "lfs.sha256", "lfs.size"])
def test_types_of_a_hub_are_not_taken_on_trust(
    hub: Hub, hub_server: HubServer, key: str, value: object
) -> None:
    lfs = {"size": 1000, "sha256": "0" * 64, "pointerSize": 134}
    file: dict[str, Any] = {"rfilename": "m-Q4_K_M.gguf", "size": 1000, "blobId": "1", "lfs": lfs}
    told: dict[str, Any] = {"id": REPO, "sha": "1" * 40, "siblings": [file]}
    place = told if key == "sha" else lfs if key.startswith("lfs.") else file
    place[key.rpartition(".")[2]] = value
    hub_server.misbehave("api", answer=json.dumps(told))
    try:
        item = hub.resolve(REPO)
    except (HubUnavailable, NotOffered):
        return
    (found,) = item.files
    assert type(found.size_bytes) in (int, type(None))
    assert found.sha256 in (None, "0" * 64)
    found.url.encode("ascii")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, HubError),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, NotOnHub),
        (429, RateLimited),
        (500, HubUnavailable),
        (503, HubUnavailable),
    ],
)
def test_failures_have_types(
    hub: Hub, hub_server: HubServer, status: int, expected: type[ModelManagerError]
) -> None:
    hub_server.misbehave("api", status=status)
    with pytest.raises(expected):
        hub.model_info(REPO)


def test_gated_repository_needs_its_token(hub: Hub, hub_server: HubServer, http: Http) -> None:
    hub_server.repos[REPO].gated_token = "hf_right"
    with pytest.raises(AccessDenied):
        hub.model_info(REPO)
    assert Hub(http, hub_server.endpoint, tokens_for(hub_server, "hf_right")).model_info(REPO).is_gated
    with pytest.raises(AccessDenied):
        Hub(http, hub_server.endpoint, tokens_for(hub_server, "hf_wrong")).model_info(REPO)


def test_missing_repository_and_revision_are_not_on_the_hub(hub: Hub) -> None:
    with pytest.raises(NotOnHub):
        hub.model_info("tests/None")
    with pytest.raises(NotOnHub):
        hub.model_info(REPO, "no-such-branch")


def test_impossible_name_is_an_invalid_reference(hub: Hub) -> None:
    with pytest.raises(InvalidReference):
        hub.model_info("a/b--c..d")


def test_unreachable_hub_is_unavailable(http: Http) -> None:
    hub = Hub(http, "http://127.0.0.1:9")
    with pytest.raises(HubUnavailable):
        hub.model_info(REPO)
    hub.close()


def test_offline_sends_nothing() -> None:
    door = Http(offline=lambda: True)
    hub = Hub(door, "https://hub.example")
    with pytest.raises(Offline):
        hub.model_info(REPO)
    hub.close()
    door.close()


def test_token_of_the_environment_goes_home_only(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_home")
    file = "/o/r/resolve/main/a.gguf"
    assert Hub(http).token_for(f"https://huggingface.co{file}") == "hf_home"
    assert Hub(http).endpoint == "https://huggingface.co"
    assert not Hub(http, "https://mirror.example").has_token
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert Hub(http).endpoint == "https://mirror.example"
    assert Hub(http).token_for(f"https://mirror.example{file}") == "hf_home"
    assert Hub(http, "https://mirror.example").token_for("https://other.example/x") is None


def test_no_library_names_and_cookies_are_sent(hub: Hub, hub_server: HubServer) -> None:
    hub.model_info(REPO)
    headers = hub_server.requests[-1].headers
    assert headers["user-agent"] == "coterie"
    assert "authorization" not in headers
    assert "cookie" not in headers


def test_server_speaks_the_tree_and_the_search_as_the_library_asks(hub: Hub, hub_server: HubServer) -> None:
    """What the fit and the catalogue will use; pages included."""
    hub_server.page_size = 1
    api = hub._api()
    tree = list(api.list_repo_tree(REPO, recursive=True))
    assert [entry.path for entry in tree] == list(hub_server.repos[REPO].files)
    hub_server.add("tests/Other", "x.gguf", b"x")
    assert [model.id for model in api.list_models(search="tests", filter="gguf")] == [REPO, "tests/Other"]
