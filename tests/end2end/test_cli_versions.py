"""Answers made again and compared, with the real program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import coterie, events, refuse, succeed
from tests.helpers.databases import run_sql


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def ask(data_dir: Path, *arguments: str) -> dict[str, Any]:
    return events(succeed(coterie(data_dir, *arguments)))[-1]


def test_other_settings_make_another_version(data_dir: Path) -> None:
    how = ("--temperature", "0.9", "--seed", "11", "--max-tokens", "16")
    first = ask(data_dir, "chat", "--json", *how, "Name three rivers.")
    first_id = str(first["message_id"])

    exact = json.loads(
        succeed(coterie(data_dir, "conversations", "rerun", first_id, "--exact", "--json")).stdout
    )
    assert exact["difference"] is None
    assert exact["n_tokens"] == 16

    second = ask(data_dir, "conversations", "rerun", first_id, "--seed", "12", "--json")
    assert second["conversation_id"] == first["conversation_id"]
    second_id = str(second["message_id"])

    found = json.loads(
        succeed(coterie(data_dir, "conversations", "compare", first_id, second_id, "--json")).stdout
    )
    assert found["is_same_question"] is True
    assert found["parameters"] == {"seed": [11, 12]}
    assert [answer["message_id"] for answer in found["answers"]] == [int(first_id), int(second_id)]
    assert found["parts"]["text"]["similarity"] < 1
    kinds = {change["kind"] for change in found["parts"]["text"]["changes"]}
    assert kinds >= {"removed", "added"}

    shown = succeed(coterie(data_dir, "conversations", "compare", first_id, second_id)).stdout
    assert "seed" in shown
    assert "{+" in shown

    run_sql(
        data_dir / "coterie.sqlite",
        f"UPDATE traces SET data = (SELECT data FROM traces WHERE message_id = {second_id}"
        f" AND kind = 'answer_tokens') WHERE message_id = {first_id} AND kind = 'answer_tokens'",
    )
    changed = coterie(data_dir, "conversations", "rerun", first_id, "--exact")
    assert changed.returncode == 1
    assert "is another" in changed.stdout


def test_what_cannot_be_made_again_says_why(data_dir: Path) -> None:
    first = ask(data_dir, "chat", "--json", "--max-tokens", "4", "Hello")
    question_id = str(first["message_id"] - 1)
    for action in (
        ("rerun", question_id),
        ("rerun", question_id, "--exact"),
        ("compare", question_id, question_id),
    ):
        refuse(coterie(data_dir, "conversations", *action), question_id)
    both = ("rerun", str(first["message_id"]), "--exact", "--seed", "1")
    done = coterie(data_dir, "conversations", *both)
    assert (done.returncode, "--exact" in done.stderr) == (2, True)


def test_thoughts_their_steps_and_their_cost(data_dir: Path) -> None:
    how = ("-m", "starter-thinking", "--seed", "3", "--think-budget", "24", "--max-tokens", "48")
    answer = ask(data_dir, "chat", "--json", *how, "Why is the sky blue?")
    number = str(answer["message_id"])

    def told(*arguments: str) -> Any:
        return json.loads(succeed(coterie(data_dir, "conversations", *arguments, "--json")).stdout)

    (thought,) = told("thoughts", "--by", "share", "--ended-by", "budget")
    assert thought["message_id"] == answer["message_id"]
    assert thought["think_budget_tokens"] == 24 <= thought["reasoning_tokens"]
    assert 0 < thought["share"] <= 1
    assert told("thoughts", "--ended-by", "person") == []

    steps = told("outline", number, "--tokens")["steps"]
    assert steps[0]["start"] == 0
    assert [step["start"] for step in steps[1:]] == [step["end"] for step in steps[:-1]]
    assert all(step["first_token"] < step["end_token"] for step in steps)

    prices = json.dumps({"currency": "USD", "per_million": {"*": {"input": 1, "output": 2}}})
    succeed(coterie(data_dir, "settings", "set", "prices", prices))
    cost = told("cost", str(answer["conversation_id"]))
    (model,) = cost["models"]
    assert cost["currency"] == "USD"
    assert model["completion_tokens"] == answer["usage"]["completion_tokens"]
    read, written = model["prompt_tokens"], model["completion_tokens"]
    assert model["price"] == pytest.approx((read + 2 * written) / 1e6)
    assert "USD" in succeed(coterie(data_dir, "conversations", "cost")).stdout
    assert number in succeed(coterie(data_dir, "conversations", "thoughts")).stdout
    refuse(coterie(data_dir, "conversations", "cost", "999"), "no longer exists")
    done = coterie(data_dir, "settings", "set", "prices", "{}x")
    assert done.returncode == 2
