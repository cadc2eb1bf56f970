"""Order, trash, prompts and care of the database, as the command line has them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.paths import Paths
from app.services import Services
from storage.records import Generation, Part
from storage.store import Store
from tests.helpers.cli import refuse, succeed
from tests.helpers.commands import perform
from tests.helpers.databases import fill, run_sql


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    opened = Services(Paths(tmp_path / "data"), tmp_path / "run")
    opened.storage.call(fill)
    yield opened
    opened.close()


def told(services: Services, *arguments: str, stdin: str = "") -> Any:
    return json.loads(succeed(perform(services, *arguments, "--json", stdin=stdin)).stdout)


def test_conversations_are_put_in_order(services: Services) -> None:
    (named,) = told(services, "conversations", "rename", "2", "Flags of llama.cpp")
    assert named["title"] == "Flags of llama.cpp"
    told(services, "conversations", "tag", "2", "cli", "draft")
    (tagged,) = told(services, "conversations", "untag", "2", "draft")
    assert tagged["tags"] == ["cli", "moe"]
    moved = told(services, "conversations", "move", "1", "2", "Home/Notes")
    assert [one["folder"] for one in moved] == ["Home/Notes", "Home/Notes"]
    told(services, "conversations", "pin", "2")
    listed = told(services, "conversations", "list", "--folder", "Home", "--tag", "moe")
    assert [(one["id"], one["is_pinned"]) for one in listed] == [(2, True), (1, True)]
    told(services, "conversations", "archive", "1")
    assert [one["id"] for one in told(services, "conversations", "list")] == [2]
    assert {one["id"] for one in told(services, "conversations", "list", "--archived")} == {1, 3}
    folders = told(services, "conversations", "folders")
    assert {"name": "Home/Notes", "n_conversations": 2} in folders
    assert told(services, "conversations", "tags") == [
        {"name": "cli", "n_conversations": 1},
        {"name": "moe", "n_conversations": 2},
    ]
    told(services, "conversations", "rate", "3", "bad")
    hits = told(services, "conversations", "search", "networks", "--rating", "bad", "--role", "assistant")
    assert [hit["message_id"] for hit in hits] == [3]
    refuse(perform(services, "conversations", "rate", "1", "good"), "not an answer")
    refuse(perform(services, "conversations", "pin", "2", "99"), "no longer exists")
    refuse(perform(services, "conversations", "tag", "1", " "), "cannot be a name")
    assert perform(services, "conversations", "list", "--since", "last week").returncode == 2
    assert told(services, "conversations", "list", "--until", "2020-01-01") == []
    assert told(services, "conversations", "search", "experts", "--by", "relevance", "--since", "1d")


def test_trash_gives_back_until_it_is_emptied_without_a_trace(services: Services) -> None:
    told(services, "backup", "create")
    told(services, "conversations", "trash", "1")
    assert [one["id"] for one in told(services, "conversations", "list", "--trash")] == [1, 4]
    assert told(services, "conversations", "search", "mixture") == []
    told(services, "conversations", "restore", "1")
    assert told(services, "conversations", "search", "mixture")
    gone = told(services, "conversations", "empty-trash", "--secure")
    assert gone["deleted"] == [4]
    assert len(gone["backups"]) == 1
    assert b"Never mind" not in services.paths.database.read_bytes()
    said = succeed(perform(services, "conversations", "delete", "1", "2", "--secure")).stdout
    assert "2 conversations are deleted" in said
    assert gone["backups"][0] in said
    refuse(perform(services, "conversations", "delete", "1"), "no longer exists")


def test_database_is_measured_compacted_and_repaired(services: Services) -> None:
    facts = told(services, "doctor", "--database")
    assert facts["problems"] == []
    assert facts["kinds"]["attachments"] > 0
    with closing(sqlite3.connect(services.paths.database)) as connection:
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute(
            "CREATE TABLE much AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            " WHERE i < 500) SELECT randomblob(2000) AS x FROM n"
        )
        connection.execute("DROP TABLE much")
        connection.commit()
    compacted = told(services, "doctor", "--database", "--compact")
    assert compacted["given_back_bytes"] > 500_000
    assert compacted["free_bytes"] == 0
    run_sql(services.paths.database, "UPDATE parts SET text = 'other words' WHERE message_id = 1")
    sick = perform(services, "doctor", "--database")
    assert sick.returncode == 1
    assert "--repair" in sick.stdout
    assert told(services, "doctor", "--database", "--repair")["problems"] == []
    assert told(services, "conversations", "search", "other words")
    assert perform(services, "doctor", "--compact").returncode == 2


def test_prompts_are_kept_by_name(services: Services) -> None:
    saved = told(
        services, "prompts", "save", "Pirate", "--sampling", '{"max_tokens": 4}', stdin="Talk.\nMore.\n"
    )
    assert (saved["text"], saved["sampling"]) == ("Talk.\nMore.", {"max_tokens": 4})
    assert {one["name"] for one in told(services, "prompts", "list")} == {"Brief", "Pirate", "Reviewer"}
    assert "Reviewer  starter  Find mistakes." in succeed(perform(services, "prompts", "list")).stdout
    assert "More." in succeed(perform(services, "prompts", "show", "pirate")).stdout
    assert told(services, "prompts", "save", "Plain", "x", "-m", "starter")["model_name"] == "starter"
    for wrong in (["X", "y", "--sampling", "[1]"], ["X", "y", "--sampling", "{"], ["X", " "]):
        assert perform(services, "prompts", "save", *wrong).returncode == 2
    refuse(perform(services, "prompts", "save", "X", "y", "-m", "nobody"), "nobody")
    refuse(perform(services, "chat", "--prompt", "nobody", "Hello"), "no prompt")
    assert perform(services, "chat", "--prompt", "Pirate", "-c", "1", "Hello").returncode == 2
    told(services, "prompts", "remove", "PIRATE")
    refuse(perform(services, "prompts", "show", "Pirate"), "no prompt")


def test_people_read_tables(services: Services) -> None:
    listed = succeed(perform(services, "conversations", "list")).stdout.splitlines()
    assert listed[0].startswith("1  ")
    assert listed[0].endswith("Mixtures  pinned  Work/Models  #moe")
    assert "Squares" in succeed(perform(services, "conversations", "list", "--all")).stdout
    assert "archived" in succeed(perform(services, "conversations", "list", "--archived")).stdout
    assert "Work/Models" in succeed(perform(services, "conversations", "folders")).stdout
    succeed(perform(services, "conversations", "rename-folder", "Work", "Play"))
    assert told(services, "conversations", "show", "1")["folder"] == "Play/Models"
    succeed(perform(services, "conversations", "remove-folder", "Play"))
    refuse(perform(services, "conversations", "remove-folder", "Play"), "no folder")
    assert "search index" in succeed(perform(services, "doctor", "--database")).stdout
    assert "No backup is due" not in succeed(perform(services, "backup", "create", "--if-due")).stdout
    assert "No backup is due" in succeed(perform(services, "backup", "create", "--if-due")).stdout
    assert "by itself" in succeed(perform(services, "backup", "list")).stdout
    assert "1 conversation is deleted" in succeed(perform(services, "conversations", "delete", "2")).stdout


def test_costs_are_summed_at_a_list_of_prices(services: Services) -> None:
    def ask_another(store: Store) -> None:
        generation = Generation("another", prompt_tokens=10, completion_tokens=20)
        question = store.conversations.path(2)[0]
        store.conversations.append(2, question.id, "assistant", [Part("text", "Yes.")], generation=generation)

    services.storage.call(ask_another)
    body = told(services, "conversations", "cost")
    assert (body["currency"], body["total"]["price"]) == (None, None)
    for name in ("n_answers", "prompt_tokens", "completion_tokens", "reasoning_tokens"):
        assert body["total"][name] == sum(model[name] for model in body["models"])
    free, priced = sorted(model["model_name"] for model in body["models"])
    assert (free, priced) == ("another", "starter")
    prices = {"currency": "EUR", "per_million": {priced: {"input": 1, "output": 2}}}
    told(services, "settings", "set", "prices", json.dumps(prices))
    body = told(services, "conversations", "cost")
    by_name = {model["model_name"]: model["price"] for model in body["models"]}
    assert by_name[free] is None
    assert body["total"]["price"] == by_name[priced]
    table = succeed(perform(services, "conversations", "cost")).stdout
    assert "EUR" in table.splitlines()[-1]
    done = perform(services, "settings", "set", "prices", '{"currency": "EUR"}')
    assert (done.returncode, "per_million" in done.stderr) == (2, True)


def test_a_list_of_prices_that_another_program_broke_is_named(services: Services) -> None:
    services.set_setting("prices", {"EUR": 3})
    done = perform(services, "conversations", "cost")
    assert (done.returncode, "no list of prices" in done.stderr) == (2, True)
