"""`coterie inspect` on answers of real models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import coterie, events, refuse, succeed
from tests.helpers.databases import run_sql
from tests.helpers.ggufs import write_model

ROUTING_FIELDS = (
    "n_layers",
    "n_experts",
    "n_experts_used",
    "tokens",
    "layers",
    "experts",
    "weights",
    "source",
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def ask(data_dir: Path, *options: str) -> dict[str, Any]:
    """A question and its answer; the last line of the output."""
    return events(succeed(coterie(data_dir, "chat", "--json", "--max-tokens", "12", *options, "Hello")))[-1]


def inspect(data_dir: Path, message_id: int, *options: str) -> dict[str, Any]:
    done = succeed(coterie(data_dir, "inspect", str(message_id), "--json", *options))
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # an object, by its type


def test_answer_of_the_starter(data_dir: Path) -> None:
    done = ask(data_dir)
    answer_id, n_tokens = done["message_id"], done["usage"]["completion_tokens"]
    routing = inspect(data_dir, answer_id, "--routing")
    assert list(routing) == [*ROUTING_FIELDS, "summary"]
    assert (routing["n_layers"], routing["n_experts"], routing["n_experts_used"]) == (30, 8, 2)
    assert routing["layers"] == list(range(30))
    assert [len(table) for table in routing["experts"]] == [n_tokens] * 30
    assert all(abs(sum(weights) - 1) < 1e-4 for table in routing["weights"] for weights in table)
    assert routing["source"] == "replay"
    assert sum(routing["summary"]["load"][0]) == 2 * n_tokens
    assert set(routing["summary"]["cache_experts"]) == {"50", "80", "95"}

    tokens = inspect(data_dir, answer_id, "--tokens", "--prompt")
    assert tokens["answer"] == routing["tokens"]
    assert len(tokens["prompt"]) == done["usage"]["prompt_tokens"]
    assert "<|im_start|>" in [token["text"] for token in tokens["prompt"]]


def test_figures_for_people(data_dir: Path, tmp_path: Path) -> None:
    mixture = write_model(tmp_path / "tiny.gguf", n_experts=8, n_experts_used=3)
    done = ask(data_dir, "-m", str(mixture))
    answer_id, n_tokens = str(done["message_id"]), done["usage"]["completion_tokens"]
    shown = succeed(coterie(data_dir, "inspect", answer_id, "--routing", "-m", str(mixture))).stdout
    assert f"{n_tokens} tokens in 2 layers with 8 experts, 3 for each token" in shown
    assert "% of all uses ready" in shown
    shown = succeed(coterie(data_dir, "inspect", answer_id, "--tokens", "-m", str(mixture))).stdout
    assert len(shown.splitlines()) == n_tokens

    refuse(coterie(data_dir, "inspect", answer_id, "--routing", "--live"), "not noted", "trace")
    refuse(coterie(data_dir, "inspect", "1", "--routing"), "message 1", "not an answer")
    refuse(coterie(data_dir, "inspect", "99", "--routing"), "no longer exists")


def test_answers_that_cannot_be_looked_into(data_dir: Path, tmp_path: Path) -> None:
    dense = write_model(tmp_path / "tiny.gguf", seed=1)
    answer_id = ask(data_dir, "-m", str(dense))["message_id"]
    model = ("-m", str(dense))
    routing = inspect(data_dir, answer_id, "--routing", *model)
    assert (routing["n_experts"], routing["layers"], routing["experts"]) == (0, [], [])
    shown = succeed(coterie(data_dir, "inspect", str(answer_id), "--routing", *model)).stdout
    assert "dense" in shown

    database = data_dir / "coterie.sqlite"
    run_sql(database, "UPDATE generations SET model_sha256 = 'ab'")
    run_sql(
        database,
        "INSERT INTO models (name, paths, size_bytes, sha256, source, is_ours, info, added_at)"
        f" VALUES ('tiny', '[\"{dense}\"]', 1, '[\"cd\"]', '', 0, '{{}}', '')",
    )
    refuse(coterie(data_dir, "inspect", str(answer_id), "--routing"), "another file")
    run_sql(database, "DELETE FROM traces")
    refuse(coterie(data_dir, "inspect", str(answer_id), "--routing"), "not kept", str(answer_id))


def test_what_was_noted_while_the_answer_was_made(data_dir: Path, tmp_path: Path) -> None:
    succeed(coterie(data_dir, "settings", "set", "trace", "live"))
    assert coterie(data_dir, "settings", "set", "trace", "x").returncode == 2
    mixture = write_model(tmp_path / "tiny.gguf", n_experts=8, n_experts_used=3)
    done = ask(data_dir, "-m", str(mixture))
    model = ("-m", str(mixture))
    live = inspect(data_dir, done["message_id"], "--routing", "--live", *model)
    replay = inspect(data_dir, done["message_id"], "--routing", *model)
    assert (live["source"], replay["source"]) == ("live", "replay")
    assert live["tokens"] == replay["tokens"]
    assert len(live["tokens"]) == done["usage"]["completion_tokens"]
    pairs = [
        set(ours) == set(theirs)
        for table, other in zip(live["experts"], replay["experts"], strict=True)
        for ours, theirs in zip(table, other, strict=True)
    ]
    assert sum(pairs) >= 0.95 * len(pairs)
