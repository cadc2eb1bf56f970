"""Samples with values exchanged, lost and repeated at random: nothing raises, the database stays sound."""

from __future__ import annotations

import copy
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from storage.errors import UnknownExport
from storage.exchange.carried import Carried
from storage.exchange.reading import read
from storage.store import Store
from tests.helpers.exports import database

N_ROUNDS = 200
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, 10**40, "", "\0\ud800", "x" * 5000, [], {}, [[]], [None], {"": {}}, ["\u202e"],
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+14:00", "data:image/png;base64,!!",
    {"text": {"value": 7}},
)  # fmt: skip


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield (*way, key)
        yield from places(child, (*way, key))


def spoiled(value: Any, chance: random.Random) -> Any:
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 6)):
        ways = list(places(value))
        if not ways:
            break
        *way, key = chance.choice(ways)
        holder = value
        for step in way:
            holder = holder[step]
        if chance.random() < 0.2 and isinstance(holder, dict):
            del holder[key]
        elif chance.random() < 0.3:
            other = value
            for step in chance.choice(ways):
                if not isinstance(other, dict | list) or (isinstance(other, list) and step >= len(other)):
                    break
                other = other[step] if isinstance(other, list) else other.get(step)
            holder[key] = copy.deepcopy(other)
        else:
            holder[key] = copy.deepcopy(chance.choice(STRANGE))
    return value


@pytest.mark.parametrize(
    "name",
    [
        "chatgpt/conversations.json",
        "claude/conversations.json",
        "lm_studio/1760000000000.conversation.json",
        "open_webui.json",
        "llama_ui_older.json",
        "llama_ui.jsonl",
        "jan/threads/jan_1/messages.jsonl",
    ],
)
def test_strange_values(samples: Path, tmp_path: Path, store: Store, name: str) -> None:
    chance = random.Random(name)
    n_found = 0
    text = (samples / name).read_text("utf-8")
    is_lines = name.endswith(".jsonl")
    whole = [json.loads(x) for x in text.splitlines() if x != "{broken"] if is_lines else json.loads(text)
    path = tmp_path / Path(name).name
    for _ in range(N_ROUNDS):
        value = spoiled(whole, chance)
        path.write_text("\n".join(map(json.dumps, value)) if is_lines else json.dumps(value), "utf-8")
        try:
            found = [item for item in read(path) if isinstance(item, Carried)]
        except UnknownExport:
            continue
        n_found += len(found)
        for conversation in found:
            filed = store.filing.file(conversation)
            assert store.filing.file(conversation).outcome == "known"
            assert store.filing.carried(filed.conversation_id) is not None
    assert n_found > N_ROUNDS // 2
    assert store.conversations.verify() == []


@pytest.mark.parametrize("name", ["ollama", "alpaca"])
def test_strange_rows(tmp_path: Path, store: Store, name: str) -> None:
    chance = random.Random(name)
    strange = (
        None,
        "",
        7,
        1e9,
        b"\xff\0",
        "x" * 5000,
        "9999-12-31T23:59:59.9+14:00",
        "data:image/png;base64,!",
    )
    n_found = 0
    for n in range(N_ROUNDS // 10):
        path = database(name, tmp_path / f"{n}.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table'"
            ).fetchall():
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                with suppress(sqlite3.IntegrityError):  # a key that must be a number, or unique
                    connection.execute(
                        f"UPDATE {table} SET {chance.choice(columns)} = ? WHERE rowid % 2 = ?",
                        [chance.choice(strange), chance.randint(0, 1)],
                    )
        for item in read(path):
            if isinstance(item, Carried):
                store.filing.file(item)
                n_found += 1
    assert n_found > N_ROUNDS // 20
    assert store.conversations.verify() == []


def test_a_database_that_is_cut_or_flipped(tmp_path: Path) -> None:
    whole = database("ollama", tmp_path / "whole.db").read_bytes()
    path = tmp_path / "damaged.db"
    chance = random.Random(1)
    for _ in range(60):
        data = bytearray(whole[: chance.randint(100, len(whole))])
        for _ in range(chance.randint(0, 20)):
            data[chance.randrange(100, len(data) + 1) - 1] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(data))
        try:
            list(read(path))
        except UnknownExport:
            continue
