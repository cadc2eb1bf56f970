"""Databases as the program wrote them at each version of its schema, for `tests/data/databases`.

    python -m tests.helpers.old_databases

writes those that are missing. One that is there is never written again: it stands for files in the field. The
rows are SQL, for the program of today could not write them.
"""

from __future__ import annotations

import gzip
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

import sqlite_utils

from storage.migrations import APPLICATION_ID, known_steps, migrations

FOLDER: Final = Path(__file__).parents[1] / "data" / "databases"

_MOMENT: Final = "2026-01-02T03:04:05.678Z"
# By the version that brought the tables; each stands on the rows of those before it.
_ROWS: Final = {
    1: f"""
        INSERT INTO conversations (id, title, title_is_automatic, created_at, updated_at, model_name,
            system_prompt, sampling) VALUES (5, 'Mixtures', 0, '{_MOMENT}', '{_MOMENT}', NULL, 'Be brief.',
            '{{"temperature": 0.2}}');
        INSERT INTO messages VALUES (9, 5, NULL, 'user', 'complete', '{_MOMENT}');
        INSERT INTO messages VALUES (10, 5, 9, 'assistant', 'complete', '{_MOMENT}');
        INSERT INTO messages VALUES (12, 5, 9, 'assistant', 'interrupted', '{_MOMENT}');
        UPDATE conversations SET head_id = 10;
        INSERT INTO parts VALUES (3, 9, 0, 'text', 'What is a mixture of experts?');
        INSERT INTO parts VALUES (4, 10, 0, 'reasoning', '混合专家');
        INSERT INTO parts VALUES (5, 10, 1, 'text', 'Call get_logits_ith.');
        INSERT INTO parts VALUES (7, 12, 0, 'text', 'It keeps');
        INSERT INTO search (rowid, text) VALUES (3, 'What is a mixture of experts?');
        INSERT INTO search (rowid, reasoning) VALUES (4, ' 混合 合专 专家 家 ');
        INSERT INTO search (rowid, text) VALUES (5, 'Call get_logits_ith.');
        INSERT INTO search (rowid, text) VALUES (7, 'It keeps');
        INSERT INTO generations (message_id, model_name, model_sha256, engine, parameters, prompt_tokens,
            cached_tokens, completion_tokens, reasoning_tokens, ttft_ms, prefill_tokens_per_s,
            decode_tokens_per_s, reasoning_ms, stop_reason, error, started_at, ended_at)
            VALUES (10, 'starter', NULL, 'llama.cpp', '{{"seed": 7, "think_budget_tokens": 64}}', 12, 0, 30,
            10, 51.5, 410.0, 88.25, 113.0, 'stop', NULL, '{_MOMENT}', '{_MOMENT}');
        INSERT INTO generations (message_id, model_name, engine, parameters, started_at)
            VALUES (12, 'starter', '', '{{}}', '{_MOMENT}');
    """,
    2: "INSERT INTO settings VALUES ('theme', '\"dark\"');",
    3: f"""
        INSERT INTO models VALUES ('starter', '["/models/starter.gguf"]', 98000000, NULL, '', 0, NULL, '{{}}',
            '{_MOMENT}');
        INSERT INTO downloads VALUES (2, 'owner/repo:Q4', 'repo-Q4', 'paused', '{{}}', NULL, '{_MOMENT}',
            '{_MOMENT}');
    """,
    4: """
        INSERT INTO traces VALUES (1, 10, 'answer_tokens', '<i4', '[3]',
            x'789c636660606004621620060000480009');
    """,
    5: """
        INSERT INTO images VALUES (1, 9, 0, 'red square.png', x'89504e47'), (2, 9, 1, '蓝.png', x'89504e48');
        INSERT INTO messages VALUES (13, 5, NULL, 'user', 'complete', '2026-01-02T03:04:06.678Z');
        INSERT INTO parts VALUES (8, 13, 0, 'text', 'Edited');
        INSERT INTO search (rowid, text) VALUES (8, 'Edited');
        INSERT INTO images VALUES (3, 13, 0, 'red square.png', x'89504e47');
    """,
    6: f"""
        INSERT INTO folders VALUES (1, 'Work', '{_MOMENT}'), (2, 'Work/Models', '{_MOMENT}');
        UPDATE conversations SET folder_id = 2, is_pinned = 1;
        INSERT INTO tags VALUES (5, 'moe');
        INSERT INTO ratings VALUES (10, 1, '{_MOMENT}');
        INSERT INTO prompts VALUES (1, 'Brief', 'Be brief.', NULL, '{{}}', '{_MOMENT}', '{_MOMENT}');
    """,
    7: """
        UPDATE generations SET load_plan = '{"n_ctx_tokens": 4096}', thinking_ended_by = 'model'
        WHERE message_id = 10;
    """,
    11: f"""
        UPDATE models SET tags = '["small"]', note = 'for tests';
        INSERT INTO model_uses VALUES ('starter', '{_MOMENT}');
    """,
    13: f"INSERT INTO origins VALUES (5, 'chatgpt:1', '{_MOMENT}');",
    15: f"""
        INSERT INTO collections VALUES (1, 'notes', '{_MOMENT}', 'starter', NULL, 2);
        INSERT INTO sources VALUES (1, 1, '/notes');
        INSERT INTO documents
            VALUES (1, 1, '/notes/a.txt', 'text', 'a.txt', 9, 1, '12', 1, NULL, '{_MOMENT}');
        INSERT INTO passages VALUES (1, 1, 0, '[]', NULL, 1, 1, 'two words');
        INSERT INTO search_passages (rowid, text, headings) VALUES (1, 'two words', 'a txt');
        INSERT INTO vectors VALUES (1, 1, x'0000803f00000000');
        INSERT INTO citations
            VALUES (1, 9, 1, 'notes', '/notes/a.txt', 'a.txt', '[]', NULL, 1, 1, 'two words');
    """,
    16: """
        INSERT INTO parts VALUES (20, 10, 2, 'tool_call', '{}', 'web_search', 'call_1', NULL),
            (21, 10, 3, 'tool_result', 'nothing', NULL, 'call_1', NULL);
        INSERT INTO search (rowid, text) VALUES (20, 'web_search {}'), (21, 'nothing');
    """,
    17: "UPDATE generations SET effort = 'low' WHERE message_id = 10;",
}


def plant(path: Path, *, stop_before: str | None) -> None:
    """A database as a program made it that did not know `stop_before` yet; without rows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        db = sqlite_utils.Database(connection)
        migrations.apply(db, stop_before=stop_before)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={len(migrations.applied(db))}")


def write(path: Path, version: int) -> None:
    """A database of this version of the schema, with a row of everything that it could hold.

    Rows are written at the version that brought their table, so the later steps take them along as they did.
    """
    steps = known_steps()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        db = sqlite_utils.Database(connection)
        for number in range(1, version + 1):
            migrations.apply(db, stop_before=steps[number] if number < len(steps) else None)
            connection.executescript(_ROWS.get(number, ""))
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={version}")
        connection.execute("VACUUM")


def unpack(stored: Path, path: Path) -> None:
    """Put a stored database somewhere to be opened."""
    path.write_bytes(gzip.decompress(stored.read_bytes()))


def main() -> None:
    for version in range(1, len(known_steps()) + 1):
        target = FOLDER / f"schema{version}.sqlite.gz"
        if not target.exists():
            with tempfile.TemporaryDirectory() as scratch:
                path = Path(scratch) / "old.sqlite"
                write(path, version)
                target.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    main()
