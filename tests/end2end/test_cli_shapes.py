"""`coterie chat` with answers that must be something, and with likelihoods."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.cli import coterie, events, refuse, succeed

COLOUR = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_answers_meet_a_schema_and_obey_a_grammar(data_dir: Path, tmp_path: Path) -> None:
    schema, grammar = tmp_path / "colour.json", tmp_path / "word.gbnf"
    schema.write_text(json.dumps(COLOUR))
    grammar.write_text('root ::= "yes" | "no"\n')
    first = succeed(coterie(data_dir, "chat", "--schema", str(schema), "A colour?"))
    assert json.loads(first.stdout)["colour"] in ("red", "blue")
    second = succeed(coterie(data_dir, "chat", "-c", "1", "--grammar", str(grammar), "Sure?"))
    assert second.stdout.strip() in ("yes", "no")
    told = succeed(coterie(data_dir, "chat", "--json", "--logprobs", "2", "--max-tokens", "3", "Hello"))
    lines = [event for event in events(told) if event["type"] == "logprobs"]
    assert len(lines) == 3
    assert all(line["logprob"] <= 0 and len(line["top"]) == 2 for line in lines)


def test_wrong_files_are_refused_in_a_sentence(data_dir: Path, tmp_path: Path) -> None:
    broken, number, binary = (tmp_path / name for name in ("broken.json", "number.json", "binary.gbnf"))
    broken.write_text("{")
    number.write_text("3")
    binary.write_bytes(b"\xff\xfe")
    for option, path in (
        ("--schema", broken),
        ("--schema", number),
        ("--schema", tmp_path / "none.json"),
        ("--grammar", binary),
    ):
        done = coterie(data_dir, "chat", option, str(path), "Hello")
        assert done.returncode == 2
        assert path.name in done.stderr
    assert coterie(data_dir, "chat", "--logprobs", "2", "Hello").returncode == 2


def test_schema_that_cannot_be_met_is_refused_and_the_question_kept(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "never.json"
    path.write_text('{"type": "object", "properties": {"a": {"not": {}}}, "required": ["a"]}')
    refuse(
        coterie(data_dir, "chat", "--schema", str(path), "Hello there"),
        "not cannot be enforced",
        "/properties/a",
    )
    shown = json.loads(succeed(coterie(data_dir, "conversations", "show", "1", "--json")).stdout)
    assert shown["messages"][0]["parts"][0]["text"] == "Hello there"
