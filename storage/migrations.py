"""Every schema that the database has had, as steps from nothing to today.

Append-only: a released step is never edited, because files in the field have already taken it. A step is
self-contained: it imports nothing of ours, or old history would change with today's code. `docs/database.md`
describes the result for people who query the file. No CHECK uses a JSON function: SQLite before 3.41 refuses
those while `trusted_schema` is off. `Conversations.verify` looks at the JSON instead.

The schema's version, `PRAGMA user_version`, is the number of steps taken.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("coterie")

# "Cote" in ASCII; tells `file` and us whose database this is.
APPLICATION_ID = 0x436F7465


def known_steps() -> list[str]:
    """Names of all steps, the oldest first: those that an empty database still has before it."""
    with Database(memory=True, execute_plugins=False) as empty:
        return [step.name for step in migrations.pending(empty)]


@migrations()
def m001_create_conversations(db: Database) -> None:
    """Conversations as append-only trees, and the index of their text.

    The composite foreign keys keep a parent, and the head, inside the conversation. AUTOINCREMENT: an id that
    was deleted is never given again, since windows and scripts may still hold it.
    """
    db.executescript("""
        CREATE TABLE conversations (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            title TEXT NOT NULL,
            title_is_automatic INTEGER NOT NULL CHECK (title_is_automatic IN (0, 1)),
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            model_name TEXT,
            system_prompt TEXT NOT NULL,
            sampling TEXT NOT NULL,
            head_id INTEGER,
            FOREIGN KEY (head_id, id) REFERENCES messages (id, conversation_id)
        ) STRICT;
        CREATE INDEX conversations_by_updated_at ON conversations (updated_at, id);
        CREATE INDEX conversations_by_head_id ON conversations (head_id);

        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            parent_id INTEGER CHECK (parent_id < id),
            role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
            status TEXT NOT NULL CHECK (status IN ('complete', 'streaming', 'interrupted', 'failed')),
            created_at TEXT NOT NULL,
            UNIQUE (id, conversation_id),
            FOREIGN KEY (parent_id, conversation_id) REFERENCES messages (id, conversation_id)
        ) STRICT;
        CREATE INDEX messages_by_conversation_id ON messages (conversation_id, parent_id);
        CREATE INDEX messages_by_parent_id ON messages (parent_id, conversation_id);
        CREATE INDEX messages_streaming ON messages (id) WHERE status = 'streaming';

        CREATE TABLE parts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL CHECK (position >= 0),
            kind TEXT NOT NULL CHECK (kind IN ('text', 'reasoning')),
            text TEXT NOT NULL,
            UNIQUE (message_id, position)
        ) STRICT;

        CREATE TABLE chunks (
            id INTEGER PRIMARY KEY,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL CHECK (position >= 0),
            kind TEXT NOT NULL CHECK (kind IN ('text', 'reasoning')),
            text TEXT NOT NULL
        ) STRICT;
        CREATE INDEX chunks_by_message_id ON chunks (message_id, position, id);

        CREATE TABLE generations (
            message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            model_name TEXT NOT NULL,
            model_sha256 TEXT,
            engine TEXT NOT NULL,
            parameters TEXT NOT NULL,
            prompt_tokens INTEGER,
            cached_tokens INTEGER,
            completion_tokens INTEGER,
            reasoning_tokens INTEGER,
            ttft_ms REAL,
            prefill_tokens_per_s REAL,
            decode_tokens_per_s REAL,
            reasoning_ms REAL,
            stop_reason TEXT,
            error TEXT,
            started_at TEXT NOT NULL,
            ended_at TEXT
        ) STRICT;

        CREATE VIRTUAL TABLE search USING fts5 (
            text, reasoning, content = '', prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
        );
    """)


@migrations()
def m002_create_settings(db: Database) -> None:
    """What a person has set; what is not here has its declared default."""
    db.executescript("""
        CREATE TABLE settings (
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
    """)


@migrations()
def m003_create_models(db: Database) -> None:
    """The library's entries and the downloads that feed it."""
    db.executescript("""
        CREATE TABLE models (
            name TEXT PRIMARY KEY,
            paths TEXT NOT NULL,
            size_bytes INTEGER NOT NULL,
            sha256 TEXT,
            source TEXT NOT NULL,
            is_ours INTEGER NOT NULL CHECK (is_ours IN (0, 1)),
            chat_template TEXT,
            info TEXT NOT NULL,
            added_at TEXT NOT NULL
        ) STRICT;

        CREATE TABLE downloads (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            ref TEXT NOT NULL,
            name TEXT NOT NULL,
            status TEXT NOT NULL,
            plan TEXT NOT NULL,
            error TEXT,
            added_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        ) STRICT;
    """)


@migrations()
def m004_create_traces(db: Database) -> None:
    """Arrays beside a message: the ids of its tokens, what its experts were. Compressed, never searched."""
    db.executescript("""
        CREATE TABLE traces (
            id INTEGER PRIMARY KEY,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            dtype TEXT NOT NULL,
            shape TEXT NOT NULL,
            data BLOB NOT NULL,
            UNIQUE (message_id, kind)
        ) STRICT;
    """)


@migrations()
def m005_create_images(db: Database) -> None:
    """Images that were sent with a message, as the files they were."""
    db.executescript("""
        CREATE TABLE images (
            id INTEGER PRIMARY KEY,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            data BLOB NOT NULL,
            UNIQUE (message_id, position)
        ) STRICT;
    """)
