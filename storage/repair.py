"""Puts right what `verify` finds and what has one right answer; everything else is only told."""

from __future__ import annotations

from typing import Final

from storage.database import Database
from storage.knowledge.passage_index import PassageIndex

_UNREADABLE: Final = "{column} IS NOT NULL AND NOT json_valid({column})"
# Table, column, and what stands there where nothing was said; None: without it the row means nothing.
_JSON: Final = (
    ("settings", "value", None),
    ("downloads", "plan", None),
    ("models", "paths", None),
    ("models", "sha256", "NULL"),
    ("models", "info", "'{}'"),
    ("models", "tags", "'[]'"),
    ("models", "looks", "'[]'"),
    ("models", "verification", "NULL"),
    ("models", "moving", "NULL"),
    ("conversations", "sampling", "'{}'"),
    ("prompts", "sampling", "'{}'"),
    ("generations", "parameters", "'{}'"),
    ("generations", "load_plan", "NULL"),
    ("citations", "headings", "'[]'"),
    ("passages", "headings", "'[]'"),
)
_LEAF: Final = (
    "(SELECT max(id) FROM messages WHERE conversation_id = conversations.id"
    " AND id NOT IN (SELECT parent_id FROM messages WHERE parent_id IS NOT NULL))"
)
# What is said about the rows, and the statement.
_STATEMENTS: Final = (
    (
        "conversations that showed no message, or one from the middle",
        f"UPDATE conversations SET head_id = {_LEAF} WHERE head_id IS NOT {_LEAF} AND (head_id IS NULL"
        " OR head_id IN (SELECT parent_id FROM messages)"
        " OR head_id NOT IN (SELECT id FROM messages WHERE conversation_id = conversations.id))",
    ),
    (
        "ratings of what is no answer",
        "DELETE FROM ratings WHERE message_id IN (SELECT id FROM messages WHERE role <> 'assistant')",
    ),
    (
        "data of images and files that no message has",
        "DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM parts WHERE blob_id = blobs.id)",
    ),
    (
        "pieces of answers that have ended",
        "DELETE FROM chunks WHERE message_id IN (SELECT id FROM messages WHERE status <> 'streaming')",
    ),
)


def repair(database: Database) -> list[str]:
    """Put right what can be; what was put right, in words like those of `verify`.

    Conversations have an index of words of their own, which is left alone here (`WordIndex.rebuild`).

    A setting, a download or an entry of the library that cannot be read goes: the setting takes its default,
    files stay where they are.
    """
    done = []
    with database.transaction():
        for table, column, default in _JSON:
            where = _UNREADABLE.format(column=column)
            ((n_rows,),) = database.query(f"SELECT count(*) FROM {table} WHERE {where}")
            if not n_rows:
                continue
            change = f"DELETE FROM {table}" if default is None else f"UPDATE {table} SET {column} = {default}"
            database.execute(f"{change} WHERE {where}")
            done.append(f"{n_rows} of {table}: {column} could not be read")
        for words, statement in _STATEMENTS:
            database.execute(statement)
            ((n_rows,),) = database.query("SELECT changes()")
            if n_rows:
                done.append(f"{n_rows} {words}")
        passages = PassageIndex(database)
        if passages.problems():
            database.execute("INSERT INTO search_passages (search_passages) VALUES ('delete-all')")
            done.append("the words of documents")
    passages.fill()
    return done
