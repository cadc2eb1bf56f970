"""`coterie models search` and `show` against a local hub that speaks the Hub's real API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.cli import coterie, refuse, succeed
from tests.helpers.hub_server import DEMO_REPO, HubServer, random_bytes
from tests.helpers.shapes import Shape, write_shape

REPO = "ann/Wide-GGUF"
CARD = b"---\nlicense: mit\n---\n# Wide\n\n<script>alert(1)</script>A \x1b[31mwide\x1b[0m model.\n\n- one\n"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    shape = Shape("wide", "qwen3", 4, 512, 4, 2, 1024, 6_000)
    content = write_shape(tmp_path / "wide.gguf", shape).read_bytes()
    with HubServer() as server:
        server.add_demo()
        server.add(REPO, "README.md", CARD)
        server.add(REPO, "wide-Q4_K_M.gguf", content)
        server.add(REPO, "wide-Q8_0-00001-of-00002.gguf", random_bytes(1000))
        server.add(REPO, "wide-Q8_0-00002-of-00002.gguf", random_bytes(500))
        server.add(REPO, "mmproj-F16.gguf", random_bytes(100))
        repo = server.repos[REPO]
        repo.license, repo.likes = "mit", 50
        repo.gguf = {"total": 9_000_000, "architecture": "qwen3", "context_length": 2048}
        yield server


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_search(data_dir: Path, hub: HubServer) -> None:
    env = {"HF_ENDPOINT": hub.endpoint}
    found = json.loads(succeed(coterie(data_dir, "models", "search", "--json", env=env)).stdout)
    assert {hit["repo"] for hit in found} == {REPO, DEMO_REPO}
    asked = ("models", "search", "wide", "--author", "ann", "--sort", "likes", "--license", "mit")
    shown = succeed(coterie(data_dir, *asked, "--limit", "3", env=env)).stdout
    assert REPO in shown
    assert DEMO_REPO not in shown
    fitting = ("models", "search", "--fits", "--json")
    (hit, *_others) = json.loads(succeed(coterie(data_dir, *fitting, env=env)).stdout)
    assert hit["offer"]["verdict"] == "fits"
    assert hit["offer"]["verdict_basis"] == "headers"
    assert (
        "Nothing was found"
        in succeed(coterie(data_dir, "models", "search", "--author", "no", env=env)).stdout
    )
    assert coterie(data_dir, "models", "search", "--limit", "0", env=env).returncode == 2


def test_search_that_fails(data_dir: Path, hub: HubServer) -> None:
    env = {"HF_ENDPOINT": hub.endpoint}
    hub.misbehave("api", answer="{}", times=-1)
    refuse(coterie(data_dir, "models", "search", "x", env=env), "127.0.0.1")
    refuse(coterie(data_dir, "models", "search", "x", env={"HF_ENDPOINT": "http://127.0.0.1:9"}), "127.0.0.1")
    succeed(coterie(data_dir, "settings", "set", "offline", "true"))
    away = {"HF_ENDPOINT": "https://hub.example"}
    refuse(coterie(data_dir, "models", "search", "x", env=away), "offline")
    refuse(coterie(data_dir, "models", "show", REPO, env=away), "offline")


def test_show(data_dir: Path, hub: HubServer) -> None:
    env = {"HF_ENDPOINT": hub.endpoint}
    page = json.loads(succeed(coterie(data_dir, "models", "show", REPO, "--json", env=env)).stdout)
    by_name = {offer["name"]: offer for offer in page["quantizations"]}
    assert set(by_name) == {"Q4_K_M", "Q8_0"}
    assert by_name["Q8_0"]["size_bytes"] == 1500
    assert len(by_name["Q8_0"]["files"]) == 2
    assert by_name["Q4_K_M"]["quality"]["grade"] == "good"
    assert page["recommended"] == f"{REPO}:Q4_K_M"
    assert [file["path"] for file in page["vision"]] == ["mmproj-F16.gguf"]
    assert (page["license"], page["architecture"], page["n_ctx_train_tokens"]) == ("mit", "qwen3", 2048)
    assert hub.sent_bytes <= len(CARD), "no header unless it is asked for"

    shown = succeed(coterie(data_dir, "models", "show", REPO, "--fits", env=env)).stdout
    assert f"coterie models download {REPO}:Q4_K_M" in shown
    assert "# Wide" in shown
    assert "alert" not in shown
    assert "\x1b" not in shown

    judged = ("models", "show", f"{REPO}:q4_k_m", "--fits", "--json")
    (offer,) = json.loads(succeed(coterie(data_dir, *judged, env=env)).stdout)["quantizations"]
    assert (offer["verdict"], offer["verdict_basis"]) == ("fits", "headers")
    refuse(coterie(data_dir, "models", "show", f"{REPO}:Q2_K", env=env), "Q4_K_M")
    fit = ("models", "fit", f"{REPO}:q4_k_m", "--json")
    with_tower = json.loads(succeed(coterie(data_dir, *fit, env=env)).stdout)
    del hub.repos[REPO].files["mmproj-F16.gguf"]
    without = json.loads(succeed(coterie(data_dir, *fit, env=env)).stdout)
    assert with_tower["model"] == without["model"], "what lets it see is no part of it, but takes memory"
    assert with_tower["memory"]["total_bytes"] - without["memory"]["total_bytes"] == 100
    refuse(coterie(data_dir, "models", "show", "nobody/nothing", env=env), "no such model")
    refuse(coterie(data_dir, "models", "show", "nothing-here", env=env), "nothing-here")


def test_show_of_a_repository_without_models(data_dir: Path, hub: HubServer) -> None:
    hub.add("ann/Weights", "model.safetensors", random_bytes(100))
    shown = succeed(
        coterie(data_dir, "models", "show", "ann/Weights", env={"HF_ENDPOINT": hub.endpoint})
    ).stdout
    assert "coterie models search Weights" in shown


def test_catalogue_is_verified_at_first_use(data_dir: Path, hub: HubServer) -> None:
    env = {"HF_ENDPOINT": hub.endpoint}
    repo = "ggml-org/gpt-oss-20b-GGUF"

    def verified() -> dict[str, str | None]:
        shown = succeed(coterie(data_dir, "models", "catalogue", "--json")).stdout
        return {entry["repo"]: entry["verified_at"] for entry in json.loads(shown)}

    assert set(verified().values()) == {None}
    hub.add(repo, "gpt-oss-20b-mxfp4.gguf", random_bytes(100))
    hub.repos[repo].gguf = {"total": 7 * 10**9, "architecture": "llama"}
    assert "llama" in succeed(coterie(data_dir, "models", "show", repo, env=env)).stdout
    assert verified()[repo] is None
    hub.repos[repo].gguf = {"total": 20_914_757_184, "architecture": "gpt-oss"}
    assert "as the catalogue says" in succeed(coterie(data_dir, "models", "show", repo, env=env)).stdout
    assert verified()[repo] is not None

    shown = succeed(coterie(data_dir, "models", "catalogue", "--tier", "16")).stdout
    assert repo in shown
    assert "128 GiB" not in shown
    assert "smallest" in succeed(coterie(data_dir, "models", "catalogue", "--tier", "1")).stdout
    assert coterie(data_dir, "models", "catalogue", "--tier", "none").returncode == 2


def test_modelscope_and_any_address(data_dir: Path, hub: HubServer) -> None:
    env = {"MODELSCOPE_ENDPOINT": hub.endpoint}
    asked = ("models", "search", "wide", "--source", "modelscope", "--json")
    (hit,) = json.loads(succeed(coterie(data_dir, *asked, env=env)).stdout)
    assert (hit["ref"], hit["source"]) == (f"modelscope:{REPO}", "modelscope")
    page = json.loads(succeed(coterie(data_dir, "models", "show", hit["ref"], "--json", env=env)).stdout)
    assert page["recommended"] == f"modelscope:{REPO}:Q4_K_M"
    path = succeed(coterie(data_dir, "models", "download", page["recommended"], env=env)).stdout.split("\n")[
        0
    ]
    content = hub.repos[REPO].files["wide-Q4_K_M.gguf"].content
    assert Path(path).read_bytes() == content

    url = hub.attach('attachment; filename="Wide-Q4_0.gguf"', content)
    page = json.loads(succeed(coterie(data_dir, "models", "show", url, "--json")).stdout)
    (offer,) = page["quantizations"]
    assert (offer["name"], offer["verdict"], offer["verdict_basis"]) == ("Q4_0", "fits", "headers")
    assert page["architecture"] == "qwen3"
    assert json.loads(succeed(coterie(data_dir, "models", "fit", url, "--json")).stdout)["verdict"] == "fits"
    refuse(coterie(data_dir, "models", "download", f"{url}#sha256={'0' * 64}"), "checksum")
    digest = hub.attachments[0].sha256
    shown = succeed(coterie(data_dir, "models", "download", f"{url}#sha256={digest}")).stdout
    assert "127.0.0.1/Wide-Q4_0.gguf" in shown
