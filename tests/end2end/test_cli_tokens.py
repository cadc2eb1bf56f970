"""`coterie tokens`: what is kept, where it goes, and whose token a relayed command uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.helpers.cli import coterie, refuse, start, succeed
from tests.helpers.hub_server import HubServer, random_bytes

REPO = "ann/Gated-GGUF"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.add(REPO, "gated-Q4_0.gguf", random_bytes(1000))
        server.repos[REPO].gated_token = "hf_right"
        yield server


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        "PYTHON_KEYRING_BACKEND": "tests.helpers.file_keyring.Drawer",
        "FILE_KEYRING": str(tmp_path / "keyring.json"),
    }


def test_a_token_is_kept_in_the_keyring_for_one_address(
    data_dir: Path, hub: HubServer, env: dict[str, str], tmp_path: Path
) -> None:
    succeed(coterie(data_dir, "settings", "set", "hub_endpoint", hub.endpoint))
    refuse(coterie(data_dir, "models", "show", REPO, env=env), "coterie tokens set")
    succeed(coterie(data_dir, "tokens", "set", env=env, stdin="hf_right\n"))
    succeed(coterie(data_dir, "models", "show", REPO, env=env))
    found = json.loads(succeed(coterie(data_dir, "tokens", "list", "--json", env=env)).stdout)
    assert [(row["place"], row["source"]) for row in found] == [("hub", "kept"), ("modelscope", None)]
    kept = json.loads((tmp_path / "keyring.json").read_text("utf-8"))
    assert kept == {f"coterie token:{hub.endpoint}": "hf_right"}
    written = b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    assert b"hf_right" not in written

    # Another address, another token: none.
    with HubServer() as mirror:
        mirror.add(REPO, "gated-Q4_0.gguf", random_bytes(1000))
        succeed(coterie(data_dir, "models", "show", REPO, env=env | {"HF_ENDPOINT": mirror.endpoint}))
        assert all("authorization" not in seen.headers for seen in mirror.requests)

    own = env | {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "hf_wrong"}
    refuse(coterie(data_dir, "models", "show", REPO, env=own), "403")
    succeed(coterie(data_dir, "tokens", "remove", env=env))
    refuse(coterie(data_dir, "models", "show", REPO, env=env), "401")


def test_the_environments_token_does_not_go_to_a_mirror_of_the_settings(
    data_dir: Path, hub: HubServer, env: dict[str, str]
) -> None:
    succeed(coterie(data_dir, "settings", "set", "hub_endpoint", hub.endpoint))
    refuse(coterie(data_dir, "models", "show", REPO, env=env | {"HF_TOKEN": "hf_right"}), "401")
    assert all("authorization" not in seen.headers for seen in hub.requests)


def test_what_is_no_token_is_refused(data_dir: Path, env: dict[str, str]) -> None:
    done = coterie(data_dir, "tokens", "set", env=env, stdin="two words\n")
    assert done.returncode == 2
    assert "one word" in done.stderr
    assert coterie(data_dir, "tokens", "set", "nowhere", env=env, stdin="x\n").returncode == 2


def test_a_relayed_command_uses_the_token_of_who_typed_it(
    data_dir: Path, hub: HubServer, env: dict[str, str]
) -> None:
    home = env | {"HF_ENDPOINT": hub.endpoint}

    def asked_with(more: Mapping[str, str], *arguments: str) -> set[str | None]:
        n_before = len(hub.requests)
        coterie(data_dir, *arguments, env=env | dict(more))
        sent = hub.requests[n_before:]
        assert sent
        return {seen.headers.get("authorization") for seen in sent if seen.server == "hub"}

    with start(data_dir, "chat", "--json", "--max-tokens", "2", env=home | {"HF_TOKEN": "hf_owner"}) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        owner.stdin.write("Hello\n")
        owner.stdin.flush()
        assert any(json.loads(line)["type"] == "done" for line in iter(owner.stdout.readline, ""))
        show = ("models", "show", REPO)
        assert asked_with(home | {"HF_TOKEN": "hf_caller"}, *show) == {"Bearer hf_caller"}
        assert asked_with({}, *show) == {"Bearer hf_owner"}
        # A token for another hub is not for this one.
        assert asked_with({"HF_TOKEN": "hf_else"}, *show) == {"Bearer hf_owner"}
        download = ("models", "download", REPO)
        assert asked_with(home | {"HF_TOKEN": "hf_right"}, *download) == {"Bearer hf_right"}
        owner.stdin.close()
        owner.wait(60)
    (path,) = (data_dir / "models").rglob("*.gguf")
    assert path.stat().st_size == 1000
