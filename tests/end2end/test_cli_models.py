"""`coterie models` against a local hub that speaks the Hub's real API."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import coterie, events, refuse, start, succeed
from tests.helpers.databases import run_sql
from tests.helpers.hub_server import HubServer, random_bytes
from tests.helpers.shapes import Shape, write_shape

REPO = "coterie-tests/Demo-MoE-GGUF"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.add_demo()
        yield server


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def environment(hub: HubServer) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.endpoint}


def test_download_is_verified_and_joins_the_library(data_dir: Path, hub: HubServer) -> None:
    done = succeed(coterie(data_dir, "models", "download", REPO, "--json", env=environment(hub)))
    *progress, last = events(done)
    for event in progress:
        assert set(event) >= {"type", "received_bytes", "size_bytes", "rate_bytes_per_s", "eta_s"}
    assert progress[-1]["received_bytes"] == progress[-1]["size_bytes"]
    path = Path(last["path"])
    assert last["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.is_relative_to(data_dir / "models")

    listed = json.loads(succeed(coterie(data_dir, "models", "list", "--json")).stdout)
    assert [entry["name"] for entry in listed[:3]] == ["starter", "starter-dense", "starter-thinking"]
    (entry,) = [entry for entry in listed if not entry["is_starter"]]
    assert entry["sha256"] == [last["sha256"]]
    succeed(coterie(data_dir, "models", "verify", entry["name"]))
    with path.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"damage")
    refuse(coterie(data_dir, "models", "verify", entry["name"]), path.name)
    succeed(coterie(data_dir, "models", "remove", entry["name"]))
    assert not path.exists()
    refuse(coterie(data_dir, "models", "verify", entry["name"]), entry["name"])


def test_killed_download_goes_on(data_dir: Path, hub: HubServer) -> None:
    hub.rate_bytes_per_s = 16 << 20
    with start(data_dir, "models", "download", REPO, "--json", env=environment(hub)) as program:
        assert program.stdout is not None
        while json.loads(program.stdout.readline())["received_bytes"] < 4 << 20:
            pass
        program.kill()
    (part,) = (data_dir / "models").rglob("*.part")
    had_bytes = part.stat().st_size
    sent_before = hub.sent_bytes
    hub.rate_bytes_per_s = None
    last = events(succeed(coterie(data_dir, "models", "download", REPO, "--json", env=environment(hub))))[-1]
    path = Path(last["path"])
    assert last["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert hub.sent_bytes - sent_before <= path.stat().st_size - had_bytes + (1 << 20)


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, ""), (403, ""), (404, ""), (429, "Wait a few minutes"), (500, "try again")],
)
def test_hub_refuses(data_dir: Path, hub: HubServer, status: int, words: str) -> None:
    hub.misbehave("api", status=status, times=-1)
    refuse(coterie(data_dir, "models", "download", REPO, env=environment(hub)), words)
    assert not list(data_dir.rglob("*.gguf"))


def test_wrong_bytes_never_get_the_name(data_dir: Path, hub: HubServer) -> None:
    hub.misbehave("body", is_corrupt=True, times=-1)
    refuse(coterie(data_dir, "models", "download", REPO, env=environment(hub)), "Demo-MoE")
    assert not list((data_dir / "models").rglob("*.gguf"))


def test_reference_that_is_none(data_dir: Path) -> None:
    refuse(coterie(data_dir, "models", "download", "not a reference"))
    refuse(coterie(data_dir, "models", "import", str(data_dir / "nothing.gguf")), "nothing.gguf")
    refuse(coterie(data_dir, "models", "remove", "starter"), "starter")


def test_offline_sends_nothing(data_dir: Path, hub: HubServer) -> None:
    succeed(coterie(data_dir, "settings", "set", "offline", "true"))
    env = {"HF_ENDPOINT": "https://hub.example"}
    refuse(coterie(data_dir, "models", "download", REPO, env=env), "offline")


def test_download_that_was_done_before_a_kill_joins_the_library(data_dir: Path, hub: HubServer) -> None:
    last = events(succeed(coterie(data_dir, "models", "download", REPO, "--json", env=environment(hub))))[-1]
    run_sql(data_dir / "coterie.sqlite", "DELETE FROM models")  # as if it had been killed just before
    listed = json.loads(succeed(coterie(data_dir, "models", "list", "--json")).stdout)
    (entry,) = [entry for entry in listed if not entry["is_starter"]]
    assert entry["sha256"] == [last["sha256"]]
    succeed(coterie(data_dir, "models", "remove", entry["name"]))
    listed = json.loads(succeed(coterie(data_dir, "models", "list", "--json")).stdout)
    assert all(entry["is_starter"] for entry in listed)


def test_downloads_are_listed_and_cancelled(data_dir: Path, hub: HubServer) -> None:
    hub.misbehave("body", is_corrupt=True, times=-1)
    refuse(coterie(data_dir, "models", "download", REPO, env=environment(hub)))
    (listed,) = json.loads(succeed(coterie(data_dir, "models", "downloads", "--json")).stdout)
    assert (listed["ref"], listed["status"]) == (REPO, "failed")
    assert listed["error"]["type"] == "HashMismatch"
    assert listed["error"]["message"] in succeed(coterie(data_dir, "models", "downloads")).stdout
    done = succeed(coterie(data_dir, "models", "cancel", str(listed["id"]), "--json"))
    assert json.loads(done.stdout) == {"cancelled": listed["id"]}
    (listed,) = json.loads(succeed(coterie(data_dir, "models", "downloads", "--json")).stdout)
    assert (listed["status"], listed["received_bytes"]) == ("cancelled", 0)
    assert not list((data_dir / "models").rglob("*.part"))


def test_queue_is_steered(data_dir: Path, hub: HubServer) -> None:
    """Each command is a program of its own, so each order also survives a restart."""
    for number in (1, 2, 3):
        hub.add(f"tests/Model{number}", f"model{number}-Q4_K_M.gguf", random_bytes(2 << 20, number))
    hub.misbehave("body", times=-1, stall_after=0)
    env = environment(hub)

    def run(*arguments: str) -> Any:
        return json.loads(succeed(coterie(data_dir, "models", *arguments, "--json", env=env)).stdout)

    ids = [run("download", f"tests/Model{number}", "--queue")["queued"] for number in (1, 2, 3)]
    assert run("pause", "--all") == {"paused": "all"}
    assert run("order", str(ids[2]), "first") == {"order": [ids[2], ids[0], ids[1]]}
    listed = run("downloads")
    assert [(row["ref"], row["status"], row["position"]) for row in listed] == [
        ("tests/Model3", "paused", 1),
        ("tests/Model1", "paused", 2),
        ("tests/Model2", "paused", 3),
    ]
    assert run("cancel", str(ids[1])) == {"cancelled": ids[1]}
    assert run("cancel", str(ids[1])) == {"forgotten": ids[1]}
    hub.behave()
    succeed(coterie(data_dir, "models", "resume", "--all", env=env))
    assert [row["status"] for row in run("downloads")] == ["done", "done"]


@pytest.mark.parametrize(
    "arguments",
    [("pause",), ("pause", "1", "--all"), ("resume",), ("order", "1", "sideways"), ("order", "1")],
)
def test_orders_that_make_no_sense_are_usage_errors(data_dir: Path, arguments: tuple[str, ...]) -> None:
    done = coterie(data_dir, "models", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""


def test_limits_are_checked_settings(data_dir: Path) -> None:
    succeed(coterie(data_dir, "settings", "set", "download_rate", "500000"))
    assert coterie(data_dir, "settings", "set", "downloads_at_once", "0").returncode == 2


def test_ctrl_c_pauses(data_dir: Path, hub: HubServer) -> None:
    hub.rate_bytes_per_s = 4 << 20
    with start(data_dir, "models", "download", REPO, "--json", env=environment(hub)) as program:
        assert program.stdout is not None
        while json.loads(program.stdout.readline())["received_bytes"] < 1 << 20:
            pass
        program.send_signal(signal.SIGINT)
        _output, errors = program.communicate(timeout=30)
        assert program.returncode == 1
    (line,) = errors.splitlines()
    assert "Run the same command to go on" in line
    hub.rate_bytes_per_s = None
    last = events(succeed(coterie(data_dir, "models", "download", REPO, "--json", env=environment(hub))))[-1]
    assert last["type"] == "done"


def test_fit_reads_headers_only(data_dir: Path, hub: HubServer, tmp_path: Path) -> None:
    """Before a download: some of the first bytes of each file, and never the weights."""
    shape = Shape("wide", "qwen3", 4, 512, 4, 2, 1024, 60_000)
    content = write_shape(tmp_path / "big.gguf", shape).read_bytes()
    hub.add("coterie-tests/Big-GGUF", "big-Q4_0.gguf", content)
    asked = ("models", "fit", "coterie-tests/Big-GGUF", "--json", "--ram-gib")
    found = json.loads(succeed(coterie(data_dir, *asked, "16", env=environment(hub))).stdout)
    assert set(found) >= {"model", "memory", "verdict", "plan", "forecast"}
    assert found["model"]["architecture"] == "qwen3"
    assert found["model"]["size_bytes"] == len(content)
    assert found["verdict"] == "fits"
    parts = ("attention_bytes", "experts_bytes", "kv_bytes", "compute_bytes", "other_bytes")
    assert found["memory"]["total_bytes"] == sum(found["memory"][part] for part in parts)
    assert hub.sent_bytes < 16 * 2**20 < len(content)
    assert not (data_dir / "models").exists() or not list((data_dir / "models").rglob("*.gguf"))

    small = json.loads(succeed(coterie(data_dir, *asked, "0.1", env=environment(hub))).stdout)
    assert small["verdict"] == "does_not_fit"
    refuse(coterie(data_dir, "models", "fit", "nobody/nothing", env=environment(hub)))
    refuse(coterie(data_dir, "models", "fit", "./nothing.gguf", env=environment(hub)), "nothing.gguf")


def test_fit_of_what_is_here_forecasts_the_speed(data_dir: Path) -> None:
    succeed(coterie(data_dir, "chat", "--max-tokens", "30", "Tell me about rivers."))
    found = json.loads(succeed(coterie(data_dir, "models", "fit", "starter", "--json")).stdout)
    assert found["model"]["n_experts"] == 8
    assert found["forecast"]["basis"] == "measured"
    assert found["forecast"]["decode_tokens_per_s"] > 0
    shown = succeed(coterie(data_dir, "models", "fit", "starter", "--context", "2048")).stdout
    assert "It fits" in shown
    assert "2,048" in shown
    # By the header, by llama.cpp, and by the load that the chat has made: all three are there.
    figures = found["figures"]
    assert found["memory"]["from"] == "probe"
    assert figures["probe"]["total_bytes"] == found["memory"]["total_bytes"]
    assert figures["header"]["total_bytes"] == pytest.approx(
        figures["probe"]["total_bytes"], rel=0.01, abs=16 << 20
    )
    assert figures["measured"]["devices"][0]["weights_bytes"] > 400_000_000
    assert found["places"]["ram"]["total_bytes"] == found["memory"]["total_bytes"]
    assert found["machine"]["ram_total_bytes"] >= found["free_bytes"]["ram"]
    assert found["plan"]["context_reason"] == "usual"
    for words in ("by the header", "by llama.cpp", "measured", "main memory"):
        assert words in shown
