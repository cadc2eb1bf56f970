"""`docs/database.md` is what people build on: every query runs, every table, column and setting is on it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.exchange.carried import Carried, CarriedMessage
from storage.migrations import APPLICATION_ID, known_steps
from storage.settings import DEFAULTS
from storage.store import Store
from tests.helpers.databases import GENERATION, fill, text

PAGE = (Path(__file__).parents[3] / "docs" / "database.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"([^\n]+):\n\n```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def connection(path: Path, store: Store) -> Iterator[sqlite3.Connection]:
    """As a person opens the file while the program has it open and writes an answer."""
    fill(store)
    answer = store.conversations.start_answer(1, 1, GENERATION)
    store.conversations.flush_answer(answer.id, text("so"))
    store.conversations.flush_answer(answer.id, text("so far"))
    store.settings.set("language", "en")
    store.filing.file(Carried("chatgpt:6650", "Imported", (CarriedMessage("q", None, "user", text("Hi")),)))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def test_page_has_queries() -> None:
    assert len(QUERIES) == PAGE.count("```sql")
    assert len(QUERIES) >= 12


@pytest.mark.parametrize(("purpose", "sql"), QUERIES, ids=[purpose for purpose, _ in QUERIES])
def test_query_runs_and_finds_something(connection: sqlite3.Connection, purpose: str, sql: str) -> None:
    if (
        "dbstat" in sql
        and ("ENABLE_DBSTAT_VTAB",) not in connection.execute("PRAGMA compile_options").fetchall()
    ):
        pytest.skip("this SQLite has no dbstat")
    assert connection.execute(sql).fetchall(), purpose


def test_every_table_and_column_is_described(connection: sqlite3.Connection) -> None:
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE))
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        if table.startswith("sqlite_") or table.startswith("search_"):
            continue
        assert table in sections, f"table {table} is not on the page"
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        for column in columns:
            assert f"`{column}`" in sections[table] or (table, column) == ("_sqlite_migrations", "id"), (
                f"column {table}.{column} is not on the page"
            )
    described = {name for name in sections if name in tables}
    assert described == set(sections), "the page describes tables that are not there"


def test_every_view_and_its_columns_are_described(connection: sqlite3.Connection) -> None:
    section = PAGE.split("## Views")[1].split("## Settings")[0]
    rows = dict(re.findall(r"^\| `(v_\w+)` \| (.*) \|$", section, re.MULTILINE))
    views = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")]
    assert set(rows) == set(views)
    for view in views:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({view})")]
        assert re.findall(r"`(\w+)`", rows[view]) == columns, view
        assert connection.execute(f"SELECT * FROM {view}").fetchall(), view


def test_every_setting_is_described_with_its_default() -> None:
    section = PAGE.split("## Settings")[1].split("## Queries")[0]
    for key in DEFAULTS:
        assert f"`{key}`" in section, key


def test_numbers_on_the_page_are_right() -> None:
    assert f"(today {len(known_steps())})" in PAGE
    assert str(APPLICATION_ID) in PAGE
